//! Errors: `{"error": {"code": .., "message": ..}}`, with the status of HTTP that fits.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::text::clean_line;
use crate::{access, desk, runtime};

/// The most bytes of a message.
const MESSAGE_BYTES_MAX: usize = 8_192;

/// An answer that is an error.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
        }
    }

    /// What is asked for makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", message)
    }

    /// A task that is not there, or not the caller's: nobody is told which.
    pub(super) fn no_task(id: &str) -> Self {
        let id = clean_line(id, 64);
        let message = format!("there is no task {id}");
        Self::new(StatusCode::NOT_FOUND, "unknown-task", message)
    }

    pub(super) fn no_route() -> Self {
        let message = "there is nothing here: docs/api.md has the routes";
        Self::new(StatusCode::NOT_FOUND, "unknown-route", message)
    }

    pub(super) fn no_method() -> Self {
        let message = "this can't be asked so: the header `Allow` says how it can";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "unknown-method", message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let message = clean_line(&self.message, MESSAGE_BYTES_MAX);
        let error = json!({"error": {"code": self.code, "message": message}});
        (self.status, Json(error)).into_response()
    }
}

impl From<QueryRejection> for Failure {
    fn from(refused: QueryRejection) -> Self {
        Self::invalid(refused.body_text())
    }
}

impl From<desk::Error> for Failure {
    fn from(error: desk::Error) -> Self {
        let (code, message) = (error.code(), error.to_string());
        match error {
            desk::Error::Access(error) => error.into(),
            desk::Error::NotEnded(_) => Self::new(StatusCode::CONFLICT, code, message),
            desk::Error::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, code, message),
        }
    }
}

impl From<access::Error> for Failure {
    fn from(error: access::Error) -> Self {
        let (code, message) = (error.code(), error.to_string());
        match error {
            access::Error::Forbidden { .. } => Self::new(StatusCode::FORBIDDEN, code, message),
            access::Error::Runtime(error) => error.into(),
        }
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        use crate::task::{CannotFork, Illegal};
        use runtime::Error as E;
        let (code, message) = (error.code(), error.to_string());
        let status = match error {
            E::Unknown(key) => return Self::no_task(&key.id.to_string()),
            E::Illegal(Illegal::NoCheckpoint(_) | Illegal::NoQuestion(_))
            | E::CannotFork(CannotFork::Illegal(Illegal::NoCheckpoint(_)))
            | E::NoTool { .. } => StatusCode::NOT_FOUND,
            E::Illegal(_)
            | E::CannotFork(_)
            | E::KeyReused(_)
            | E::NameTaken(_)
            | E::NoComponent(_)
            | E::Policy(_)
            | E::Grant(_)
            | E::Registry(_) => StatusCode::CONFLICT,
            E::InvalidNote { .. }
            | E::KeyNotKept(_)
            | E::NothingKept(_)
            | E::InvalidKey
            | E::InvalidArguments(_)
            | E::InvalidAnswer(_)
            | E::NoRoom { .. }
            | E::Limit(_) => StatusCode::UNPROCESSABLE_ENTITY,
            E::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            E::Busy { .. }
            | E::TenantBusy { .. }
            | E::TenantOverBudget { .. }
            | E::TooMuchNoted { .. } => StatusCode::TOO_MANY_REQUESTS,
            E::Draining => StatusCode::SERVICE_UNAVAILABLE,
            E::Setting { .. } | E::Sandbox(_) | E::Store(_) | E::Io { .. } => {
                tracing::error!(error = message, "a request could not be carried out");
                let why = "the host could not carry it out";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, why);
            }
        };
        Self::new(status, code, message)
    }
}
