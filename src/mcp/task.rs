//! What a task looks like from outside, in both generations.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::carried::Carried;
use super::content::put;
use super::outcome::{self, Outcome};
use super::{Error, Server, question};
use crate::access;
use crate::clock::millis;
use crate::id::TaskId;
use crate::identity::{Act, Caller};
use crate::runtime::{self, Cancellation};
use crate::store::Event;
use crate::task::{self, Entry, Kind, Record, State, Status};

/// Of which generation of tasks an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Generation {
    /// 2025-11-25.
    One,
    /// The extension `io.modelcontextprotocol/tasks`.
    Two,
}

/// The word for where a task is.
pub(super) fn status(record: &Record, generation: Generation) -> &'static str {
    let is_stopping = !record.state.is_terminal()
        && record
            .state
            .stop()
            .is_some_and(|stop| stop.cancel.is_some());
    if generation == Generation::One && is_stopping {
        return "cancelled";
    }
    match (record.status(), &record.state) {
        (Status::Queued | Status::Running | Status::WaitingTimer | Status::Paused, _) => "working",
        (Status::WaitingInput, _) => "input_required",
        (Status::Completed, _) => "completed",
        (Status::Cancelled, _) => "cancelled",
        (
            Status::Failed,
            State::Finished {
                outcome: task::Outcome::Failed { failure, .. },
                ..
            },
        ) if generation == Generation::Two
            && matches!(
                failure.kind,
                Kind::ToolError | Kind::InvalidArguments | Kind::InDoubt
            ) =>
        {
            "completed"
        }
        (Status::Failed, _) => "failed",
    }
}

impl Server {
    /// The task that a client names, if it may do `act` to it.
    pub(super) async fn find(
        &self,
        caller: &Caller,
        id: Carried,
        act: Act,
    ) -> Result<Arc<Record>, Error> {
        let id = id.id("taskId")?;
        let record = self.look(caller, &id, act).await?;
        record.ok_or_else(|| Error::unknown_task(&id))
    }

