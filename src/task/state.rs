//! The states of a task: each variant owns only what is legal in it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Outcome, Stop};
use crate::clock::Timestamp;

/// Where a task is in its life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    /// Waits for its turn to run.
    Queued {
        /// Not before this instant: a retry backs off.
        not_before: Option<Timestamp>,
        /// It is to run once more, to tidy up.
        stop: Option<Stop>,
    },
    /// An attempt is loaded.
    Running {
        /// It is to come to its end.
        stop: Option<Stop>,
    },
    /// Unloaded until time or answers have come. A stop queues it, so none is recorded here.
    Waiting(Wait),
    /// Unloaded until it is resumed. A stop queues it, so none is recorded here.
    Paused {
        /// What it waited for when it was paused: that goes on when it is resumed.
        wait: Option<Wait>,
    },
    /// At its end.
    Finished {
        /// Which.
        outcome: Outcome,
        /// The stop that led there.
        stop: Option<Stop>,
        /// When.
        at: Timestamp,
        /// `once` steps that may or may not have taken effect, and that the tool never asked for.
        doubts: Arc<[Arc<str>]>,
    },
}

/// What an unloaded task waits for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Wait {
    /// An instant.
    Timer {
        /// The sleep's name.
        name: Arc<str>,
        /// When it is over.
        until: Timestamp,
    },
    /// Answers to all of these.
    Input {
        /// Those that have no answer yet.
        questions: Vec<Question>,
    },
}

/// A question to the task's owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Its name in the current stretch.
    pub name: Arc<str>,
    /// Its name outside, unique for the task's life: from the second stretch on `name@stretch`,
    /// after the n-th restore with `!n`.
    pub key: Arc<str>,
    /// What is asked.
    pub message: Arc<str>,
    /// A JSON Schema of a flat object.
    pub schema: Arc<str>,
}

/// The word for a state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// [`State::Queued`].
    Queued,
    /// [`State::Running`].
    Running,
    /// [`State::Waiting`] for an instant.
    WaitingTimer,
    /// [`State::Waiting`] for answers.
    WaitingInput,
    /// [`State::Paused`].
    Paused,
    /// [`Outcome::Completed`].
    Completed,
    /// [`Outcome::Failed`].
    Failed,
    /// [`Outcome::Cancelled`].
    Cancelled,
}

impl Status {
    /// Every word, in the order of a task's life.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::WaitingTimer,
        Self::WaitingInput,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word as it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::WaitingTimer => "waiting(timer)",
            Self::WaitingInput => "waiting(input)",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the task is at its end.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl State {
    /// The word for it.
    pub fn status(&self) -> Status {
        match self {
            Self::Queued { .. } => Status::Queued,
            Self::Running { .. } => Status::Running,
            Self::Waiting(Wait::Timer { .. }) => Status::WaitingTimer,
            Self::Waiting(Wait::Input { .. }) => Status::WaitingInput,
            Self::Paused { .. } => Status::Paused,
            Self::Finished {
                outcome: Outcome::Completed,
                ..
            } => Status::Completed,
            Self::Finished {
                outcome: Outcome::Failed { .. },
                ..
            } => Status::Failed,
            Self::Finished {
                outcome: Outcome::Cancelled { .. },
                ..
            } => Status::Cancelled,
        }
    }

    /// Whether the task is at its end.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Finished { .. })
    }

    /// The stop that is recorded, pending or carried out.
    pub fn stop(&self) -> Option<&Stop> {
        match self {
            Self::Queued { stop, .. } | Self::Running { stop } | Self::Finished { stop, .. } => {
                stop.as_ref()
            }
            Self::Waiting(_) | Self::Paused { .. } => None,
        }
    }

    /// What it waits for, now or once it is resumed.
    pub fn wait(&self) -> Option<&Wait> {
        match self {
            Self::Waiting(wait) | Self::Paused { wait: Some(wait) } => Some(wait),
            Self::Queued { .. }
            | Self::Running { .. }
            | Self::Paused { wait: None }
            | Self::Finished { .. } => None,
        }
    }
}
