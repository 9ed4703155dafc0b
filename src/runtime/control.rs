//! What people do to a task: cancel, pause, resume, answer.

use std::sync::Arc;
use std::time::Duration;

use super::link::PauseWish;
use super::watches::Interest;
use super::{Answer, Error, Runtime, lock};
use crate::clock::millis;
use crate::id::{Principal, TaskKey};
use crate::task::{
    Actor, Cancel, Change, Event, Illegal, Mode, Reason, Record, State, Status, Wait, WaitOver,
};

/// How a task is to be cancelled.
#[derive(Clone, Debug)]
pub struct Cancellation {
    /// Who asks.
    pub by: Principal,
    /// Why, in their words.
    pub why: Option<String>,
    /// How long the tool may run after it was told; the task's own limit where nothing is said.
    pub grace: Option<Duration>,
    /// Whether the tool is asked at all.
    pub mode: Mode,
}

impl Cancellation {
    /// A graceful cancel by `by`.
    pub fn graceful(by: Principal) -> Self {
        Self {
            by,
            why: None,
            grace: None,
            mode: Mode::Graceful,
        }
    }

    /// A cancel that does not ask the tool.
    pub fn immediate(by: Principal) -> Self {
        Self {
            mode: Mode::Immediate,
            ..Self::graceful(by)
        }
    }
}

impl Runtime {
    /// Records a cancel. When this returns it is durable, and the task will end `cancelled`,
    /// whatever happens; [`Runtime::wait`] waits for that.
    pub async fn cancel(&self, task: &TaskKey, cancel: Cancellation) -> Result<Arc<Record>, Error> {
        let by = cancel.by.clone();
        let cancelled = self.record_cancel(task, cancel).await;
        self.0.noted((&by, "cancel"), Some(task), cancelled)
    }

    async fn record_cancel(
        &self,
        task: &TaskKey,
        cancel: Cancellation,
    ) -> Result<Arc<Record>, Error> {
        let record = self.record(task).await?;
        let wanted = cancel.grace.map_or(record.spec.limits.grace, millis);
        let grace = self.0.grace(wanted);
        let by = Actor::Principal(Arc::new(cancel.by));
        let at = self.0.clock.now();
        let why = cancel
            .why
            .map(|why| crate::text::clean_line(&why, crate::limit::MESSAGE_BYTES_MAX));
        let cancel = Cancel {
            by: by.clone(),
            at,
            why: why.map(Arc::from),
            grace,
            mode: cancel.mode,
        };
        let (attempt, doubts) = self.0.snapshot(task).await;
        let event = Event::Stop {
            reason: Reason::Cancelled,
            grace,
            cancel: Some(cancel),
        };
        let change = Change {
            at,
            by,
            attempt,
            doubts,
            event,
        };
        let record = self.0.store.change(task, change).await?;
        // Before the answer: no boundary that the guest comes to after it may miss the stop.
        self.0.show(task, &record);
        Ok(record)
    }

    /// Pauses a task. One that is running leaves at its next boundary, and this waits for that.
    pub async fn pause(&self, task: &TaskKey, by: &Principal) -> Result<Arc<Record>, Error> {
        let paused = self.take_aside(task, by).await;
        self.0.noted((by, "pause"), Some(task), paused)
    }

    /// As [`Self::pause`], where it is a part of something else.
    pub(super) async fn take_aside(
        &self,
        task: &TaskKey,
        by: &Principal,
    ) -> Result<Arc<Record>, Error> {
        let mut watch = self.follow(task, Interest::News).await?;
        let mut loads = self.0.loads.subscribe();
        // Held without a break: a guest that comes to a boundary in between would go on.
        let mut wish: Option<(u32, PauseWish)> = None;
        loop {
            let record = self.record(task).await?;
            if record.state.stop().is_some() && !record.state.is_terminal() {
                return Err(Illegal::Stopping(record.status()).into());
            }
            match self.request(task, by, Event::Pause).await {
                Err(Error::Illegal(Illegal::NotNow {
                    status: Status::Running,
                    ..
                })) => {}
                done => return done,
            }
            // The attempt that is loaded may be the one before, which is on its way out.
            let link = self.0.link(task);
            let link = link.filter(|link| link.number() >= record.attempt);
            match (&wish, link) {
                (Some((number, _)), Some(link)) if *number == link.number() => {}
                (_, link) => wish = link.map(|link| (link.number(), link.want_pause())),
            }
            tokio::select! {
                left = watch.wait_for(|newest| has_left(newest.as_ref(), &record)) => {
                    match left.map(|record| record.clone()) {
                        Ok(Some(left)) if left.status() == Status::Paused => return Ok(left),
                        Ok(_) => {}
                        Err(_) => return Err(self.0.gone()),
                    }
                }
                _ = loads.changed(), if wish.is_none() => {}
            }
        }
    }

