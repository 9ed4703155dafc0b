//! The transition function: from one state of a task to the next.
//!
//! The store's writer applies it to the state as it is at that moment, so a completion that races
//! a cancel meets the truth. There is no arrow but those of the table in `ARCHITECTURE.md`, and a
//! terminal state never changes.

use std::sync::Arc;
use std::time::Duration;

use super::change::{Actor, Change, Effect, Entry, Event, Fenced, WaitOver};
use super::outcome::{Ending, Failure, How, Kind, Outcome, ToolError};
use super::{
    Cancel, Checkpoint, Hole, Mark, Mode, Once, Origin, Reason, Record, Row, RowKind, State,
    Status, StepKey, Stop, Wait,
};
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Digest};
use crate::limit::{BARREN_ATTEMPTS_MAX, RESTORES_MAX, RETRIES_MAX, TOOL_CHECKPOINTS_MAX};

/// How many names of a clean-up's rows the record keeps.
const CLEAN_UP_NAMES_MAX: usize = 8;

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
        Event::Restored { checkpoint } => next.restore(*checkpoint)?,
        Event::Forked { child } => next.forked(*child)?,
    }
    next.emit_status(record.status());
    Ok(Applied {
        record: next.record,
        effects: next.effects,
    })
}

/// When an attempt that failed for now is followed by another.
enum Retry {
    At(Timestamp),
    Now,
    Never,
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

    fn admit(&mut self) -> Result<(), Illegal> {
        let State::Queued { stop, .. } = &self.record.state else {
            return Err(self.not_now("start"));
        };
        self.record.state = State::Running { stop: stop.clone() };
        self.record.attempt += 1;
        self.record.barren += 1;
        Ok(())
    }

