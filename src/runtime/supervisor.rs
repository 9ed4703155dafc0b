//! The one loop that reacts to what was committed.
//!
//! Every record comes here in the order of its commits, from whoever caused it, and only this loop
//! decides what follows: a place in the queue, an alarm, a slot. Nothing else schedules.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::admission::{Asker, Class, Ready};
use super::wheel::{Alarm, Wheel};
use super::{Shared, attempt, lock};
use crate::clock::Timestamp;
use crate::id::TaskKey;
use crate::store::{Commit, Feed};
use crate::task::{Change, Event, Reason, Record, State, Status, Stop, Stretch, Wait, WaitOver};

/// What the loop is told beside the commits.
pub(super) enum Message {
    /// A task is this process's to run from now on.
    Adopt(TaskKey),
    /// There may be a slot for somebody: one is free again, or another call waits for one.
    Look,
}

/// A task that is this process's to run.
struct Charge {
    /// The alarm that its state has set.
    alarm: Option<(Timestamp, Alarm)>,
    /// Up to which stretch and restore its journal was swept.
    swept: (Stretch, u32),
    /// The newest change that was scheduled by.
    seq: u64,
}

/// The loop's own state.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    wheel: Wheel,
    charges: HashMap<TaskKey, Charge>,
}

impl Supervisor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (wheel, charges) = (Wheel::default(), HashMap::new());
        Self {
            shared,
            wheel,
            charges,
        }
    }

    /// Runs until the store's feed ends.
    pub(super) async fn run(
        mut self,
        mut feed: Feed,
        mut messages: mpsc::UnboundedReceiver<Message>,
    ) {
        let sleeper = self.shared.sleeper.clone();
        loop {
            tokio::select! {
                commit = feed.next() => match commit {
                    Ok(Some(commit)) => self.committed(commit),
                    Ok(None) => return,
                    Err(error) => return self.shared.fail(error),
                },
                Some(message) = messages.recv() => self.told(message),
                () = sleeper.until_some(self.wheel.next()) => self.ring(),
            }
            self.start_ready();
        }
    }

    fn told(&mut self, message: Message) {
        match message {
            Message::Adopt(task) => self.adopt(&task),
            Message::Look => {}
        }
    }

    fn committed(&mut self, Commit { record, from }: Commit) {
        let key = record.key();
        trace(&key, &record, from);
        self.shared.show(&key, &record);
        let seen = self.charges.get(&key).map(|charge| charge.seq);
        let is_new = seen.is_none() && from.is_none() && self.is_ours(&key);
        if is_new {
            self.take_charge(&key, &record);
        }
        if is_new || seen.is_some_and(|seen| seen < record.seq) {
            self.schedule(&key, &record, from);
        }
    }

    /// Whether a new task is this process's to run.
    fn is_ours(&self, key: &TaskKey) -> bool {
        self.shared.runs_all() || lock(&self.shared.mine).contains(key)
    }

    fn take_charge(&mut self, key: &TaskKey, record: &Record) {
        lock(&self.shared.mine).insert(key.clone());
        let swept = (record.stretch, record.generation);
        let charge = Charge {
            alarm: None,
            swept,
            seq: record.seq,
        };
        self.charges.insert(key.clone(), charge);
        self.wheel
            .set(record.deadline(), key.clone(), Alarm::Deadline);
    }

    fn adopt(&mut self, key: &TaskKey) {
        // The newest record, which may be ahead of the feed: what the feed brings late is left out.
        let Some(record) = self.shared.store.live_one(key) else {
            lock(&self.shared.mine).remove(key);
            return;
        };
        if !self.charges.contains_key(key) {
            self.take_charge(key, &record);
            self.schedule(key, &record, None);
        }
    }

    /// What follows from the state that a task is in now.
    fn schedule(&mut self, key: &TaskKey, record: &Record, from: Option<Status>) {
        let Some(charge) = self.charges.get_mut(key) else {
            return;
        };
        charge.seq = record.seq;
        if let Some((at, alarm)) = charge.alarm.take() {
            self.wheel.unset(at, key, alarm);
        }
        let was_queued = from == Some(Status::Queued) && record.status() != Status::Running;
        // Who is in the right queue keeps the turn.
        let (admission, owner) = (&self.shared.admission, &record.spec.owner);
        let stays = was_queued
            && record.status() == Status::Queued
            && admission.has(class(record), key, owner);
        let mut place = (was_queued && !stays)
            .then(|| admission.remove(key, owner))
            .flatten();
        if !matches!(record.state, State::Queued { .. } | State::Running { .. }) {
            drop(lock(&self.shared.fresh).remove(key));
        }
        charge.alarm = match &record.state {
            State::Queued {
                not_before: Some(at),
                ..
            } if *at > self.shared.clock.now() => Some((*at, Alarm::Retry)),
            State::Queued { .. } if stays => None,
            State::Queued { .. } => {
                let place = place.take().or_else(|| self.shared.give_place(key));
                let ready = Ready::Task(key.clone());
                admission.push(class(record), ready, asker(record), place);
                None
            }
            State::Waiting(Wait::Timer { until, .. }) => Some((*until, Alarm::Wake)),
            State::Running { .. }
            | State::Waiting(Wait::Input { .. })
            | State::Paused { .. }
            | State::Finished { .. } => None,
        };
        if let Some((at, alarm)) = charge.alarm {
            self.wheel.set(at, key.clone(), alarm);
        }
        let sweep = (record.stretch, record.generation);
        if charge.swept != sweep {
            charge.swept = sweep;
            let (shared, key) = (self.shared.clone(), key.clone());
            self.shared
                .tracker
                .spawn(async move { shared.sweep(key).await });
        }
        if record.state.is_terminal() {
            self.let_go(key, record);
        }
    }

    fn let_go(&mut self, key: &TaskKey, record: &Record) {
        self.wheel.unset(record.deadline(), key, Alarm::Deadline);
        self.charges.remove(key);
        lock(&self.shared.mine).remove(key);
    }

    /// Carries out the alarms that have gone off.
    fn ring(&mut self) {
        let now = self.shared.clock.now();
        while let Some((key, alarm)) = self.wheel.pop(now) {
            if alarm == Alarm::Retry {
                self.retry(key);
                continue;
            }
            let shared = self.shared.clone();
            self.shared
                .tracker
                .spawn(async move { shared.ring(&key, alarm).await });
        }
    }

    fn retry(&mut self, key: TaskKey) {
        let record = self.shared.store.live_one(&key);
        if let (Some(charge), Some(record)) = (self.charges.get_mut(&key), record) {
            charge.alarm = None;
            let admission = &self.shared.admission;
            // The record may be ahead of the feed: a stop that is in it already makes it go first.
            admission.push(class(&record), Ready::Task(key), asker(&record), None);
        }
    }

    /// Gives free slots to those who are first in the queue, which is closed where the process is
    /// about to end.
    fn start_ready(&mut self) {
        let (admission, executor) = (&self.shared.admission, &self.shared.executor);
        while let Some((ready, slot)) = admission.pop(|tenant| executor.used(tenant)) {
            match ready {
                Ready::Task(key) => {
                    self.shared
                        .tracker
                        .spawn(attempt::run(self.shared.clone(), key, slot));
                }
                // A caller who is gone drops the slot, which frees it.
                Ready::Call(_, asker) => drop(asker.send(slot)),
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Nobody gives out slots any more.
        self.shared.admission.close();
    }
}

fn asker(record: &Record) -> Asker<'_> {
    Asker {
        owner: &record.spec.owner,
        memory: record.spec.limits.memory,
    }
}

