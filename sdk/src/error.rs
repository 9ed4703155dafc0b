//! Why a tool ended without a result. An [`Error`] is made from any error with `?`, so
//! that a tool reads like other Rust; what sets it apart is [`Error::Stopped`], which leads
//! out of the tool when the runtime asks it to come to an end.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::contract::exports::stepwell::tool::tools as exported;
use crate::contract::stepwell::tool::types as wire;

/// What a tool and its steps return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a tool ended without a result.
///
/// Every [`std::error::Error`] becomes [`Error::Failed`] with `?`. It is no
/// `std::error::Error` itself, for that reason.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The runtime asked the tool to come to an end. A tool that has nothing to tidy up
    /// lets it pass with `?`; another catches it, tidies up and returns it.
    Stopped(Stop),
    /// The arguments are wrong; the message says which and how.
    InvalidArguments(Failure),
    /// The tool failed, and would again.
    Failed(Failure),
    /// The tool failed, and may not the next time: the runtime tries again.
    Transient(Failure),
    /// Nobody can tell whether a step that may take effect once did.
    InDoubt(Failure),
}

/// What went wrong, for a person or a model to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// One sentence.
    pub message: String,
    /// The same for a program.
    pub data: Option<Value>,
}

/// The runtime's request to come to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// How long the tool may still run, its steps to tidy up included.
    pub grace: Duration,
}

/// Why the runtime asks a tool to come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The task's owner, or an administrator, cancelled it.
    Cancelled,
    /// The task's deadline, or its time at work, is over.
    DeadlineExceeded,
    /// The task's fuel is used up, but for a reserve to tidy up with.
    OutOfFuel,
}

impl Error {
    /// The tool failed, and would again.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(Failure::new(message))
    }

    /// The tool failed, and may not the next time: the runtime tries again.
    pub fn transient(message: impl fmt::Display) -> Self {
        Self::Transient(Failure::new(message))
    }

    /// The arguments are wrong; say which and how.
    pub fn invalid_arguments(message: impl fmt::Display) -> Self {
        Self::InvalidArguments(Failure::new(message))
    }

    /// Nobody can tell whether a step that may take effect once did.
    pub fn in_doubt(message: impl fmt::Display) -> Self {
        Self::InDoubt(Failure::new(message))
    }

    /// Adds what a program can read. A stop carries none, and stays as it is.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        if let Some(failure) = self.failure_mut() {
            failure.data = Some(data);
        }
        self
    }

    /// Says before the message what was tried. A stop stays as it is.
    #[must_use]
    pub fn context(mut self, tried: impl fmt::Display) -> Self {
        if let Some(failure) = self.failure_mut() {
            failure.message = format!("{tried}: {}", failure.message);
        }
        self
    }

    /// Whether this is the runtime's request to come to an end.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }

    fn failure_mut(&mut self) -> Option<&mut Failure> {
        match self {
            Self::Stopped(_) => None,
            Self::InvalidArguments(failure)
            | Self::Failed(failure)
            | Self::Transient(failure)
            | Self::InDoubt(failure) => Some(failure),
        }
    }
}

impl Failure {
    fn new(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            data: None,
        }
    }

    fn into_wire(self) -> wire::Failure {
        wire::Failure {
            message: self.message,
            data: self.data.map(|data| data.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(stop) => write!(f, "stopped: {}", stop.reason),
            Self::InvalidArguments(failure)
            | Self::Failed(failure)
            | Self::Transient(failure)
            | Self::InDoubt(failure) => f.write_str(&failure.message),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::OutOfFuel => "out of fuel",
        })
    }
}

/// The message is the error's and those of its causes.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::failed(message)
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<wire::Stop> for Stop {
    fn from(stop: wire::Stop) -> Self {
        let reason = match stop.reason {
            wire::StopReason::Cancelled => StopReason::Cancelled,
            wire::StopReason::DeadlineExceeded => StopReason::DeadlineExceeded,
            wire::StopReason::OutOfFuel => StopReason::OutOfFuel,
        };
        Self {
            reason,
            grace: Duration::from_millis(stop.grace),
        }
    }
}

impl From<Error> for exported::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Stopped(_) => Self::Stopped,
            Error::InvalidArguments(failure) => Self::InvalidArguments(failure.into_wire()),
            Error::Failed(failure) => Self::Failed(failure.into_wire()),
            Error::Transient(failure) => Self::Transient(failure.into_wire()),
            Error::InDoubt(failure) => Self::InDoubt(failure.into_wire()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_turns_any_error_into_a_failure() {
        fn parse(text: &str) -> Result<u32> {
            Ok(text.parse::<u32>()?)
        }
        assert_eq!(parse("7"), Ok(7));
        let error = parse("x").unwrap_err().context("the port");
        assert_eq!(error.to_string(), "the port: invalid digit found in string");
        assert!(matches!(error, Error::Failed(_)));
    }

    #[test]
    fn a_stop_becomes_the_contracts_word_for_it() {
        let stop = Stop {
            reason: StopReason::Cancelled,
            grace: Duration::from_secs(1),
        };
        let error = Error::from(stop).context("ignored").with_data(Value::Null);
        assert!(error.is_stopped());
        assert!(matches!(
            exported::Error::from(error),
            exported::Error::Stopped
        ));
    }
}
