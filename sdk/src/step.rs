//! Steps at work: what [`Task::begin`](crate::Task::begin) hands out for steps that
//! overlap, and what the closure of [`Task::step_once`](crate::Task::step_once) is told.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host::AtWork;
use crate::names::Name;
use crate::{Result, Task, journal};

/// What the closure of [`Task::step_once`](crate::Task::step_once) is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once<T> {
    /// An idempotency key for the service that the step calls. It is the same in every
    /// attempt at this step, and no other step has it.
    pub key: String,
    /// Set where the step was begun before and nobody knows how far it came.
    pub doubt: Option<Doubt<T>>,
}

/// A step was begun before, in an attempt that did not complete it or in work that the task
/// was restored from. Ask the service what became of the key, before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt<T> {
    /// What the step returned, where it was completed before the restore.
    pub earlier: Option<T>,
}

/// A step as [`Task::begin`](crate::Task::begin) found it.
#[derive(Debug)]
pub enum Begun<'t, T> {
    /// It is done, with this output.
    Done(T),
    /// It is at work: do the work, then complete it.
    AtWork(Step<'t, T>),
}

/// A step at work. Dropping it leaves it undone.
pub struct Step<'t, T> {
    task: &'t Task,
    name: Name,
    at_work: Option<Box<dyn AtWork>>,
    doubt: Option<Doubt<T>>,
}

impl<T: Serialize + DeserializeOwned> Begun<'_, T> {
    /// The output: the one that is known, or what `work` returns. Where `work` fails, the
    /// step stays undone.
    pub fn finish(self, work: impl FnOnce(&Step<'_, T>) -> Result<T>) -> Result<T> {
        match self {
            Self::Done(output) => Ok(output),
            Self::AtWork(step) => {
                let output = work(&step)?;
                step.complete(&output)
            }
        }
    }
}

impl<'t, T> Step<'t, T> {
    pub(crate) fn new(
        task: &'t Task,
        name: Name,
        at_work: Box<dyn AtWork>,
        doubt: Option<Doubt<T>>,
    ) -> Self {
        Self {
            task,
            name,
            at_work: Some(at_work),
            doubt,
        }
    }

    /// An idempotency key for the service that the step calls, the same in every attempt.
    pub fn key(&self) -> String {
        self.at_work
            .as_ref()
            .map(|step| step.key())
            .unwrap_or_default()
    }

    /// Set where the step was begun before and nobody knows how far it came.
    pub fn doubt(&self) -> Option<&Doubt<T>> {
        self.doubt.as_ref()
    }

    /// Leaves the step undone; so does dropping it. It may be begun again.
    pub fn abandon(self) {}

    pub(crate) fn set_doubt(&mut self, doubt: Doubt<T>) {
        self.doubt = Some(doubt);
    }

    pub(crate) fn take_doubt(&mut self) -> Option<Doubt<T>> {
        self.doubt.take()
    }
}

impl<T: Serialize + DeserializeOwned> Step<'_, T> {
    /// Journals the output: when this returns, it is on disk. Returns it as a later attempt
    /// will read it. An output that could not be read back fails here and now, and leaves
    /// the step undone.
    pub fn complete(mut self, output: &T) -> Result<T> {
        let unreadable = |error: crate::Error| {
            error.context(format!(
                "the output of step `{}` cannot be journalled",
                self.name
            ))
        };
        let bytes = journal::encode(output).map_err(unreadable)?;
        let output = journal::decode(&bytes).map_err(unreadable)?;
        if let Some(step) = self.at_work.take() {
            step.complete(&bytes);
            self.task.names().used(&self.name);
        }
        Ok(output)
    }
}

impl<T> Drop for Step<'_, T> {
    fn drop(&mut self) {
        if let Some(step) = self.at_work.take() {
            drop(step);
            self.task.names().abandoned(&self.name);
        }
    }
}

impl<T> std::fmt::Debug for Step<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("name", &self.name.to_string())
            .finish_non_exhaustive()
    }
}
