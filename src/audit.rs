//! The audit: who did what, when, to which task, and what was refused.
//!
//! Here are the entries, and the line of JSON that each is outside. The store's writer numbers and
//! keeps them: an entry about a task rides in the batch of the change that it speaks of, so it is
//! durable exactly when that is. This module knows no store, and never reads the clock.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{CheckpointId, Principal, TaskId, TenantId};
use crate::task::{Mode, Reason, Status};

mod line;
mod make;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The tenant that it is about; nothing where it is about the process, or nobody knows.
    pub tenant: Option<TenantId>,
    /// By whom.
    pub by: Who,
    /// What.
    pub act: Act,
}

/// Who did something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Who {
    /// The host itself: time, limits, recovery.
    Host,
    /// The tool, through a host call.
    Tool,
    /// Somebody.
    Principal(Arc<Principal>),
    /// Somebody who did not say, or could not prove, who it is: as far as is known, from where.
    Stranger(Arc<str>),
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Act {
    /// A task changed, or was asked to.
    Changed(Changed),
    /// Something was refused.
    Refused {
        /// What was asked for.
        what: Arc<str>,
        /// The code of the error that it was answered with.
        code: Arc<str>,
        /// The task that it was about.
        task: Option<TaskId>,
    },
    /// So many more refusals of the same asker were not written: there were too many at once.
    Dropped {
        /// How many.
        count: u64,
    },
    /// Something was done to the host: a key or a component was added or removed, a quarantine
    /// lifted, the configuration read again.
    Administered {
        /// What.
        act: Arc<str>,
        /// To what.
        subject: Arc<str>,
    },
}

/// A change of a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// The task.
    pub task: TaskId,
    /// Its tool.
    pub tool: Arc<str>,
    /// The word for what it was; nothing if it was accepted just now.
    pub from: Option<Status>,
    /// The word for what it is; the same, where it was only asked for something.
    pub to: Status,
    /// What was asked for, where that says more than the words.
    pub request: Option<Request>,
}

/// What was asked for of a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// To come to its end.
    Stop {
        /// Why.
        reason: Reason,
        /// How, where somebody cancels it.
        mode: Option<Mode>,
        /// In the asker's words.
        why: Option<Arc<str>>,
    },
    /// To take an answer.
    Answer {
        /// To this question.
        key: Arc<str>,
    },
    /// To keep a client's checkpoint.
    Checkpoint {
        /// Under this id.
        id: CheckpointId,
    },
    /// To go back to a checkpoint.
    Restore {
        /// To which.
        checkpoint: CheckpointId,
    },
    /// To let another task go on from it.
    Fork {
        /// That task.
        child: TaskId,
    },
}

/// An entry that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbered {
    /// Its number: greater than those of all entries before, and never given to another.
    pub number: u64,
    /// What it says.
    pub entry: Entry,
}

/// A part of the audit, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Numbered>,
    /// The number after which the next page begins.
    pub after: u64,
    /// Whether there is more to be had now.
    pub is_more: bool,
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::every_kind;
