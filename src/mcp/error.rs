//! Errors of the protocol: their codes, and what each of ours is outside.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{access, runtime};

/// What is wrong with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It is not JSON.
    Parse,
    /// It is no request.
    InvalidRequest,
    /// There is no such method.
    MethodNotFound,
    /// Its parameters are wrong, or name what is not there.
    InvalidParams,
    /// The metadata that every modern request carries is wrong.
    Envelope,
    /// A header says something else than the body.
    HeaderMismatch,
    /// The client lacks a capability that the request needs.
    MissingCapability,
    /// The version is not spoken here.
    UnsupportedVersion,
    /// It could not be carried out.
    Internal,
}

/// An answer that is an error.
#[derive(Clone, PartialEq, Debug)]
pub struct Error {
    /// What is wrong.
    pub kind: Kind,
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Value>,
}

impl Error {
    /// An error of `kind`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            data: None,
        }
    }

    /// What is not JSON.
    pub fn parse(message: impl Into<String>) -> Self {
        Self::new(Kind::Parse, message)
    }

    /// What is no request.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, message)
    }

    /// Wrong parameters: the message begins with the path of what is wrong.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidParams, message)
    }

    /// A method that is not there.
    pub fn no_method(method: &str) -> Self {
        let method = crate::text::clean_line(method, 128);
        Self::new(
            Kind::MethodNotFound,
            format!("there is no method `{method}`"),
        )
    }

    /// Something that could not be carried out, with the stable word for it.
    pub fn internal(word: &str, message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message).with(json!({"kind": word}))
    }

    /// The error of parameters that lie within others, at `path`.
    #[must_use]
    pub(super) fn within(mut self, path: &str) -> Self {
        self.message = match self.message.strip_prefix("params") {
            Some(rest) => format!("params.{path}{rest}"),
            None => format!("params.{path}: {}", self.message),
        };
        self
    }

    /// The error with this for programs.
    #[must_use]
    pub fn with(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The number on the wire: JSON-RPC's own, and those of MCP 2026-07-28.
    pub fn code(&self) -> i32 {
        match self.kind {
            Kind::Parse => -32_700,
            Kind::InvalidRequest => -32_600,
            Kind::MethodNotFound => -32_601,
            Kind::InvalidParams | Kind::Envelope => -32_602,
            Kind::Internal => -32_603,
            Kind::HeaderMismatch => -32_020,
            Kind::MissingCapability => -32_021,
            Kind::UnsupportedVersion => -32_022,
        }
    }

    /// As it stands in an answer.
    pub fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code(), "message": self.message});
        if let (Some(data), Some(error)) = (&self.data, error.as_object_mut()) {
            error.insert("data".into(), data.clone());
        }
        error
    }
}

/// Reads parameters; what is wrong is told with its path.
pub(super) fn params<T: DeserializeOwned>(params: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => "params".to_owned(),
            path => format!("params.{path}"),
        };
        Error::invalid_params(format!("{path}: {}", error.inner()))
    })
}

impl From<access::Error> for Error {
    fn from(error: access::Error) -> Self {
        match error {
            access::Error::Runtime(error) => error.into(),
            access::Error::Forbidden { .. } => Self::internal("forbidden", error.to_string()),
        }
    }
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Self {
        use runtime::Error as E;
        let (word, message) = (error.code(), error.to_string());
        match error {
            E::Unknown(key) => Self::unknown_task(&key.id.to_string()),
            E::Illegal(_)
            | E::CannotFork(_)
            | E::KeyReused(_)
            | E::NameTaken(_)
            | E::InvalidNote { .. }
            | E::KeyNotKept(_)
            | E::NothingKept(_)
            | E::InvalidKey
            | E::NoTool { .. }
            | E::InvalidArguments(_)
            | E::InvalidAnswer(_)
            | E::TooLarge { .. }
            | E::Limit(_) => Self::invalid_params(message).with(json!({"kind": word})),
            E::Busy { .. }
            | E::TenantBusy { .. }
            | E::TenantOverBudget { .. }
            | E::TooMuchNoted { .. }
            | E::NoRoom { .. }
            | E::Draining
            | E::NoComponent(_)
            | E::Policy(_)
            | E::Registry(_)
            | E::Grant(_) => Self::internal(word, message),
            E::Setting { .. } | E::Sandbox(_) | E::Store(_) | E::Io { .. } => {
                tracing::error!(error = message, "a request could not be carried out");
                Self::internal(word, "the host could not carry it out")
            }
        }
    }
}

impl Error {
    /// A task that is not there, or not the caller's: nobody is told which.
    pub fn unknown_task(id: &str) -> Self {
        let id = crate::text::clean_line(id, 64);
        Self::invalid_params(format!("there is no task `{id}`"))
    }
}