    /// The task of this id, or of this name that the caller has chosen.
    pub(super) async fn look(
        &self,
        caller: &Caller,
        id: &str,
        act: Act,
    ) -> Result<Option<Arc<Record>>, Error> {
        let access = &self.0.access;
        let task = match id.parse::<TaskId>() {
            Ok(id) => Some(id),
            Err(_) => {
                let named = access.runtime().named(&caller.principal, id).await;
                // What can't be a name is none.
                named.ok().flatten().map(|task| task.id)
            }
        };
        let Some(task) = task else { return Ok(None) };
        match access.task(caller, task, act).await {
            Ok(record) => Ok(Some(record)),
            Err(access::Error::Runtime(runtime::Error::Unknown(_))) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Cancels a task by its boundaries. One that has ended already stays as it is.
    pub(super) async fn cancel(
        &self,
        caller: &Caller,
        record: &Record,
        why: Option<&str>,
    ) -> Result<Arc<Record>, Error> {
        let (key, runtime) = (record.key(), self.0.access.runtime());
        let cancellation = Cancellation {
            why: why.map(str::to_owned),
            ..Cancellation::graceful(caller.principal.clone())
        };
        match runtime.cancel(&key, cancellation).await {
            Err(runtime::Error::Illegal(_)) => Ok(runtime.record(&key).await?),
            cancelled => Ok(cancelled?),
        }
    }

    /// A task as the older generation has it.
    pub(super) async fn view_one(&self, record: &Record) -> Result<Value, Error> {
        let mut task = self.view(record, Generation::One).await?;
        put(&mut task, "ttl", json!(record.spec.limits.ttl));
        put(&mut task, "pollInterval", json!(self.poll_interval(record)));
        Ok(task)
    }

    /// A task as the newer generation has it, without what came of it.
    pub(super) async fn view_two(&self, record: &Record) -> Result<Value, Error> {
        let mut task = self.view(record, Generation::Two).await?;
        put(&mut task, "ttlMs", json!(record.spec.limits.ttl));
        put(
            &mut task,
            "pollIntervalMs",
            json!(self.poll_interval(record)),
        );
        Ok(task)
    }

    /// A task as the newer generation has it, with its result, its error or its questions.
    pub(super) async fn details(&self, record: &Record) -> Result<Value, Error> {
        let mut task = self.view_two(record).await?;
        if record.state.is_terminal() {
            match Outcome::of(self.0.access.runtime(), record).await? {
                Outcome::Result { mut result, .. } => {
                    // The official client reads it as a result of its own.
                    put(&mut result, "resultType", json!("complete"));
                    put(&mut task, "result", result);
                }
                Outcome::Error(error) => put(&mut task, "error", error.to_json()),
                Outcome::Cancelled(_) => {}
            }
        } else if record.status() == Status::WaitingInput {
            put(&mut task, "inputRequests", question::requests(record));
        }
        Ok(task)
    }

    async fn view(&self, record: &Record, generation: Generation) -> Result<Value, Error> {
        let progress = match record.state.is_terminal() {
            true => None,
            false => self.0.access.runtime().progress(&record.key()).await?,
        };
        let moved = progress.as_ref().map(|event| event.at);
        let updated = moved.map_or(record.updated, |at| at.max(record.updated));
        let mut task = json!({
            "taskId": record.id,
            "status": status(record, generation),
            "createdAt": record.spec.created.to_string(),
            "lastUpdatedAt": updated.to_string(),
        });
        if let Some(message) = message(record, progress.as_ref()) {
            put(&mut task, "statusMessage", json!(message));
        }
        Ok(task)
    }

    /// How long a client should wait before it looks again: a tenth of the time that the task has
    /// taken so far, or of what is left of what it is expected to take, within the bounds.
    pub(super) fn poll_interval(&self, record: &Record) -> u64 {
        let settings = &self.0.settings;
        let now = self.0.access.runtime().clock().now();
        let elapsed = now.since(record.spec.created);
        let catalogue = self.0.offers.now();
        let offer = catalogue.of(record.spec.component, &record.spec.tool);
        let expected = offer.and_then(|offer| offer.expected_duration);
        let left = expected.map(|expected| expected.saturating_sub(elapsed));
        let pace = left.filter(|left| !left.is_zero()).unwrap_or(elapsed) / 10;
        let (min, max) = (settings.poll_interval_min, settings.poll_interval_max);
        millis(pace.clamp(min, max.max(min))).max(1)
    }

    /// How long a record is kept for a client that wants it kept for `wanted` milliseconds: at
    /// least until its task has ended by itself and could be read.
    pub(super) fn ttl(&self, limits: &crate::limit::Limits, wanted: u64) -> u64 {
        let least = limits
            .deadline
            .saturating_add(millis(crate::limit::TTL_MARGIN));
        wanted.clamp(least, millis(self.0.settings.ttl_max).max(least))
    }
}

/// What is said of a task in words.
pub(super) fn message(record: &Record, progress: Option<&Event>) -> Option<String> {
    if let Some(why) = outcome::in_words(record) {
        return Some(why);
    }
    match record.status() {
        Status::Completed | Status::Failed | Status::Cancelled => None,
        Status::Queued if record.attempt == 0 => Some("waits for its turn".into()),
        Status::Paused => Some("paused".into()),
        Status::WaitingInput => {
            let questions = question::open(record).iter();
            let messages: Vec<_> = questions.map(|question| &*question.message).collect();
            Some(messages.join(" "))
        }
        Status::Queued | Status::Running | Status::WaitingTimer => {
            progress.and_then(|event| match &event.entry {
                Entry::Progress {
                    done,
                    total,
                    message,
                } => Some(progress_words(*done, *total, message)),
                _ => None,
            })
        }
    }
}

/// How far a task is, in words.
pub(super) fn progress_words(done: f64, total: Option<f64>, message: &str) -> String {
    let far = match total {
        Some(total) => format!("{done} of {total}"),
        None => done.to_string(),
    };
    match message {
        "" => far,
        message => format!("{message} ({far})"),
    }
}

/// Whether a task is over for whoever waits for it.
pub(super) fn is_over(record: &Record, generation: Generation) -> bool {
    record.state.is_terminal() || status(record, generation) == "cancelled"
}

/// Nobody waits longer than this for anything that has no end of its own.
pub(super) const FOREVER: Duration = Duration::from_secs(365 * 24 * 3_600);
