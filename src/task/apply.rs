//! The transition function: from one state of a task to the next.
//!
//! The store's writer applies it to the state as it is at that moment, so a completion that races
//! a cancel meets the truth. There is no arrow but those of the table in `ARCHITECTURE.md`, and a
//! terminal state never changes.

use std::sync::Arc;

use super::change::{Change, Effect, Entry, Event, Fenced};
use super::outcome::{Failure, How, Kind, Outcome};
use super::{Reason, Record, Row, State, Status, Stop, Wait};
use crate::clock::Timestamp;
use crate::id::CheckpointId;
use crate::limit::RESTORES_MAX;

mod attempt;
mod checkpoint;
mod request;

pub(super) use checkpoint::go_back;

/// A change that was applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The task as it is now.
    pub record: Record,
    /// What else has to be written for that to be true.
    pub effects: Vec<Effect>,
}

/// A change that can't happen to the task as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The task is at its end, which never changes.
    #[error("the task has ended: it is {0}")]
    Ended(Status),
    /// An attempt that is not the newest wrote; its work is void.
    #[error("attempt {attempt} was followed by attempt {newest}")]
    Fenced {
        /// The one that wrote.
        attempt: u32,
        /// The newest.
        newest: u32,
    },
    /// There is no such arrow from this state.
    #[error("the task can't {what} while it is {status}")]
    NotNow {
        /// What was to happen.
        what: &'static str,
        /// The state.
        status: Status,
    },
    /// It was asked to stop, and is on its way to its end.
    #[error("the task was asked to stop and can't be paused: it is {0}")]
    Stopping(Status),
    /// The task has no such checkpoint, or does not keep it any more.
    #[error("the task has no checkpoint {0}")]
    NoCheckpoint(CheckpointId),
    /// No question of that name is open.
    #[error("the task has no open question `{0}`")]
    NoQuestion(Arc<str>),
    /// The task's clean-up has begun: what it undid can't be gone back behind.
    #[error("the task's clean-up has begun (`{}`), so it can be neither restored nor forked", .0.join("`, `"))]
    CleanUp(Vec<Arc<str>>),
    /// The task was restored too often.
    #[error("a task can be restored {RESTORES_MAX} times")]
    RestoredTooOften,
    /// The host answered it at once: nothing ran that one could go on from.
    #[error("the host itself has answered this task, so there is nothing to go on from")]
    Answered,
}

/// What `change` makes of the task that `record` stands for.
pub fn apply(record: &Record, change: &Change) -> Result<Applied, Illegal> {
    if record.state.is_terminal() && !matches!(change.event, Event::Forked { .. }) {
        return Err(Illegal::Ended(record.status()));
    }
    let mut next = Step {
        record: record.clone(),
        at: change.at,
        effects: Vec::new(),
    };
    next.record.seq += 1;
    next.record.updated = change.at.max(record.updated);
    let fenced = next.fence(change)?;
    match &change.event {
        Event::Admitted => next.admit()?,
        Event::OnceBegun(once) => next.once_begun(once.clone()),
        Event::Done { row, output, once } => next.done(row.clone(), output, once.clone()),
        Event::Saved { state } => next.saved(state),
        Event::Waits(wait) => next.waits(wait.clone()),
        Event::Suspended { pause } => next.suspended(*pause),
        Event::Crashed => next.crashed(&change.doubts)?,
        Event::Ended { ending, output } => {
            let told = fenced.is_some_and(|fenced| fenced.told);
            next.ended((ending, told), output.as_ref(), &change.doubts);
        }
        Event::Stop {
            reason,
            grace,
            cancel,
        } => {
            next.stop(*reason, (*grace, cancel.clone()), &change.doubts);
        }
        Event::Pause => next.pause()?,
        Event::Resume => next.resume()?,
        Event::WaitOver(over) => next.wait_over(over)?,
        Event::ClientSaved { state } => next.client_saved(state),
        Event::Restored { checkpoint, go_on } => next.restore(*checkpoint, *go_on)?,
        Event::Forked { child } => next.forked(*child)?,
    }
    next.emit_status(record.status());
    Ok(Applied {
        record: next.record,
        effects: next.effects,
    })
}

/// A change half applied.
struct Step {
    record: Record,
    at: Timestamp,
    effects: Vec<Effect>,
}

