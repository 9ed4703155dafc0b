//! What can happen to a task, and what has to be written for it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cancel, Checkpoint, Ending, Once, Origin, Reason, Row, Status, Usage, Wait};
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Principal, TaskId};

/// Who caused a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Actor {
    /// The host itself: time, limits, recovery.
    Host,
    /// The tool, through a host call.
    Tool,
    /// Somebody.
    Principal(Arc<Principal>),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Tool => f.write_str("tool"),
            Self::Principal(principal) => principal.fmt(f),
        }
    }
}

/// What leads a write of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fenced {
    /// The attempt that writes; a write of an older one than the record's is refused.
    pub attempt: u32,
    /// What the task has used.
    pub usage: Usage,
    /// The grace that was spent, in milliseconds.
    pub grace_used: u64,
    /// Whether the attempt was told to stop.
    pub told: bool,
}

/// Something that happens to a task.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// Led by this, where an attempt writes it. On a request from outside it only carries the
    /// usage of the attempt that is loaded.
    pub attempt: Option<Fenced>,
    /// Names of `once` steps in doubt that the tool never asked for, should this end the task.
    pub doubts: Vec<Arc<str>>,
    /// What.
    pub event: Event,
}

/// How a wait is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WaitOver {
    /// The instant has come.
    Due,
    /// The question known outside as `key` was answered.
    Answered {
        /// Which.
        key: Arc<str>,
        /// The answer as the contract has it, encoded by the runtime.
        answer: Arc<[u8]>,
    },
}

/// The kinds of change.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is its turn: a new attempt.
    Admitted,
    /// A `once` step is about to be worked at.
    OnceBegun(Once),
    /// Something is done: a step, or a short sleep that stayed loaded.
    Done {
        /// The row.
        row: Row,
        /// What came of it.
        output: Arc<[u8]>,
        /// The `once` record that is complete with it.
        once: Option<Once>,
    },
    /// The tool saves a checkpoint.
    Saved {
        /// Its state.
        state: Arc<[u8]>,
    },
    /// The tool waits; it is unloaded.
    Waits(Wait),
    /// The guest was taken away at a boundary: to pause, or to be queued again.
    Suspended {
        /// To pause.
        pause: bool,
    },
    /// The attempt ended with its process.
    Crashed,
    /// The attempt ended.
    Ended {
        /// How.
        ending: Ending,
        /// What the tool returned, encoded by the runtime.
        output: Option<Arc<[u8]>>,
    },
    /// The task is to come to its end.
    Stop {
        /// Why.
        reason: Reason,
        /// How much time the tool has to tidy up, in milliseconds.
        grace: u64,
        /// The cancel, if it is one.
        cancel: Option<Cancel>,
    },
    /// The task is to pause: queued and waiting tasks do at once, a running one at a boundary.
    Pause,
    /// The task is to go on.
    Resume,
    /// What it waits for has come.
    WaitOver(WaitOver),
    /// A client saves a checkpoint.
    ClientSaved {
        /// A JSON text.
        state: Arc<[u8]>,
    },
    /// The task goes back to a checkpoint.
    Restored {
        /// To which.
        checkpoint: CheckpointId,
        /// Whether a task that is paused goes on: it was paused only to be restored.
        go_on: bool,
    },
    /// A task was forked from this one.
    Forked {
        /// Its id.
        child: TaskId,
    },
}

/// What has to be written, beside the record itself, for a change to be true.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// A row of the journal.
    Row {
        /// The row.
        row: Row,
        /// Its output.
        output: Arc<[u8]>,
    },
    /// What is known of a `once` step.
    Once {
        /// The record.
        once: Once,
        /// What it returned, where it is complete.
        output: Option<Arc<[u8]>>,
    },
    /// A checkpoint.
    Checkpoint(Checkpoint),
    /// A checkpoint that is not kept any more.
    ForgetCheckpoint(CheckpointId),
    /// What the task returned.
    Output(Arc<[u8]>),
    /// An entry of the task's event log.
    Emit(Entry),
}

/// One entry of a task's event log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Entry {
    /// The task went from one state to another.
    Status {
        /// From; nothing when it was accepted.
        from: Option<Status>,
        /// To.
        to: Status,
    },
    /// A `once` step was begun.
    OnceBegun {
        /// Its name.
        name: Arc<str>,
    },
    /// A step was completed.
    StepDone {
        /// Its name.
        name: Arc<str>,
    },
    /// A checkpoint was saved.
    CheckpointSaved {
        /// Its id.
        id: CheckpointId,
        /// By whom.
        origin: Origin,
    },
    /// A stop was recorded.
    StopRequested {
        /// Why.
        reason: Reason,
        /// In the asker's words.
        why: Option<Arc<str>>,
    },
    /// An attempt failed and is retried.
    Retried {
        /// What it failed with.
        message: Arc<str>,
    },
    /// An attempt ended with its process.
    Crashed,
    /// A question was answered.
    Answered {
        /// Its name outside.
        key: Arc<str>,
    },
    /// The task went back to a checkpoint.
    Restored {
        /// To which.
        checkpoint: CheckpointId,
    },
    /// A task was forked from it.
    Forked {
        /// Its id.
        child: TaskId,
    },
    /// Progress: the greatest seen.
    Progress {
        /// How much is done.
        done: f64,
        /// Of how much.
        total: Option<f64>,
        /// In the tool's words.
        message: Arc<str>,
    },
    /// A line that the tool logged or printed.
    Line {
        /// Where it comes from.
        source: Source,
        /// The line.
        text: Arc<str>,
    },
}

/// Where a line of a task's log comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The tool's standard output.
    Stdout,
    /// The tool's standard error.
    Stderr,
    /// `log.write` at this level.
    Debug,
    /// `log.write` at this level.
    Info,
    /// `log.write` at this level.
    Warning,
    /// `log.write` at this level.
    Error,
}

/// Who caused a change, for the audit: kept apart so that an audit record can ride in the batch of
/// its transition.
impl Change {
    /// A change by the host.
    pub fn by_host(at: Timestamp, event: Event) -> Self {
        Self {
            at,
            by: Actor::Host,
            attempt: None,
            doubts: Vec::new(),
            event,
        }
    }
}
