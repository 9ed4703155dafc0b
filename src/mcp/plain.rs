//! The plain vocabulary: `tasks/create`, `tasks/getStatus`, `tasks/getResult`, `tasks/cancel`,
//! `sessions/saveCheckpoint` and `sessions/restoreCheckpoint`.
//!
//! The same tasks in words that need no extension and no capability. They are served as methods and,
//! under the same names, through `tools/call`, so that any client that can call a tool can start a
//! task and come back for it. They are not in the list of tools: a tool never has a `/` in its name.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::Params;
use super::content::{self, put};
use super::era::Envelope;
use super::error::params;
use super::{Context, Error, Server, task_tools};

mod create;
mod session;
mod status;

pub(super) const CREATE: &str = "tasks/create";
pub(super) const STATUS: &str = "tasks/getStatus";
pub(super) const RESULT: &str = "tasks/getResult";
pub(super) const CANCEL: &str = "tasks/cancel";

/// The words that are methods of their own. `tasks/cancel` is one of every era's.
const METHODS: [&str; 5] = [
    CREATE,
    STATUS,
    RESULT,
    "sessions/saveCheckpoint",
    "sessions/restoreCheckpoint",
];

/// The words that are only called as tools.
const TOOLS: [&str; 2] = [CANCEL, "tools/call"];

/// Whether `method` is of this vocabulary.
pub(super) fn is_method(method: &str) -> bool {
    METHODS.contains(&method)
}

/// Whether `name` is a word of this vocabulary, and so no tool's name. The tools for hosts that know
/// no tasks are such words too.
pub(super) fn is_word(name: &str) -> bool {
    is_method(name) || TOOLS.contains(&name) || task_tools::is_one(name)
}

/// An answer in this vocabulary.
enum Said {
    /// An object, and the short form of it for whoever reads texts.
    Object {
        /// It.
        object: Value,
        /// The short form.
        text: String,
        /// Whether it tells of a failure.
        is_error: bool,
    },
    /// What a tool returned.
    Result(Value),
}

impl Said {
    fn object(object: Value, text: impl Into<String>) -> Self {
        Self::Object {
            object,
            text: text.into(),
            is_error: false,
        }
    }

    /// As the result of a method.
    fn into_method(self) -> Value {
        match self {
            // Whoever asked for a result gets one, also where it tells of a failure.
            said @ Self::Object { is_error: true, .. } => said.into_tool(),
            Self::Object { object, .. } => object,
            Self::Result(result) => result,
        }
    }

    /// As the result of a tool.
    fn into_tool(self) -> Value {
        match self {
            Self::Object {
                object,
                text,
                is_error,
            } => {
                let mut result = content::words(&text, is_error);
                put(&mut result, "structuredContent", object);
                result
            }
            // What is no result of a tool, but of another method that was made a task.
            Self::Result(result) if !result.get("content").is_some_and(Value::is_array) => {
                let text = result.to_string();
                Self::object(result, text).into_tool()
            }
            Self::Result(result) => result,
        }
    }
}

impl Server {
    /// Whether a call of `name` is one of a word of this vocabulary.
    pub(super) fn is_word(&self, name: &str) -> bool {
        is_word(name) && (self.0.settings.task_tools || !task_tools::is_one(name))
    }

    /// Answers a method of this vocabulary.
    pub(super) async fn plain_method(
        &self,
        context: &Context,
        envelope: Option<&Envelope>,
        (method, body): (&str, Value),
    ) -> Result<Value, Error> {
        Ok(self
            .plain(context, envelope, method, body)
            .await?
            .into_method())
    }

    /// Answers a call of a word of this vocabulary.
    pub(super) async fn plain_call(
        &self,
        context: &Context,
        envelope: Option<&Envelope>,
        params: Params,
    ) -> Result<Value, Error> {
        let body = Value::Object(params.arguments.unwrap_or_default());
        if task_tools::is_one(&params.name) {
            let (word, body) = task_tools::as_plain(&params.name, body)?;
            return Ok(self.plain(context, envelope, word, body).await?.into_tool());
        }
        if params.name != "tools/call" {
            let said = self.plain(context, envelope, &params.name, body).await?;
            return Ok(said.into_tool());
        }
        let inner: Inner = super::error::params(body)?;
        if is_word(&inner.name) {
            let message = "params.arguments.name: a tool is called here, no word of the protocol";
            return Err(Error::invalid_params(message));
        }
        let body = json!({"name": inner.name, "arguments": inner.arguments, "_meta": params.meta});
        match envelope {
            Some(envelope) => Box::pin(self.modern_call(context, envelope, body)).await,
            None => Box::pin(self.legacy_call(context, body)).await,
        }
    }

    async fn plain(
        &self,
        context: &Context,
        envelope: Option<&Envelope>,
        word: &str,
        body: Value,
    ) -> Result<Said, Error> {
        match word {
            CREATE => self.plain_create(context, envelope, params(body)?).await,
            STATUS => self.plain_status(context, params(body)?).await,
            RESULT => self.plain_result(context, params(body)?).await,
            CANCEL => self.plain_cancel(context, params(body)?).await,
            "sessions/saveCheckpoint" => self.plain_save(context, params(body)?).await,
            "sessions/restoreCheckpoint" => self.plain_restore(context, params(body)?).await,
            _ => Err(Error::no_method(word)),
        }
    }
}

/// A call within a call.
#[derive(Deserialize)]
struct Inner {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}
