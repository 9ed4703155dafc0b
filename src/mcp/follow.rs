//! Following a task for somebody who waits for its answer: progress on the way, then its end, its
//! questions, or the end of patience.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Sleep;

use super::content::put;
use super::task::{Generation, is_over};
use super::{Context, Error, Stream};
use crate::id::TaskKey;
use crate::runtime::{Progress, Runtime};
use crate::task::{Entry, Record, Status};

/// What has come.
pub(super) enum Came {
    /// The task is over.
    Ended(Arc<Record>),
    /// It asks.
    Asks(Arc<Record>),
    /// Nothing, and patience is at its end.
    Late(Arc<Record>),
    /// Whoever waited does not any more.
    Gone(Leave),
}

/// How somebody stops waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leave {
    /// The connection is gone.
    Disconnected,
    /// It was said in so many words.
    Cancelled,
}

/// Tells of progress by the token that the request named.
pub(super) struct Teller {
    token: Option<Value>,
    told: Option<f64>,
}

/// A task that somebody waits for.
pub(super) struct Follow<'a> {
    context: &'a Context,
    runtime: Runtime,
    task: TaskKey,
    news: watch::Receiver<Option<Arc<Record>>>,
    progress: watch::Receiver<Option<Progress>>,
    teller: Teller,
    generation: Generation,
    /// Records before this change are not news: the caller has made it.
    after: u64,
}

impl Teller {
    pub(super) fn new(token: Option<Value>) -> Self {
        Self { token, told: None }
    }

    /// Tells how far it is. What is told increases with every notification, as MCP has it.
    pub(super) fn tell(&mut self, stream: &Stream, progress: &Progress) {
        let Some(token) = &self.token else { return };
        if self.told.is_some_and(|told| progress.done <= told) {
            return;
        }
        self.told = Some(progress.done);
        let mut params = json!({"progressToken": token, "progress": progress.done});
        if let Some(total) = progress.total {
            put(&mut params, "total", json!(total));
        }
        if !progress.message.is_empty() {
            put(&mut params, "message", json!(progress.message));
        }
        stream.hint("notifications/progress", params);
    }
}

impl<'a> Follow<'a> {
    pub(super) async fn new(
        runtime: &Runtime,
        context: &'a Context,
        task: &TaskKey,
        (token, generation): (Option<Value>, Generation),
    ) -> Result<Self, Error> {
        let progress = runtime.watch_progress(task)?;
        let news = runtime.watch_news(task).await?;
        let mut teller = Teller::new(token);
        // The task may have reported before anybody followed it.
        if teller.token.is_some()
            && let Some(event) = runtime.progress(task).await?
            && let Some(progress) = reported(event.entry)
        {
            teller.tell(&context.stream, &progress);
        }
        Ok(Self {
            context,
            runtime: runtime.clone(),
            task: task.clone(),
            news,
            progress,
            teller,
            generation,
            after: 0,
        })
    }

    /// Takes no notice of anything that was recorded before `record`.
    pub(super) fn skip_to(&mut self, record: &Record) {
        self.after = self.after.max(record.seq);
    }

    /// Waits for what comes next.
    pub(super) async fn next(&mut self, mut patience: Pin<&mut Sleep>) -> Result<Came, Error> {
        loop {
            let newest = self.news.borrow_and_update().clone();
            let newest = newest.filter(|record| record.seq >= self.after);
            if let Some(record) = &newest {
                if is_over(record, self.generation) {
                    self.tell();
                    return Ok(Came::Ended(record.clone()));
                }
                if record.status() == Status::WaitingInput {
                    self.tell();
                    return Ok(Came::Asks(record.clone()));
                }
            }
            tokio::select! {
                changed = self.news.changed() => if changed.is_err() {
                    return self.last().await;
                },
                Ok(()) = self.progress.changed(), if self.teller.token.is_some() => self.tell(),
                () = patience.as_mut() => match newest {
                    Some(record) => return Ok(Came::Late(record)),
                    None => if self.news.changed().await.is_err() {
                        return self.last().await;
                    },
                },
                () = self.context.gone.cancelled() => return Ok(Came::Gone(Leave::Disconnected)),
                () = self.context.cancelled.cancelled() => return Ok(Came::Gone(Leave::Cancelled)),
            }
        }
    }

    /// What there is to say when nothing is told any more: the task may have ended just before.
    async fn last(&self) -> Result<Came, Error> {
        // Where even the store is closed, there is only this to say.
        if let Ok(record) = self.runtime.record(&self.task).await
            && is_over(&record, self.generation)
        {
            return Ok(Came::Ended(record));
        }
        let why = "the server is about to end; the task goes on at its next start";
        Err(Error::internal("draining", why))
    }

    /// Returns when the task does not wait for the answers to the questions of `record` any more.
    pub(super) async fn answered(&mut self, record: &Record) {
        let is_newer = |newest: &Option<Arc<Record>>| {
            newest.as_ref().is_some_and(|newest| {
                newest.seq > record.seq && newest.status() != Status::WaitingInput
            })
        };
        let _ = self.news.wait_for(is_newer).await;
    }

    fn tell(&mut self) {
        let progress = self.progress.borrow_and_update().clone();
        if let Some(progress) = progress {
            self.teller.tell(&self.context.stream, &progress);
        }
    }
}

/// The report of progress that an entry of a log is, if it is one.
pub(super) fn reported(entry: Entry) -> Option<Progress> {
    match entry {
        Entry::Progress {
            done,
            total,
            message,
        } => Some(Progress {
            done,
            total,
            message,
        }),
        _ => None,
    }
}
