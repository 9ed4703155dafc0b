//! What comes from outside of an attempt: stops, pauses, answers, time, forks.

use std::sync::Arc;

use super::super::change::{Entry, WaitOver};
use super::super::outcome::How;
use super::super::{Cancel, Mode, Reason, Row, RowKind, State, StepKey, Stop, Wait};
use super::{Illegal, Step};
use crate::id::{Digest, TaskId};

impl Step {
    pub(super) fn stop(
        &mut self,
        reason: Reason,
        request: (u64, Option<Cancel>),
        doubts: &[Arc<str>],
    ) {
        let immediate = request
            .1
            .as_ref()
            .is_some_and(|cancel| cancel.mode == Mode::Immediate);
        let why = request.1.as_ref().and_then(|cancel| cancel.why.clone());
        let stop = Stop::after(self.record.state.stop(), reason, self.at, request);
        self.emit(Entry::StopRequested { reason, why });
        let unstarted = match &self.record.state {
            State::Queued { .. } => self.record.attempt == 0,
            State::Waiting(_) | State::Paused { .. } => !self.record.has_work(),
            State::Running { .. } | State::Finished { .. } => false,
        };
        if immediate || unstarted {
            let how = if unstarted {
                How::NotStarted
            } else {
                How::Immediate
            };
            return self.finish(Some(stop), (None, how), doubts);
        }
        self.record.state = match self.record.state {
            State::Running { .. } => State::Running { stop: Some(stop) },
            _ => State::Queued {
                not_before: None,
                stop: Some(stop),
            },
        };
    }

    pub(super) fn pause(&mut self) -> Result<(), Illegal> {
        let wait = match &self.record.state {
            State::Queued { stop: None, .. } => None,
            State::Waiting(wait) => Some(wait.clone()),
            _ => return Err(self.not_now("pause")),
        };
        self.record.state = State::Paused { wait };
        Ok(())
    }

    pub(super) fn resume(&mut self) -> Result<(), Illegal> {
        let State::Paused { wait } = &self.record.state else {
            return Err(self.not_now("resume"));
        };
        self.record.state = match wait.clone() {
            Some(wait) if !wait.is_over() => State::Waiting(wait),
            _ => State::Queued {
                not_before: None,
                stop: None,
            },
        };
        Ok(())
    }

    /// Time or an answer has come. A paused task takes answers too, and goes on when it is
    /// resumed.
    pub(super) fn wait_over(&mut self, over: &WaitOver) -> Result<(), Illegal> {
        let (wait, paused) = match &self.record.state {
            State::Waiting(wait) => (wait.clone(), false),
            State::Paused { wait: Some(wait) } => (wait.clone(), true),
            _ => return Err(self.not_now("go on")),
        };
        let left = match (wait, over) {
            (Wait::Timer { name, until }, WaitOver::Due) if self.at >= until && !paused => {
                self.wait_row(name, (RowKind::Sleep, Digest::of(b"")), Arc::default());
                Wait::Input {
                    questions: Vec::new(),
                }
            }
            (Wait::Input { mut questions }, WaitOver::Answered { key, answer }) => {
                let place = questions.iter().position(|question| question.key == *key);
                let place = place.ok_or_else(|| Illegal::NoQuestion(key.clone()))?;
                let question = questions.remove(place);
                let input = Digest::of(question.schema.as_bytes());
                self.emit(Entry::Answered { key: key.clone() });
                self.wait_row(question.name, (RowKind::Answer, input), answer.clone());
                Wait::Input { questions }
            }
            (Wait::Timer { .. }, WaitOver::Answered { key, .. }) => {
                return Err(Illegal::NoQuestion(key.clone()));
            }
            (_, WaitOver::Due) => return Err(self.not_now("go on")),
        };
        self.record.state = match (paused, left.is_over()) {
            (true, _) => State::Paused { wait: Some(left) },
            (false, true) => State::Queued {
                not_before: None,
                stop: None,
            },
            (false, false) => State::Waiting(left),
        };
        Ok(())
    }

    fn wait_row(&mut self, name: Arc<str>, (kind, input): (RowKind, Digest), output: Arc<[u8]>) {
        let at = StepKey {
            stretch: self.record.stretch,
            name,
        };
        let row = Row {
            at,
            kind,
            input,
            place: self.record.seq,
            clean_up: false,
        };
        self.row(row, output);
    }

    pub(super) fn forked(&mut self, child: TaskId) -> Result<(), Illegal> {
        if !matches!(
            self.record.state,
            State::Paused { .. } | State::Finished { .. }
        ) {
            return Err(self.not_now("be forked"));
        }
        if self.record.spec.is_of_host() {
            return Err(Illegal::Answered);
        }
        // The first fork of an ended task goes on with its keys; nothing runs under them any more.
        self.record.forks += u32::from(self.record.state.is_terminal());
        self.emit(Entry::Forked { child });
        Ok(())
    }
}