fn class(record: &Record) -> Class {
    match &record.state {
        State::Queued { stop: Some(_), .. } => Class::TidyUp,
        _ if record.attempt > 0 => Class::GoOn,
        _ => Class::New,
    }
}

/// What is seen of a task from outside: each change of its state, and its end.
fn trace(key: &TaskKey, record: &Record, from: Option<Status>) {
    let to = record.status();
    if from == Some(to) {
        return;
    }
    let from = from.map_or("-", Status::as_str);
    tracing::info_span!("task.status_change", task = %key, from, to = to.as_str())
        .in_scope(|| tracing::debug!("the task's state has changed"));
    if to.is_terminal() {
        let duration = record.updated.since(record.spec.created);
        let status = to.as_str();
        tracing::info_span!("task.complete", task = %key, ?duration, status)
            .in_scope(|| tracing::info!("the task has ended"));
    }
}

impl Shared {
    /// Records what an alarm means for a task. A refusal is no fault: the task went on first.
    async fn ring(&self, key: &TaskKey, alarm: Alarm) {
        let Ok(Some(record)) = self.store.get(key).await else {
            return;
        };
        let at = self.clock.now();
        let event = match alarm {
            Alarm::Retry | Alarm::Wake => Event::WaitOver(WaitOver::Due),
            Alarm::Deadline => match self.deadline_stop(&record, at) {
                Some(stop) => stop,
                None => return,
            },
        };
        let (attempt, doubts) = self.snapshot(key).await;
        let change = Change {
            attempt,
            doubts,
            ..Change::by_host(at, event)
        };
        if let Err(refused) = self.store.change(key, change).await {
            tracing::debug!(task = %key, %refused, "an alarm came too late");
        }
    }

    /// The stop that a deadline is, unless it would change nothing: one that has passed goes off
    /// again at every start.
    fn deadline_stop(&self, record: &Record, at: Timestamp) -> Option<Event> {
        let reason = Reason::DeadlineExceeded;
        let grace = self.grace(record.spec.limits.grace);
        let earlier = record.state.stop();
        let is_news = earlier.is_none_or(|earlier| {
            Stop::after(Some(earlier), reason, at, (grace, None)) != *earlier
        });
        is_news.then_some(Event::Stop {
            reason,
            grace,
            cancel: None,
        })
    }
}
