//! How a task ends.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limit;

/// What kind of failure it was: a stable word, the same in results, logs, metrics and documents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// All instructions were used.
    OutOfFuel,
    /// The tool could not go on without more memory than its limit.
    OutOfMemory,
    /// The deadline passed, or the time at work was used.
    DeadlineExceeded,
    /// Another limit, by its name.
    LimitExceeded(limit::Name),
    /// The tool trapped: a bug in it, or recursion without end.
    Trap,
    /// The tool broke the contract.
    Misuse,
    /// A journalled step was given another input: the tool is not the one that began the task.
    StepChanged,
    /// The tool says that it failed.
    ToolError,
    /// The tool says that its arguments are wrong.
    InvalidArguments,
    /// The tool asked for what it was not granted.
    Denied,
    /// Nobody can tell whether a `once` step took effect.
    InDoubt,
    /// The host could not go on.
    Host,
}

impl Kind {
    /// The word, without the limit's name.
    pub fn code(self) -> &'static str {
        match self {
            Self::OutOfFuel => "out-of-fuel",
            Self::OutOfMemory => "out-of-memory",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Trap => "trap",
            Self::Misuse => "misuse",
            Self::StepChanged => "step-changed",
            Self::ToolError => "tool-error",
            Self::InvalidArguments => "invalid-arguments",
            Self::Denied => "denied",
            Self::InDoubt => "in-doubt",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LimitExceeded(name) => write!(f, "limit-exceeded({name})"),
            _ => f.write_str(self.code()),
        }
    }
}

/// A failure: its kind, and a message that names the limit, what was used, or the tool's words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What kind it was.
    pub kind: Kind,
    /// What happened, for people: bounded, and free of control characters.
    pub message: Arc<str>,
    /// What the tool says beside its message: a JSON text.
    pub data: Option<Arc<str>>,
}

impl Failure {
    /// A failure of `kind`.
    pub fn new(kind: Kind, message: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            data: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// How a task with a recorded stop came to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum How {
    /// The tool was told, and ended by itself.
    Clean,
    /// The tool failed, or hit a limit.
    Failed {
        /// In which way.
        failure: Failure,
        /// Whether it had been told to stop.
        told: bool,
    },
    /// Grace was over.
    Forced {
        /// The step that was at work.
        step: Option<Arc<str>>,
    },
    /// By request, without asking the tool.
    Immediate,
    /// It never ran, or had done nothing that lasts when it was stopped in a wait or a pause.
    NotStarted,
    /// The tool returned a result without having been told. The result is kept.
    Finished,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Failed { failure, .. } => write!(f, "failed({})", failure.kind),
            Self::Forced { .. } => f.write_str("forced"),
            Self::Immediate => f.write_str("immediate"),
            Self::NotStarted => f.write_str("not-started"),
            Self::Finished => f.write_str("finished"),
        }
    }
}

/// The end of a task. It never changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// The tool returned a result.
    Completed,
    /// The task failed.
    Failed {
        /// Why.
        failure: Failure,
        /// How it came to its end, where it was asked to stop.
        how: Option<How>,
    },
    /// The task was cancelled.
    Cancelled {
        /// How it came to its end.
        how: How,
    },
}

/// How an attempt ended, as the sandbox saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The tool returned a result, which is kept apart as the task's output.
    Returned,
    /// The tool returned an error.
    Error(ToolError),
    /// The attempt was ended for a reason: a limit, a trap, misuse.
    Failed(Failure),
    /// The grace was over, and the tool was cut off.
    Forced {
        /// The step that was at work.
        step: Option<Arc<str>>,
    },
}

/// An error that a tool returns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ToolError {
    /// It would fail again, or says what is wrong: its kind says which.
    Final(Failure),
    /// It may not fail the next time.
    Transient(Failure),
    /// It came to an end because it was asked to.
    Stopped,
}

impl ToolError {
    /// The failure that it is where nobody tries again or had asked to stop.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Final(failure) => failure,
            Self::Transient(failure) => Failure {
                kind: Kind::ToolError,
                ..failure
            },
            Self::Stopped => Failure::new(
                Kind::Misuse,
                "returned `stopped` without having been asked to",
            ),
        }
    }
}
