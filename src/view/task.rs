//! A task.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ending::{Failure, there};
use super::event::reason;
use super::parsed;
use crate::id::TaskId;
use crate::limit::Limits;
use crate::task::{self, Mode, Policy, Record, State, Status, Usage, Wait};
use crate::tool::Output;

/// A task: what it is, how it stands, and how it ended if it did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub task: TaskId,
    /// How it stands.
    pub status: Status,
    /// The tool.
    pub tool: String,
    /// The component's digest.
    pub component: String,
    /// Whose it is.
    pub owner: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// How much of it is kept.
    pub policy: Policy,
    /// The folders that it may use.
    pub grants: Vec<String>,
    /// The newest attempt.
    pub attempt: u32,
    /// How many of the attempts were retries.
    pub retries: u32,
    /// The steps that are done.
    pub steps_done: u64,
    /// How many checkpoints are kept.
    pub checkpoints: usize,
    /// When it was accepted.
    pub created: String,
    /// When it changed last.
    pub updated: String,
    /// By when it is to have ended.
    pub deadline: String,
    /// Until when it is kept.
    pub expires: String,
    /// What it may use.
    pub limits: Limits,
    /// What it used.
    pub usage: Usage,
    /// The steps of its clean-up.
    pub clean_up: Vec<String>,
    /// Why it was asked to stop.
    pub stop: Option<Stop>,
    /// The task that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<Parent>,
    /// What it sleeps for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Sleep>,
    /// What it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions: Option<Vec<Question>>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The steps that may or may not have taken effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubts: Option<Vec<String>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How it came to its end after it was asked to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// How it failed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how_failure: Option<Failure>,
    /// Whether it had been told then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<bool>,
    /// The step in which it was cut off; `null` where it was in none.
    #[serde(
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    pub forced_step: Option<Option<String>>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Output>,
    /// What it was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
}

/// Why a task was asked to stop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stop {
    /// The first reason.
    pub reason: String,
    /// When.
    pub at: String,
    /// How long it may tidy up.
    pub grace: u64,
    /// How much of that is spent.
    pub grace_used: u64,
    /// Who cancelled it, if somebody did.
    pub cancel: Option<Cancel>,
}

/// Who cancelled a task, and how.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancel {
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
    /// Why.
    pub why: Option<String>,
    /// How long it may tidy up.
    pub grace: u64,
    /// Whether the tool is asked.
    pub mode: Mode,
}

/// The task that another goes on from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parent {
    /// Which.
    pub task: TaskId,
    /// At which checkpoint; nothing where it stood.
    pub checkpoint: Option<String>,
}

/// A sleep.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sleep {
    /// Its name.
    pub sleep: String,
    /// Its end.
    pub until: String,
}

/// A question without an answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Its key: what an answer names.
    pub question: String,
    /// Its name in the tool.
    pub name: String,
    /// What is asked.
    pub message: String,
    /// What an answer has to look like.
    pub schema: Value,
}

impl Task {
    /// A task, with what it returned.
    pub fn new(record: &Record, output: Option<Output>) -> Self {
        let mut task = Self::plain(record);
        match &record.state {
            State::Waiting(wait) | State::Paused { wait: Some(wait) } => task.wait(wait),
            State::Queued { not_before, .. } => {
                task.not_before = not_before.map(|at| at.to_string());
            }
            State::Finished {
                outcome,
                at,
                doubts,
                ..
            } => {
                task.ended = Some(at.to_string());
                task.doubts = Some(texts(doubts));
                task.end(outcome);
                task.result = output;
            }
            State::Running { .. } | State::Paused { wait: None } => {}
        }
        task
    }

    fn plain(record: &Record) -> Self {
        let spec = &record.spec;
        let parent = spec.forked_from.as_ref();
        Self {
            task: record.id,
            status: record.status(),
            tool: spec.tool.to_string(),
            component: spec.component.to_string(),
            owner: spec.owner.to_string(),
            key: spec.key.as_ref().map(ToString::to_string),
            policy: spec.policy,
            grants: texts(&spec.grants),
            attempt: record.attempt,
            retries: record.retries,
            steps_done: record.steps_before + record.steps,
            checkpoints: record.marks.len(),
            created: spec.created.to_string(),
            updated: record.updated.to_string(),
            deadline: record.deadline().to_string(),
            expires: record.expires().to_string(),
            limits: spec.limits.clone(),
            usage: record.usage,
            clean_up: texts(&record.clean_up),
            stop: record.state.stop().map(Stop::from),
            forked_from: parent.map(|(task, at)| Parent {
                task: *task,
                checkpoint: at.map(|at| at.to_string()),
            }),
            waits_for: None,
            questions: None,
            not_before: None,
            ended: None,
            doubts: None,
            failure: None,
            how: None,
            how_failure: None,
            told: None,
            forced_step: None,
            result: None,
            arguments: None,
        }
    }

    fn wait(&mut self, wait: &Wait) {
        match wait {
            Wait::Timer { name, until } => {
                self.waits_for = Some(Sleep {
                    sleep: name.to_string(),
                    until: until.to_string(),
                });
            }
            Wait::Input { questions } => {
                self.questions = Some(questions.iter().map(Question::from).collect());
            }
        }
    }
}

impl From<&task::Stop> for Stop {
    fn from(stop: &task::Stop) -> Self {
        Self {
            reason: reason(stop.reason).into(),
            at: stop.at.to_string(),
            grace: stop.grace,
            grace_used: stop.grace_used,
            cancel: stop.cancel.as_ref().map(|cancel| Cancel {
                by: cancel.by.to_string(),
                at: cancel.at.to_string(),
                why: cancel.why.as_ref().map(ToString::to_string),
                grace: cancel.grace,
                mode: cancel.mode,
            }),
        }
    }
}

impl From<&task::Question> for Question {
    fn from(question: &task::Question) -> Self {
        Self {
            question: question.key.to_string(),
            name: question.name.to_string(),
            message: question.message.to_string(),
            schema: parsed(&question.schema),
        }
    }
}

fn texts(texts: &[std::sync::Arc<str>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
