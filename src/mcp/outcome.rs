//! How a task's end is told: as a result, or as an error of the protocol.

use serde_json::{Value, json};

use super::{Error, content};
use crate::runtime::Runtime;
use crate::task::{self, Failure, How, Kind, Record, State};

/// What a call has come to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A result: what the tool returned, or its own words on why it failed.
    Result {
        /// As MCP has it.
        result: Value,
        /// Whether it says that the tool failed.
        is_error: bool,
    },
    /// It failed in a way that is not the tool's to tell.
    Error(Error),
    /// It was cancelled.
    Cancelled(Error),
}

impl Outcome {
    /// The end of a task that has ended.
    pub(super) async fn of(runtime: &Runtime, record: &Record) -> Result<Self, Error> {
        let State::Finished { outcome, .. } = &record.state else {
            return Ok(Self::Cancelled(cancelled("pending")));
        };
        Ok(match outcome {
            // The answer of the host to a request that was made a task, as it was given.
            task::Outcome::Completed if record.spec.is_of_host() => {
                let answer = runtime
                    .output_bytes(&record.key())
                    .await?
                    .unwrap_or_default();
                Self::Result {
                    result: serde_json::from_slice(&answer).unwrap_or_default(),
                    is_error: false,
                }
            }
            task::Outcome::Completed => {
                let output = runtime.output(&record.key()).await?.unwrap_or_default();
                Self::Result {
                    result: content::of_task(content::result(output), record),
                    is_error: false,
                }
            }
            task::Outcome::Failed { failure, how } => match Self::failed(failure, how.as_ref()) {
                Self::Result { result, is_error } => Self::Result {
                    result: content::of_task(result, record),
                    is_error,
                },
                other => other,
            },
            task::Outcome::Cancelled { how } => Self::Cancelled(cancelled(&how.to_string())),
        })
    }

    /// A failure, of a task or of a call of which nothing is kept. The tool's own words are a
    /// result, so that a model reads them; everything else is an error of the protocol.
    pub(super) fn failed(failure: &Failure, how: Option<&How>) -> Self {
        match failure.kind {
            Kind::ToolError | Kind::InvalidArguments | Kind::InDoubt => Self::Result {
                result: content::failed(failure),
                is_error: true,
            },
            Kind::OutOfFuel
            | Kind::OutOfMemory
            | Kind::DeadlineExceeded
            | Kind::LimitExceeded(_)
            | Kind::Trap
            | Kind::Misuse
            | Kind::StepChanged
            | Kind::Denied
            | Kind::Host => {
                let mut data = content::about(failure);
                if let Some(how) = how {
                    content::put(&mut data, "how", json!(how.to_string()));
                }
                let error = Error::new(super::error::Kind::Internal, failure.to_string());
                Self::Error(error.with(data))
            }
        }
    }

    /// What answers the call itself.
    pub(super) fn into_answer(self) -> Result<Value, Error> {
        match self {
            Self::Result { result, .. } => Ok(result),
            Self::Error(error) | Self::Cancelled(error) => Err(error),
        }
    }
}

fn cancelled(how: &str) -> Error {
    let error = Error::internal("cancelled", format!("the task was cancelled: {how}"));
    error.with(json!({"kind": "cancelled", "how": how}))
}

/// What an ended task is called in words: why it failed, or how it was cancelled.
pub(super) fn in_words(record: &Record) -> Option<String> {
    match &record.state {
        State::Finished { outcome, .. } => match outcome {
            task::Outcome::Completed => None,
            task::Outcome::Failed { failure, .. } if failure.kind == Kind::ToolError => {
                Some(failure.message.to_string())
            }
            task::Outcome::Failed { failure, .. } => Some(failure.to_string()),
            task::Outcome::Cancelled { how } => Some(format!("cancelled: {how}")),
        },
        _ => None,
    }
}
