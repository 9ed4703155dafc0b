//! One entry of a task's events.

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::store;
use crate::task::{self, Origin, Reason, Source, Status};

/// One entry of a task's events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number: greater than those of all events before, and never another's.
    pub number: u64,
    /// When.
    pub at: String,
    /// The attempt.
    pub attempt: u32,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened: its members stand beside the event's own.
#[expect(
    missing_docs,
    reason = "docs/api.md tells of each member; they are those of `task::Entry`"
)]
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry {
    Status {
        from: Option<Status>,
        to: Status,
    },
    OnceBegun {
        step: String,
    },
    StepDone {
        step: String,
    },
    CheckpointSaved {
        checkpoint: String,
        origin: Origin,
    },
    StopRequested {
        reason: String,
        why: Option<String>,
    },
    Retried {
        message: String,
    },
    Crashed,
    Answered {
        question: String,
    },
    Restored {
        checkpoint: String,
    },
    Forked {
        task: TaskId,
    },
    Progress {
        done: f64,
        total: Option<f64>,
        message: String,
    },
    Line {
        source: Source,
        text: String,
    },
}

impl From<&store::Event> for Event {
    fn from(event: &store::Event) -> Self {
        Self {
            number: event.number,
            at: event.at.to_string(),
            attempt: event.attempt,
            entry: (&event.entry).into(),
        }
    }
}

impl From<&task::Entry> for Entry {
    fn from(entry: &task::Entry) -> Self {
        use task::Entry as E;
        match entry {
            E::Status { from, to } => Self::Status {
                from: *from,
                to: *to,
            },
            E::OnceBegun { name } => Self::OnceBegun {
                step: name.to_string(),
            },
            E::StepDone { name } => Self::StepDone {
                step: name.to_string(),
            },
            E::CheckpointSaved { id, origin } => Self::CheckpointSaved {
                checkpoint: id.to_string(),
                origin: *origin,
            },
            E::StopRequested {
                reason: why,
                why: words,
            } => Self::StopRequested {
                reason: reason(*why).into(),
                why: words.as_ref().map(ToString::to_string),
            },
            E::Retried { message } => Self::Retried {
                message: message.to_string(),
            },
            E::Crashed => Self::Crashed,
            E::Answered { key } => Self::Answered {
                question: key.to_string(),
            },
            E::Restored { checkpoint } => Self::Restored {
                checkpoint: checkpoint.to_string(),
            },
            E::Forked { child } => Self::Forked { task: *child },
            E::Progress {
                done,
                total,
                message,
            } => Self::Progress {
                done: *done,
                total: *total,
                message: message.to_string(),
            },
            E::Line { source, text } => Self::Line {
                source: *source,
                text: text.to_string(),
            },
        }
    }
}

/// The word for a reason to stop, as the contract has it.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Cancelled => "cancelled",
        Reason::DeadlineExceeded => "deadline-exceeded",
        Reason::OutOfFuel => "out-of-fuel",
    }
}
