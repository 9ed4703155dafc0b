//! `tasks/getStatus`, `tasks/getResult` and `tasks/cancel`.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::super::carried::Carried;
use super::super::content::{self, put};
use super::super::follow::Came;
use super::super::outcome::Outcome;
use super::super::task::Generation;
use super::super::{Context, Error, Server, question};
use super::Said;
use crate::identity::Act;
use crate::task::{Entry, Record, State, Status, Wait};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    task_id: Carried,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Awaited {
    task_id: Carried,
    /// How long to wait for the end, in milliseconds.
    #[serde(default)]
    wait_ms: u64,
}

impl Server {
    pub(super) async fn plain_status(
        &self,
        context: &Context,
        named: Named,
    ) -> Result<Said, Error> {
        let record = self.find(&context.caller, named.task_id, Act::See).await?;
        let word = word(&record);
        let mut object = json!({
            "taskId": record.id,
            "status": word,
            "progress": 0,
            "createdAt": record.spec.created.to_string(),
            "lastUpdatedAt": record.updated.to_string(),
        });
        let progress = self.0.access.runtime().progress(&record.key()).await?;
        if let Some(Entry::Progress { done, total, .. }) =
            progress.as_ref().map(|event| &event.entry)
        {
            put(&mut object, "progress", json!(done));
            if let Some(total) = total {
                put(&mut object, "total", json!(total));
            }
        }
        if let Some(message) = super::super::task::message(&record, progress.as_ref()) {
            put(&mut object, "message", json!(message));
        }
        match &record.state {
            State::Waiting(Wait::Input { .. }) => {
                put(&mut object, "waitingFor", question::requests(&record));
            }
            State::Waiting(Wait::Timer { until, .. }) => {
                put(
                    &mut object,
                    "waitingFor",
                    json!({"until": until.to_string()}),
                );
            }
            _ => {}
        }
        if is_cancelling(&record) {
            put(&mut object, "cancelRequested", json!(true));
        }
        Ok(Said::object(object, word))
    }

    pub(super) async fn plain_result(
        &self,
        context: &Context,
        awaited: Awaited,
    ) -> Result<Said, Error> {
        let record = self
            .find(&context.caller, awaited.task_id, Act::See)
            .await?;
        let record = self.wait_for_end(context, record, awaited.wait_ms).await?;
        let word = word(&record);
        if !record.state.is_terminal() {
            let object = json!({"taskId": record.id, "status": word, "ready": false});
            return Ok(Said::object(object, format!("{word}: not ready yet")));
        }
        let mut object = json!({"taskId": record.id, "status": word});
        if let State::Finished { outcome, .. } = &record.state {
            let (failure, how) = match outcome {
                crate::task::Outcome::Completed => (None, None),
                crate::task::Outcome::Failed { failure, how } => (Some(failure), how.as_ref()),
                crate::task::Outcome::Cancelled { how } => (None, Some(how)),
            };
            if let Some(failure) = failure {
                put(&mut object, "kind", json!(failure.kind.code()));
                put(&mut object, "failure", content::about(failure));
            }
            if let Some(how) = how {
                put(&mut object, "how", json!(how.to_string()));
            }
        }
        let text = match self.outcome(&record).await? {
            Outcome::Result {
                result,
                is_error: false,
            } => return Ok(Said::Result(result)),
            Outcome::Result { .. } => super::super::outcome::in_words(&record).unwrap_or_default(),
            Outcome::Error(error) | Outcome::Cancelled(error) => error.message,
        };
        Ok(Said::Object {
            object,
            text,
            is_error: true,
        })
    }

    /// The task at its end, or as it is after `millis`, but never after the client's patience.
    async fn wait_for_end(
        &self,
        context: &Context,
        record: Arc<Record>,
        millis: u64,
    ) -> Result<Arc<Record>, Error> {
        if millis == 0 || record.state.is_terminal() {
            return Ok(record);
        }
        let patience = Duration::from_millis(millis).min(self.0.settings.patience);
        let mut patience = std::pin::pin!(sleep(patience));
        let about = (None, Generation::Two);
        let mut follow = self.follow(context, &record, about).await?;
        loop {
            match follow.next(patience.as_mut()).await? {
                Came::Ended(record) | Came::Late(record) => return Ok(record),
                Came::Gone(_) => return Ok(record),
                Came::Asks(asks) => tokio::select! {
                    () = follow.answered(&asks) => {}
                    () = patience.as_mut() => return Ok(asks),
                },
            }
        }
    }

    /// Cancels a task. One that has ended is answered in the same shape: whoever cancels blindly
    /// goes on.
    pub(super) async fn plain_cancel(
        &self,
        context: &Context,
        named: Named,
    ) -> Result<Said, Error> {
        let record = self
            .find(&context.caller, named.task_id, Act::Cancel)
            .await?;
        let record = self.cancel(&context.caller, &record, None).await?;
        let word = word(&record);
        let is_cancelled = record.status() == Status::Cancelled || is_cancelling(&record);
        let object = json!({"taskId": record.id, "status": word, "cancelled": is_cancelled});
        Ok(Said::object(object, word))
    }
}

/// The word for where a task is.
pub(super) fn word(record: &Record) -> &'static str {
    match record.status() {
        // One that has begun, or is to tidy up, does not go back.
        Status::Queued if record.attempt == 0 && record.state.stop().is_none() => "pending",
        Status::Queued
        | Status::Running
        | Status::WaitingTimer
        | Status::WaitingInput
        | Status::Paused => "running",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}

fn is_cancelling(record: &Record) -> bool {
    let stop = record.state.stop();
    !record.state.is_terminal() && stop.is_some_and(|stop| stop.cancel.is_some())
}
