//! The request to come to an end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Actor;
use crate::clock::Timestamp;

/// Why a tool is asked to stop: the first of them decides, whatever comes after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reason {
    /// The owner or an administrator cancelled the task.
    Cancelled,
    /// The deadline, or the time at work, is over.
    DeadlineExceeded,
    /// The fuel is used up but for its reserve.
    OutOfFuel,
}

/// How a cancelled task is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The tool is asked at its next boundary, and may tidy up within its grace.
    Graceful,
    /// The task ends now; the tool is not asked.
    Immediate,
}

/// A recorded cancel: once it is there before a terminal state, the task ends `cancelled`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancel {
    /// Who asked.
    pub by: Actor,
    /// When it was recorded.
    pub at: Timestamp,
    /// Why, in the asker's words.
    pub why: Option<Arc<str>>,
    /// How much time the asker gave to tidy up, in milliseconds.
    pub grace: u64,
    /// How it is to end.
    pub mode: Mode,
}

/// A recorded stop. A task has one; later requests only shorten its grace or add the cancel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stop {
    /// The reason that the tool is given.
    pub reason: Reason,
    /// When it was recorded.
    pub at: Timestamp,
    /// How long the tool may run after it was told, in milliseconds.
    pub grace: u64,
    /// How much of that was spent, over all attempts, when the last record was written.
    pub grace_used: u64,
    /// Whether, by whom and how the task was cancelled.
    pub cancel: Option<Cancel>,
}

impl Stop {
    /// The stop that `requests` of `reason` and `cancel` make, after `earlier`.
    #[must_use]
    pub fn after(
        earlier: Option<&Self>,
        reason: Reason,
        at: Timestamp,
        (grace, cancel): (u64, Option<Cancel>),
    ) -> Self {
        match earlier {
            None => Self {
                reason,
                at,
                grace,
                grace_used: 0,
                cancel,
            },
            Some(first) => Self {
                grace: first.grace.min(grace),
                cancel: first.cancel.clone().or(cancel),
                ..first.clone()
            },
        }
    }

    /// The grace that is left, in milliseconds.
    pub fn grace_left(&self, used: u64) -> u64 {
        self.grace.saturating_sub(used.max(self.grace_used))
    }
}