    /// Goes on with a paused task: where it waited, it waits on.
    pub async fn resume(&self, task: &TaskKey, by: &Principal) -> Result<Arc<Record>, Error> {
        let resumed = self.request(task, by, Event::Resume).await;
        self.0.noted((by, "resume"), Some(task), resumed)
    }

    /// Answers a question. The first valid answer wins; it is durable when this returns.
    pub async fn answer(
        &self,
        task: &TaskKey,
        by: &Principal,
        key: &str,
        answer: &Answer,
    ) -> Result<Arc<Record>, Error> {
        let answered = self.record_answer(task, by, (key, answer)).await;
        self.0.noted((by, "answer"), Some(task), answered)
    }

    async fn record_answer(
        &self,
        task: &TaskKey,
        by: &Principal,
        (key, answer): (&str, &Answer),
    ) -> Result<Arc<Record>, Error> {
        let record = self.record(task).await?;
        let no_question = || Illegal::NoQuestion(key.into());
        let Some(Wait::Input { questions }) = record.state.wait() else {
            let status = record.status();
            let ended = status.is_terminal().then_some(Illegal::Ended(status));
            return Err(ended.unwrap_or_else(no_question).into());
        };
        let question = questions.iter().find(|question| *question.key == *key);
        answer.check(question.ok_or_else(no_question)?)?;
        let answer = answer.encode();
        let (used, max) = (answer.len() as u64, record.spec.limits.step_output);
        if used > max {
            let what = "the answer";
            return Err(Error::TooLarge { what, used, max });
        }
        let key = key.into();
        let over = WaitOver::Answered { key, answer };
        self.request(task, by, Event::WaitOver(over)).await
    }

    /// Waits for the task's end. Where the runtime is about to end, only that of a task at work is
    /// waited for: the others have none before the next start.
    pub async fn wait(&self, task: &TaskKey) -> Result<Arc<Record>, Error> {
        let mut watch = self.follow(task, Interest::News).await?;
        let mut draining = self.0.draining.subscribe();
        loop {
            let is_draining = *draining.borrow_and_update();
            let record = watch.borrow_and_update().clone();
            match record {
                Some(record) if record.state.is_terminal() => return Ok(record),
                Some(record) if is_draining && record.status() != Status::Running => {
                    return Err(Error::Draining);
                }
                _ => {}
            }
            tokio::select! {
                changed = watch.changed() => changed.map_err(|_| self.0.gone())?,
                _ = draining.changed() => {}
            }
        }
    }

    /// Waits until the task's record is as `is` wants it.
    pub async fn wait_for(
        &self,
        task: &TaskKey,
        mut is: impl FnMut(&Record) -> bool,
    ) -> Result<Arc<Record>, Error> {
        let mut watch = self.follow(task, Interest::All).await?;
        let found = watch.wait_for(|record| record.as_ref().is_some_and(|record| is(record)));
        let found = found.await.ok().and_then(|record| record.clone());
        found.ok_or_else(|| self.0.gone())
    }

    pub(super) async fn request(
        &self,
        task: &TaskKey,
        by: &Principal,
        event: Event,
    ) -> Result<Arc<Record>, Error> {
        let by = Actor::Principal(Arc::new(by.clone()));
        let at = self.0.clock.now();
        let change = Change {
            at,
            by,
            attempt: None,
            doubts: Vec::new(),
            event,
        };
        Ok(self.0.store.change(task, change).await?)
    }

    /// Whether the task is loaded at this moment.
    pub fn is_loaded(&self, task: &TaskKey) -> bool {
        lock(&self.0.loaded).contains_key(task)
    }

    /// Whether the record says that it is running while no process runs it: it was cut off.
    pub fn is_abandoned(&self, record: &Record) -> bool {
        matches!(record.state, State::Running { .. }) && !self.is_loaded(&record.key())
    }
}

/// Whether the attempt of `record` is not at work any more.
fn has_left(newest: Option<&Arc<Record>>, record: &Record) -> bool {
    newest
        .is_some_and(|newest| newest.status() != Status::Running || newest.attempt > record.attempt)
}
