//! What is asked for. The bodies of requests are read from JSON here, and written by the client.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use crate::id::{CheckpointId, TaskId};
use crate::identity::Act;
use crate::limit::{Limits, Name};
use crate::runtime;
use crate::store::Cursor;
use crate::task::{Mode, Status};

/// Something that can be asked of tasks.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Which there are.
    List(List),
    /// What one is, with what it was called with and what it returned.
    Task(TaskId),
    /// What happened to it after this number, and at most so much.
    Events(TaskId, u64, usize),
    /// What came of it.
    Result(TaskId),
    /// To cancel it.
    Cancel(TaskId, Cancel),
    /// To pause it.
    Pause(TaskId),
    /// To go on with it.
    Resume(TaskId),
    /// To take an answer.
    Answer(TaskId, Answer),
    /// The checkpoints that are kept of it.
    Checkpoints(TaskId),
    /// To save a checkpoint.
    Save(TaskId, Save),
    /// A checkpoint with its state.
    Export(TaskId, CheckpointId),
    /// To go back to a checkpoint.
    Restore(TaskId, Restore),
    /// To let another task go on from it.
    Fork(TaskId, Fork),
}

/// Which tasks are listed.
#[derive(Clone, Debug)]
pub struct List {
    /// Those in one of these states; all, where there is none.
    pub status: Vec<Status>,
    /// Those of this tool.
    pub tool: Option<String>,
    /// Those of this owner, as tasks name theirs.
    pub owner: Option<String>,
    /// Those after this place.
    pub cursor: Option<Cursor>,
    /// How many at most.
    pub limit: usize,
}

/// How a task is to be cancelled.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cancel {
    /// Whether the tool is asked; it is, where nothing is said.
    pub mode: Option<Mode>,
    /// How many milliseconds it may tidy up.
    pub grace: Option<u64>,
    /// Why.
    pub why: Option<String>,
}

/// An answer to a question: one of the three.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The question's key.
    pub question: String,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Value>,
    /// The owner refuses.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decline: bool,
    /// The owner dismissed it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancel: bool,
}

/// A client's checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Save {
    /// Its state.
    pub state: Value,
}

/// Where to go back to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The checkpoint.
    pub checkpoint: String,
}

/// How another task is to go on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fork {
    /// From this checkpoint; where nothing is said, from where the task stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// With these limits; the others are those of the task.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<Name, u64>,
}

impl Ask {
    /// The task that it is about. A list is about none, and is not asked this.
    pub(super) fn task(&self) -> TaskId {
        match self {
            Self::List(_) => TaskId::from_bytes([0; 16]),
            Self::Task(task)
            | Self::Events(task, ..)
            | Self::Result(task)
            | Self::Cancel(task, _)
            | Self::Pause(task)
            | Self::Resume(task)
            | Self::Answer(task, _)
            | Self::Checkpoints(task)
            | Self::Save(task, _)
            | Self::Export(task, _)
            | Self::Restore(task, _)
            | Self::Fork(task, _) => *task,
        }
    }

    /// What it does to the task.
    pub fn act(&self) -> Act {
        match self {
            Self::List(_)
            | Self::Task(_)
            | Self::Events(..)
            | Self::Result(_)
            | Self::Checkpoints(_)
            | Self::Export(..) => Act::See,
            Self::Cancel(..) => Act::Cancel,
            Self::Answer(..) => Act::Answer,
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Save(..)
            | Self::Restore(..)
            | Self::Fork(..) => Act::Change,
        }
    }
}

impl Answer {
    /// The question, and what is said to it.
    pub(super) fn read(self) -> Result<(String, runtime::Answer), Error> {
        let answer = match (self.accept, self.decline, self.cancel) {
            (Some(value), false, false) => runtime::Answer::Accept(value),
            (None, true, false) => runtime::Answer::Decline,
            (None, false, true) => runtime::Answer::Cancel,
            _ => {
                let one = "an answer is one of `accept`, `decline` and `cancel`";
                return Err(Error::Invalid(one.into()));
            }
        };
        Ok((self.question, answer))
    }
}

impl Restore {
    pub(super) fn read(&self) -> Result<CheckpointId, Error> {
        checkpoint(&self.checkpoint)
    }
}

impl Fork {
    /// Where from, and the limits on top of `usual`.
    pub(super) fn read(&self, usual: &Limits) -> Result<(Option<CheckpointId>, Limits), Error> {
        let mut limits = usual.clone();
        for (name, amount) in &self.limits {
            limits.set(*name, *amount);
        }
        if !self.limits.contains_key(&Name::Ttl) {
            limits = limits.with_room_for_deadline();
        }
        let at = self.checkpoint.as_deref().map(checkpoint).transpose()?;
        Ok((at, limits))
    }
}

fn checkpoint(text: &str) -> Result<CheckpointId, Error> {
    text.parse().map_err(|error| {
        let text = crate::text::clean_line(text, 64);
        Error::Invalid(format!("checkpoint: `{text}` is {error}"))
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_false(is: &bool) -> bool {
    !is
}
