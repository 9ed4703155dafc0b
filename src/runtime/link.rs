//! One loaded attempt, as its guest's side and its supervising side share it.
//!
//! The guest's side decides at boundaries and writes; the supervising side watches the time. Both
//! see the newest record that either of them, or the store's feed, brought here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Shared;
use super::executor::CpuTime;
use super::watches::Interest;
use crate::clock::{Timestamp, millis};
use crate::id::TaskKey;
use crate::limit::fuel_reserve;
use crate::sandbox::{End, Meter, StopRequest};
use crate::task::{self, Actor, Change, Event, Failure, Reason, Record, Stop, Usage, Wants};

/// A loaded attempt.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) key: TaskKey,
    pub(super) meter: Arc<Meter>,
    cpu: CpuTime,
    loaded: Timestamp,
    held: Mutex<Held>,
    pulse: watch::Sender<()>,
}

struct Held {
    attempt: task::Attempt,
    record: Arc<Record>,
    wants: Wants,
    /// How many ask for a pause.
    pauses: usize,
    /// Milliseconds at work, and microseconds of CPU time, that count beside those of this attempt,
    /// once it was raised.
    active_before: u64,
    cpu_before: u64,
    /// Up to when spent grace was counted.
    grace_counted: Option<Timestamp>,
    /// When this attempt first saw a stop.
    stop_seen: Option<Timestamp>,
}

/// Somebody's wish that the task is paused. Whoever does not wait for it any more drops it.
pub(super) struct PauseWish(Arc<Link>);

impl Drop for PauseWish {
    fn drop(&mut self) {
        self.0.count_pauses(-1);
    }
}

/// When the supervising side has to step in.
pub(super) struct Look {
    /// The task has ended, or another attempt has begun: this one is void.
    pub(super) is_void: bool,
    /// When the guest is cut off, if it was asked to stop.
    pub(super) forced: Option<Timestamp>,
    /// When the time at work is over, if nothing else has asked it to stop.
    pub(super) active_over: Option<Timestamp>,
}

impl Link {
    pub(super) fn new(
        shared: Arc<Shared>,
        record: &Arc<Record>,
        journal: task::Journal,
        (meter, cpu): (Arc<Meter>, CpuTime),
    ) -> Self {
        let loaded = shared.clock.now();
        let held = Held {
            attempt: task::Attempt::new(record, journal),
            wants: Wants {
                pause: false,
                drain: shared.is_draining(),
            },
            pauses: 0,
            active_before: 0,
            cpu_before: 0,
            grace_counted: None,
            stop_seen: record.state.stop().map(|_| loaded),
            record: record.clone(),
        };
        let (pulse, _) = watch::channel(());
        Self {
            shared,
            key: record.key(),
            meter,
            cpu,
            loaded,
            held: Mutex::new(held),
            pulse,
        }
    }

    /// Told whenever something here has changed that a waiting side should look at.
    pub(super) fn pulse(&self) -> watch::Receiver<()> {
        self.pulse.subscribe()
    }

    /// The newest record.
    pub(super) fn record(&self) -> Arc<Record> {
        self.held().record.clone()
    }

    /// Takes in a record, unless a newer one is here already.
    pub(super) fn renew(&self, record: Arc<Record>) {
        let mut held = self.held();
        if record.seq > held.record.seq {
            if let Some(stop) = record.state.stop()
                && held.stop_seen.is_none()
            {
                held.stop_seen = Some(self.shared.clock.now());
                // While a step is at work grace runs from the request, not from when it is seen.
                if held.attempt.at_work().is_some() {
                    held.grace_counted = Some(stop.at.max(self.loaded));
                }
            }
            // A step changes nothing that anybody waits for.
            let is_news = held.record.state != record.state;
            held.record = record;
            drop(held);
            if is_news {
                self.pulse.send_replace(());
            }
        }
    }

    /// The attempt's number.
    pub(super) fn number(&self) -> u32 {
        self.held().attempt.number
    }

    /// Asks the guest to leave at its next boundary, because the process is about to end.
    pub(super) fn want_drain(&self) {
        self.held().wants.drain = true;
        self.pulse.send_replace(());
    }

    /// Asks the guest to leave at its next boundary, for as long as the wish is held.
    pub(super) fn want_pause(self: &Arc<Self>) -> PauseWish {
        self.count_pauses(1);
        PauseWish(self.clone())
    }

