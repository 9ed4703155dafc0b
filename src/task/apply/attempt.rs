//! What an attempt writes: its steps, its checkpoints, its waits, and its end.

use std::sync::Arc;
use std::time::Duration;

use super::super::change::{Effect, Entry};
use super::super::outcome::{Ending, Failure, How, Kind, ToolError};
use super::super::{Once, Origin, Reason, Row, State, Stop, Wait};
use super::{Illegal, Step};
use crate::clock::Timestamp;
use crate::id::CheckpointId;
use crate::limit::{BARREN_ATTEMPTS_MAX, RETRIES_MAX};

/// How many names of a clean-up's rows the record keeps.
const CLEAN_UP_NAMES_MAX: usize = 8;

/// When an attempt that failed for now is followed by another.
enum Retry {
    At(Timestamp),
    Now,
    Never,
}

impl Step {
    pub(super) fn admit(&mut self) -> Result<(), Illegal> {
        let State::Queued { stop, .. } = &self.record.state else {
            return Err(self.not_now("start"));
        };
        self.record.state = State::Running { stop: stop.clone() };
        self.record.attempt += 1;
        self.record.barren += 1;
        Ok(())
    }

    pub(super) fn once_begun(&mut self, once: Once) {
        let once = Once {
            place: self.record.seq,
            ..once
        };
        self.record.once_steps += 1;
        self.note_clean_up(once.clean_up, &once.at.name);
        self.emit(Entry::OnceBegun {
            name: once.at.name.clone(),
        });
        self.effects.push(Effect::Once { once, output: None });
    }

    pub(super) fn done(&mut self, row: Row, output: &Arc<[u8]>, once: Option<Once>) {
        let row = Row {
            place: self.record.seq,
            ..row
        };
        self.note_clean_up(row.clean_up, &row.at.name);
        self.emit(Entry::StepDone {
            name: row.at.name.clone(),
        });
        if let Some(once) = once {
            let once = Once {
                place: self.record.seq,
                ..once
            };
            self.effects.push(Effect::Once {
                once,
                output: Some(output.clone()),
            });
        }
        self.row(row, output.clone());
    }

    pub(super) fn saved(&mut self, state: &Arc<[u8]>) {
        let record = &mut self.record;
        let id = CheckpointId(record.seq);
        record.steps_before += record.steps;
        (record.steps, record.journal) = (0, 0);
        record.stretch += 1;
        (record.start, record.client) = (Some(id), None);
        self.keep(Origin::Tool, Some(id), state);
    }

    /// Where a stop was recorded between the decision to wait and this write, the task is queued
    /// to tidy up, as it would have been had it waited already.
    pub(super) fn waits(&mut self, wait: Wait) {
        self.record.state = match self.pending() {
            Some(stop) => State::Queued {
                not_before: None,
                stop: Some(stop),
            },
            None => State::Waiting(wait),
        };
    }

    pub(super) fn suspended(&mut self, pause: bool) {
        self.record.state = match self.pending() {
            None if pause => State::Paused { wait: None },
            stop => State::Queued {
                not_before: None,
                stop,
            },
        };
    }

    pub(super) fn crashed(&mut self, doubts: &[Arc<str>]) -> Result<(), Illegal> {
        let State::Running { stop } = &self.record.state else {
            return Err(self.not_now("lose its process"));
        };
        let stop = stop.clone();
        self.emit(Entry::Crashed);
        if self.record.barren < BARREN_ATTEMPTS_MAX {
            self.record.state = State::Queued {
                not_before: None,
                stop,
            };
            return Ok(());
        }
        let message = format!("{BARREN_ATTEMPTS_MAX} attempts in a row took the process with them");
        let failure = Failure::new(Kind::Host, message);
        let how = How::Failed {
            failure: failure.clone(),
            told: false,
        };
        self.finish(stop, (Some(failure), how), doubts);
        Ok(())
    }

    pub(super) fn ended(
        &mut self,
        (ending, told): (&Ending, bool),
        output: Option<&Arc<[u8]>>,
        doubts: &[Arc<str>],
    ) {
        let stop = self.pending();
        if let Ending::Error(ToolError::Transient(failure)) = ending {
            let not_before = match self.retry(stop.as_ref(), told) {
                Retry::At(instant) => Some(instant),
                Retry::Now => None,
                Retry::Never => return self.conclude(stop, (ending, told), output, doubts),
            };
            self.record.retries += 1;
            self.emit(Entry::Retried {
                message: failure.message.clone(),
            });
            self.record.state = State::Queued { not_before, stop };
            return;
        }
        self.conclude(stop, (ending, told), output, doubts);
    }

    fn conclude(
        &mut self,
        stop: Option<Stop>,
        (ending, told): (&Ending, bool),
        output: Option<&Arc<[u8]>>,
        doubts: &[Arc<str>],
    ) {
        let how = self.how(ending, told);
        let failure = match ending {
            Ending::Returned | Ending::Forced { .. } => None,
            Ending::Error(error) => Some(error.clone().into_failure()),
            Ending::Failed(failure) => Some(failure.clone()),
        };
        if matches!(ending, Ending::Returned)
            && let Some(output) = output
        {
            self.effects.push(Effect::Output(output.clone()));
        }
        self.finish(stop, (failure, how), doubts);
    }

    /// When to try again after a `transient` failure: never past the deadline, never once told,
    /// and at once if the tool has still to be told.
    fn retry(&self, stop: Option<&Stop>, told: bool) -> Retry {
        if told || self.record.retries >= RETRIES_MAX {
            return Retry::Never;
        }
        let again = self.at.plus(backoff(self.record.retries));
        match stop {
            Some(stop) if stop.reason == Reason::DeadlineExceeded => Retry::Never,
            Some(_) => Retry::Now,
            None if again < self.record.deadline() => Retry::At(again),
            None => Retry::Never,
        }
    }

    /// How a task with a stop came to its end.
    fn how(&self, ending: &Ending, told: bool) -> How {
        let failed = |failure: Failure| How::Failed { failure, told };
        match ending {
            Ending::Forced { step } => How::Forced { step: step.clone() },
            Ending::Returned | Ending::Error(ToolError::Stopped) if told => How::Clean,
            Ending::Returned if self.record.clean_up.is_empty() => How::Finished,
            Ending::Returned => failed(Failure::new(
                Kind::InDoubt,
                "an earlier attempt had begun to tidy up, and this one returned without being told",
            )),
            Ending::Error(ToolError::Stopped) => failed(Failure::new(
                Kind::Misuse,
                "returned `stopped` before it was asked to",
            )),
            Ending::Error(error) => failed(error.clone().into_failure()),
            Ending::Failed(failure) => failed(failure.clone()),
        }
    }

    fn note_clean_up(&mut self, clean_up: bool, name: &Arc<str>) {
        let names = &self.record.clean_up;
        if clean_up && names.len() < CLEAN_UP_NAMES_MAX && !names.contains(name) {
            self.record.clean_up = names.iter().chain([name]).cloned().collect();
        }
    }
}

/// The time before the next attempt after `retries` of them: half a second, doubled each time.
fn backoff(retries: u32) -> Duration {
    Duration::from_millis(500 << retries.min(16))
}