    fn once_begun(&mut self, once: Once) {
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

    fn done(&mut self, row: Row, output: &Arc<[u8]>, once: Option<Once>) {
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

    fn row(&mut self, row: Row, output: Arc<[u8]>) {
        self.record.steps += 1;
        self.record.journal += output.len() as u64;
        self.effects.push(Effect::Row { row, output });
    }

    fn saved(&mut self, state: &Arc<[u8]>) {
        let record = &mut self.record;
        let id = CheckpointId(record.seq);
        record.steps_before += record.steps;
        (record.steps, record.journal) = (0, 0);
        record.stretch += 1;
        (record.start, record.client) = (Some(id), None);
        self.keep(Origin::Tool, Some(id), state);
    }

    fn client_saved(&mut self, state: &Arc<[u8]>) {
        self.keep(Origin::Client, self.record.start, state);
    }

    /// Keeps a new checkpoint, and forgets the oldest past the limits. The tool's newest, and
    /// those that a client's checkpoint starts from, are never forgotten.
    fn keep(&mut self, origin: Origin, start: Option<CheckpointId>, state: &Arc<[u8]>) {
        let record = &mut self.record;
        let mark = Mark {
            id: CheckpointId(record.seq),
            origin,
            stretch: record.stretch,
            start,
            steps: record.steps,
            journal: record.journal,
            steps_before: record.steps_before,
            at: self.at,
            bytes: state.len() as u64,
        };
        let mut marks = record.marks.to_vec();
        marks.push(mark);
        let forgotten = surplus(&marks, record);
        marks.retain(|mark| !forgotten.contains(&mark.id));
        record.marks = marks.into();
        self.effects.push(Effect::Checkpoint(Checkpoint {
            mark,
            state: state.clone(),
        }));
        self.effects
            .extend(forgotten.into_iter().map(Effect::ForgetCheckpoint));
        self.emit(Entry::CheckpointSaved {
            id: mark.id,
            origin,
        });
    }

    /// Where a stop was recorded between the decision to wait and this write, the task is queued
    /// to tidy up, as it would have been had it waited already.
    fn waits(&mut self, wait: Wait) {
        self.record.state = match self.pending() {
            Some(stop) => State::Queued {
                not_before: None,
                stop: Some(stop),
            },
            None => State::Waiting(wait),
        };
    }

    fn suspended(&mut self, pause: bool) {
        self.record.state = match self.pending() {
            None if pause => State::Paused { wait: None },
            stop => State::Queued {
                not_before: None,
                stop,
            },
        };
    }

    fn crashed(&mut self, doubts: &[Arc<str>]) -> Result<(), Illegal> {
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

    fn ended(
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
            Ending::Error(ToolError::Stopped) => Some(Failure::new(
                Kind::Misuse,
                "returned `stopped` without having been asked to",
            )),
            Ending::Error(ToolError::Final(failure) | ToolError::Transient(failure))
            | Ending::Failed(failure) => Some(failure.clone()),
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
            Ending::Error(ToolError::Final(failure) | ToolError::Transient(failure))
            | Ending::Failed(failure) => failed(failure.clone()),
        }
    }

    fn stop(&mut self, reason: Reason, request: (u64, Option<Cancel>), doubts: &[Arc<str>]) {
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

    fn pause(&mut self) -> Result<(), Illegal> {
        let wait = match &self.record.state {
            State::Queued { stop: None, .. } => None,
            State::Waiting(wait) => Some(wait.clone()),
            _ => return Err(self.not_now("pause")),
        };
        self.record.state = State::Paused { wait };
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Illegal> {
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
    fn wait_over(&mut self, over: &WaitOver) -> Result<(), Illegal> {
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

    /// Goes back to a checkpoint and forgets only what lies after it.
    fn restore(&mut self, checkpoint: CheckpointId) -> Result<(), Illegal> {
        if matches!(self.record.state, State::Running { .. }) {
            return Err(self.not_now("be restored"));
        }
        go_back(&mut self.record, checkpoint).map(|forgotten| {
            self.effects
                .extend(forgotten.into_iter().map(Effect::ForgetCheckpoint));
        })?;
        self.record.state = match &self.record.state {
            State::Paused { .. } => State::Paused { wait: None },
            state => State::Queued {
                not_before: None,
                stop: state.stop().cloned(),
            },
        };
        self.emit(Entry::Restored { checkpoint });
        Ok(())
    }

    fn forked(&mut self, child: crate::id::TaskId) -> Result<(), Illegal> {
        if !matches!(
            self.record.state,
            State::Paused { .. } | State::Finished { .. }
        ) {
            return Err(self.not_now("be forked"));
        }
        self.record.forks += 1;
        self.emit(Entry::Forked { child });
        Ok(())
    }

    /// The stop of the running attempt, taken along to what comes next.
    fn pending(&self) -> Option<Stop> {
        self.record.state.stop().cloned()
    }

    fn note_clean_up(&mut self, clean_up: bool, name: &Arc<str>) {
        let names = &self.record.clean_up;
        if clean_up && names.len() < CLEAN_UP_NAMES_MAX && !names.contains(name) {
            self.record.clean_up = names.iter().chain([name]).cloned().collect();
        }
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

/// Takes `record` back to a checkpoint. Returns the checkpoints that lie after it.
pub(super) fn go_back(record: &mut Record, to: CheckpointId) -> Result<Vec<CheckpointId>, Illegal> {
    let mark = record.mark(to).ok_or(Illegal::NoCheckpoint(to))?;
    if !record.clean_up.is_empty() {
        return Err(Illegal::CleanUp(record.clean_up.to_vec()));
    }
    if record.generation >= RESTORES_MAX {
        return Err(Illegal::RestoredTooOften);
    }
    let hole = Hole {
        after: mark.place(),
        upto: record.seq,
    };
    let holes = record
        .holes
        .iter()
        .filter(|earlier| earlier.after < hole.after);
    record.holes = holes.copied().chain([hole]).collect();
    let (kept, forgotten): (Vec<_>, Vec<_>) = record
        .marks
        .iter()
        .partition(|kept| kept.place() <= mark.place());
    record.marks = kept.into();
    record.generation += 1;
    record.stretch = mark.stretch;
    record.start = mark.start;
    record.client = (mark.origin == Origin::Client).then_some(mark.id);
    record.steps = mark.steps;
    record.journal = mark.journal;
    record.steps_before = mark.steps_before;
    Ok(forgotten.iter().map(|mark: &Mark| mark.id).collect())
}

/// The checkpoints past the limits, oldest first.
fn surplus(marks: &[Mark], record: &Record) -> Vec<CheckpointId> {
    let of = |origin| marks.iter().filter(move |mark| mark.origin == origin);
    let clients = of(Origin::Client).count();
    let clients_max = usize::try_from(record.spec.limits.client_checkpoints).unwrap_or(usize::MAX);
    let surplus = clients.saturating_sub(clients_max);
    let old: Vec<_> = of(Origin::Client)
        .take(surplus)
        .map(|mark| mark.id)
        .collect();
    let is_start = |id| {
        let clients = of(Origin::Client).filter(|mark| !old.contains(&mark.id));
        clients.into_iter().any(|mark| mark.start == Some(id)) || record.start == Some(id)
    };
    let tools = of(Origin::Tool).count();
    let surplus = tools.saturating_sub(TOOL_CHECKPOINTS_MAX + 1);
    let tools = of(Origin::Tool)
        .take(surplus)
        .map(|mark| mark.id)
        .filter(|id| !is_start(*id));
    tools.chain(old.iter().copied()).collect()
}

/// The time before the next attempt after `retries` of them: half a second, doubled each time.
fn backoff(retries: u32) -> Duration {
    Duration::from_millis(500 << retries.min(16))
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

/// Who may be named in a change by a tool.
impl Actor {
    /// Whether it is the host itself.
    pub fn is_host(&self) -> bool {
        *self == Self::Host
    }
}