impl Step {
    /// Refuses what an older attempt writes, and takes over the usage of the newest.
    fn fence(&mut self, change: &Change) -> Result<Option<Fenced>, Illegal> {
        let writes = change.event.is_of_attempt();
        let Some(fenced) = change.attempt else {
            return if writes {
                Err(self.not_now("write without an attempt"))
            } else {
                Ok(None)
            };
        };
        let current = fenced.attempt == self.record.attempt;
        let running = matches!(self.record.state, State::Running { .. });
        if writes && !(current && running) {
            let newest = self.record.attempt;
            return Err(Illegal::Fenced {
                attempt: fenced.attempt,
                newest,
            });
        }
        if current {
            self.record.usage = self.record.usage.max(fenced.usage);
            if let State::Running { stop: Some(stop) } = &mut self.record.state {
                stop.grace_used = stop.grace_used.max(fenced.grace_used);
            }
        }
        if writes {
            self.record.barren = 0;
        }
        Ok(Some(fenced))
    }

    fn row(&mut self, row: Row, output: Arc<[u8]>) {
        self.record.steps += 1;
        self.record.journal += output.len() as u64;
        self.effects.push(Effect::Row { row, output });
    }

    /// Ends the task: as the stop says, if there is one, else with the failure or a result.
    fn finish(
        &mut self,
        stop: Option<Stop>,
        (failure, how): (Option<Failure>, How),
        doubts: &[Arc<str>],
    ) {
        let outcome = match (&stop, failure) {
            (None, None) => Outcome::Completed,
            (None, Some(failure)) => Outcome::Failed { failure, how: None },
            (Some(stop), _) if stop.cancel.is_some() => Outcome::Cancelled { how },
            (Some(stop), _) => Outcome::Failed {
                failure: self.stopped(stop.reason),
                how: Some(how),
            },
        };
        let doubts = doubts.into();
        self.record.state = State::Finished {
            outcome,
            stop,
            at: self.at,
            doubts,
        };
    }

    /// The failure that a stop without a cancel is.
    fn stopped(&self, reason: Reason) -> Failure {
        let (limits, usage) = (&self.record.spec.limits, &self.record.usage);
        let ms = crate::limit::format_duration;
        match reason {
            Reason::OutOfFuel => {
                let message = format!("fuel: {} of {} used", usage.fuel, limits.fuel);
                Failure::new(Kind::OutOfFuel, message)
            }
            Reason::DeadlineExceeded | Reason::Cancelled if usage.active >= limits.active => {
                let message = format!("active: {} of {}", ms(usage.active), ms(limits.active));
                Failure::new(Kind::DeadlineExceeded, message)
            }
            Reason::DeadlineExceeded | Reason::Cancelled => {
                let message = format!("deadline: {} have passed", ms(limits.deadline));
                Failure::new(Kind::DeadlineExceeded, message)
            }
        }
    }

    /// The stop of the running attempt, taken along to what comes next.
    fn pending(&self) -> Option<Stop> {
        self.record.state.stop().cloned()
    }

    fn emit(&mut self, entry: Entry) {
        self.effects.push(Effect::Emit(entry));
    }

    fn emit_status(&mut self, from: Status) {
        let to = self.record.status();
        if from != to {
            self.emit(Entry::Status {
                from: Some(from),
                to,
            });
        }
    }

    fn not_now(&self, what: &'static str) -> Illegal {
        Illegal::NotNow {
            what,
            status: self.record.status(),
        }
    }
}

impl Event {
    /// Whether only the newest attempt may write it.
    fn is_of_attempt(&self) -> bool {
        match self {
            Self::OnceBegun(_)
            | Self::Done { .. }
            | Self::Saved { .. }
            | Self::Waits(_)
            | Self::Suspended { .. }
            | Self::Ended { .. } => true,
            Self::Admitted
            | Self::Crashed
            | Self::Stop { .. }
            | Self::Pause
            | Self::Resume
            | Self::WaitOver(_)
            | Self::ClientSaved { .. }
            | Self::Restored { .. }
            | Self::Forked { .. } => false,
        }
    }
}

impl Wait {
    /// Whether all that is waited for has come.
    fn is_over(&self) -> bool {
        matches!(self, Self::Input { questions } if questions.is_empty())
    }
}