    fn count_pauses(&self, by: isize) {
        let mut held = self.held();
        held.pauses = held.pauses.saturating_add_signed(by);
        held.wants.pause = held.pauses > 0;
        drop(held);
        self.pulse.send_replace(());
    }

    /// Lets a rule of the boundaries decide, with the newest record and the grace spent by now.
    pub(super) fn decide<T>(
        &self,
        rule: impl FnOnce(&mut task::Attempt, &Record, Wants) -> T,
    ) -> (T, Arc<Record>) {
        let now = self.shared.clock.now();
        let mut held = self.held();
        held.count_grace(now);
        let (record, wants) = (held.record.clone(), held.wants);
        let decision = rule(&mut held.attempt, &record, wants);
        held.count_grace(now);
        let stop = record.state.stop().is_some();
        drop(held);
        if stop {
            // Grace may have begun to run with this decision.
            self.pulse.send_replace(());
        }
        (decision, record)
    }

    /// As [`Self::decide`], where the guest comes to a boundary: one whose attempt is void goes no
    /// further, and is not told to stop either.
    pub(super) fn decide_at_boundary<T>(
        &self,
        rule: impl FnOnce(&mut task::Attempt, &Record, Wants) -> T,
    ) -> Result<(T, Arc<Record>), End> {
        let (decision, record) = self.decide(|attempt, record, wants| {
            (!is_void(attempt, record)).then(|| rule(attempt, record, wants))
        });
        Ok((decision.ok_or(End::Lost)?, record))
    }

    /// Makes the meter go on from what is recorded, before this attempt first does something new.
    pub(super) fn raise(&self) {
        let now = self.shared.clock.now();
        self.held().raise(self, now);
    }

    /// Writes what this attempt does. It is durable when this returns.
    pub(super) async fn commit(&self, event: Event) -> Result<Arc<Record>, End> {
        let change = self.change(Actor::Tool, event);
        match self.shared.store.change(&self.key, change).await {
            Ok(record) => {
                self.renew(record.clone());
                let followers = &self.shared.watches;
                followers.show(&self.key, &record, Interest::All);
                Ok(record)
            }
            Err(refused) => {
                tracing::debug!(task = %self.key, %refused, "a write of an attempt was refused");
                Err(End::Lost)
            }
        }
    }

    fn change(&self, by: Actor, event: Event) -> Change {
        let at = self.shared.clock.now();
        let mut held = self.held();
        held.count_grace(at);
        held.raise(self, at);
        let usage = held.usage(self, at);
        let doubts = held.attempt.doubts();
        Change {
            at,
            by,
            attempt: Some(held.attempt.fenced(usage)),
            doubts,
            event,
        }
    }

    /// What a request from outside has to know of the attempt, should it end the task. Nothing where
    /// the attempt is void: what passes until it is taken away is not the task's time at work.
    pub(super) fn snapshot(&self) -> Option<(task::Fenced, Vec<Arc<str>>)> {
        let now = self.shared.clock.now();
        let held = self.held();
        let is_at_work = !is_void(&held.attempt, &held.record);
        is_at_work.then(|| {
            (
                held.attempt.fenced(held.usage(self, now)),
                held.attempt.doubts(),
            )
        })
    }

    /// Records that the fuel is used up but for its reserve, the first time that it is.
    pub(super) async fn check_fuel(&self) -> Result<(), End> {
        let record = self.record();
        let fuel = record.spec.limits.fuel;
        // After a resume the meter may not have been raised to the record yet.
        let used = self.meter.fuel_used().max(record.usage.fuel);
        let low = used >= fuel - fuel_reserve(fuel);
        if low && record.state.stop().is_none() {
            self.stop(Reason::OutOfFuel).await?;
        }
        Ok(())
    }

    /// Records a stop that the limits ask for.
    pub(super) async fn stop(&self, reason: Reason) -> Result<(), End> {
        let grace = self.shared.grace(self.record().spec.limits.grace);
        let (fenced, doubts) = self.snapshot().ok_or(End::Lost)?;
        let event = Event::Stop {
            reason,
            grace,
            cancel: None,
        };
        let at = self.shared.clock.now();
        let change = Change {
            at,
            by: Actor::Host,
            attempt: Some(fenced),
            doubts,
            event,
        };
        let record = self
            .shared
            .store
            .change(&self.key, change)
            .await
            .map_err(|_| End::Lost)?;
        self.renew(record);
        Ok(())
    }

    /// The request as the guest is given it: with the grace that is left now, which the process's
    /// own maximum may end before the task's.
    pub(super) fn request(&self, stop: &Stop) -> StopRequest {
        let now = self.shared.clock.now();
        let held = self.held();
        let grace = stop.grace_left(held.attempt.grace_used());
        let wall = held.wall(self).map(|wall| millis(wall.since(now)));
        StopRequest {
            reason: stop.reason,
            grace: wall.map_or(grace, |wall| wall.min(grace)),
        }
    }

    /// When a stop that is held back will be told at the latest.
    pub(super) fn told_at(&self) -> Option<Timestamp> {
        let now = self.shared.clock.now();
        let mut held = self.held();
        held.count_grace(now);
        let stop = held.record.state.stop()?;
        let left = stop
            .grace
            .div_ceil(2)
            .saturating_sub(held.attempt.grace_used());
        (!held.attempt.is_told()).then(|| Timestamp(now.0 + left))
    }

    /// The milliseconds that are left before the deadline or of the time at work.
    pub(super) fn time_left(&self) -> u64 {
        let now = self.shared.clock.now();
        let held = self.held();
        let active = held
            .record
            .spec
            .limits
            .active
            .saturating_sub(held.active(self, now));
        millis(held.record.deadline().since(now)).min(active)
    }

    /// The step that is at work.
    pub(super) fn at_work(&self) -> Option<Arc<str>> {
        self.held().attempt.at_work().cloned()
    }

    /// What the supervising side has to watch for.
    pub(super) fn look(&self) -> Look {
        let now = self.shared.clock.now();
        let mut held = self.held();
        held.count_grace(now);
        let record = held.record.clone();
        let wall = held.wall(self);
        let forced = record.state.stop().and_then(|stop| {
            let running = held.attempt.grace_runs(&record);
            let left = Timestamp(now.0 + stop.grace_left(held.attempt.grace_used()));
            if running {
                wall.map(|wall| wall.min(left))
            } else {
                wall
            }
        });
        let active_left = record
            .spec
            .limits
            .active
            .saturating_sub(held.active(self, now));
        let unstopped = record.state.stop().is_none();
        Look {
            is_void: is_void(&held.attempt, &record),
            forced,
            active_over: unstopped.then(|| Timestamp(now.0.saturating_add(active_left))),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn count_grace(&mut self, now: Timestamp) {
        if !self.attempt.grace_runs(&self.record) {
            return;
        }
        let since = self.grace_counted.replace(now).unwrap_or(now);
        let used = self.attempt.grace_used() + millis(now.since(since));
        self.attempt.spend_grace(used);
    }

    /// When a guest that was asked to stop is cut off at the latest, whatever its grace.
    fn wall(&self, link: &Link) -> Option<Timestamp> {
        let seen = self.stop_seen?;
        Some(seen.plus(link.shared.options.grace_max))
    }

    fn raise(&mut self, link: &Link, now: Timestamp) {
        if self.attempt.take_raise() {
            link.meter.raise(&self.record.usage);
            let own = millis(now.since(link.loaded));
            self.active_before = self.record.usage.active.saturating_sub(own);
            self.cpu_before = self.record.usage.cpu.saturating_sub(link.cpu.micros());
            // Its time at work may be over sooner than it seemed.
            link.pulse.send_replace(());
        }
    }

    fn active(&self, link: &Link, now: Timestamp) -> u64 {
        self.active_before + millis(now.since(link.loaded))
    }

    fn usage(&self, link: &Link, now: Timestamp) -> Usage {
        Usage {
            active: self.active(link, now),
            cpu: self.cpu_before + link.cpu.micros(),
            ..link.meter.usage()
        }
    }
}

/// Whether the task has ended, or another attempt has begun.
fn is_void(attempt: &task::Attempt, record: &Record) -> bool {
    !matches!(record.state, task::State::Running { .. }) || record.attempt != attempt.number
}

/// A failure that a boundary ends the attempt with.
pub(super) fn failed(failure: Failure) -> End {
    End::Failed(failure)
}
