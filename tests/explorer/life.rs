//! A task's life, from acceptance to its end: attempt after attempt, whatever happens between.

use stepwell::clock::Timestamp;
use stepwell::id::{Digest, Principal, TaskId};
use stepwell::limit::Limits;
use stepwell::task::{
    Ending, Event, Failure, How, Illegal, Kind, Outcome, Policy, Record, Spec, State, ToolError,
    Wants, apply,
};

use crate::disk::Disk;
use crate::host::{Host, Loaded};
use crate::rules::ending;
use crate::script::Act;
use crate::sdk::{Ret, Sdk};
use crate::table;
use crate::world::{Break, Step, need};

/// How many rounds a life takes at most.
const ROUNDS_MAX: u32 = 40;

impl Host {
    /// Runs the task to its end.
    pub(crate) fn run(&mut self) -> Step<()> {
        for _ in 0..ROUNDS_MAX {
            if self.ended() {
                break;
            }
            let status = self.disk.record.status();
            self.point(|| status.to_string(), false)?;
            match &self.disk.record.state {
                State::Queued { not_before, .. } => {
                    if let Some(at) = *not_before {
                        self.now = self.now.max(at);
                        self.cue(Act::Come);
                    }
                    self.attempt()?;
                }
                State::Paused { .. } => {
                    if let Some(to) = self.restore_to.take() {
                        self.cue(Act::Restore(to));
                        self.restore(to)?;
                        self.point(|| "paused, restored".into(), false)?;
                    }
                    if matches!(self.disk.record.state, State::Paused { .. }) {
                        self.cue(Act::Resume);
                        self.change(None, Event::Resume)?;
                    }
                }
                State::Waiting(_) => self.come()?,
                State::Running { .. } => return Err(Break::Bad("nobody runs it".into())),
                State::Finished { .. } => {}
            }
        }
        need(self.ended(), || "no end: livelock".into())?;
        self.check_outcome()?;
        table::check_refuses(&self.disk.record)?;
        self.point(|| "ended".into(), false)
    }

    fn attempt(&mut self) -> Step<()> {
        let late = self.fenced();
        self.change(None, Event::Admitted)?;
        let journal = self.rules.journal(&self.disk);
        self.loaded = Loaded::new(&self.disk.record, journal);
        let (number, stretch) = (self.disk.record.attempt, self.disk.record.stretch);
        self.note(|| format!("attempt {number} in stretch {stretch}"));
        need(self.disk.counts_right(), || {
            "the record's counts are not those of its journal".into()
        })?;
        if number > 1 {
            let event = Event::Suspended { pause: false };
            let change = stepwell::task::Change {
                attempt: Some(late),
                ..stepwell::task::Change::by_host(self.now, event)
            };
            let refused = apply(&self.disk.record, &change);
            need(matches!(refused, Err(Illegal::Fenced { .. })), || {
                "an older attempt wrote".into()
            })?;
        }
        match self.guest_runs() {
            Ok(ending) | Err(Break::End(ending)) => self.end(ending),
            Err(Break::Crash) => self.crashed(),
            Err(Break::Drop) => self.dropped(),
            Err(Break::Bad(message)) => Err(Break::Bad(message)),
        }
    }

    fn guest_runs(&mut self) -> Step<Ending> {
        let run = self.guest.run;
        let ret = run(&mut Sdk::new(self))?;
        self.point(|| "before the terminal record".into(), true)?;
        Ok(ending(match ret {
            Ret::Ok => None,
            Ret::Stopped => Some(ToolError::Stopped),
            Ret::Transient => Some(ToolError::Transient(failed("not now"))),
            Ret::Failed(message) => Some(ToolError::Final(failed(message))),
        }))
    }

    fn end(&mut self, ending: Ending) -> Step<()> {
        if let Ending::Failed(failure) = &ending {
            return Err(Break::Bad(format!(
                "host ended a well-behaved guest: {failure}"
            )));
        }
        self.note(|| format!("    ends: {ending:?}"));
        let output = matches!(ending, Ending::Returned).then(|| b"{}"[..].into());
        self.write(Event::Ended { ending, output })?;
        self.left()
    }

    fn crashed(&mut self) -> Step<()> {
        self.wants = Wants::default();
        self.change(None, Event::Crashed)?;
        self.left()
    }

    fn dropped(&mut self) -> Step<()> {
        self.note(|| "    dropped".into());
        if matches!(self.disk.record.state, State::Running { .. }) {
            let pause = self.wants.pause;
            self.write(Event::Suspended { pause })?;
        }
        self.left()
    }

    /// What was wanted of a guest that has left is wanted of its task.
    fn left(&mut self) -> Step<()> {
        let wants = std::mem::take(&mut self.wants);
        let unstopped = matches!(self.disk.record.state, State::Queued { stop: None, .. });
        if wants.pause && unstopped {
            self.change(None, Event::Pause)?;
        }
        let state = &self.disk.record.state;
        if state.is_terminal() || matches!(state, State::Paused { .. }) {
            return Ok(());
        }
        match self.restore_to.take() {
            Some(to) => {
                self.cue(Act::Restore(to));
                self.restore(to)
            }
            None => Ok(()),
        }
    }

    /// What must hold when a change has brought the task to its end.
    pub(crate) fn check_end(&self) -> Step<()> {
        let untold = table::how(&self.disk.record) == Some(&How::NotStarted);
        let mut wants = self.guest.wants.iter();
        let done = wants.find(|what| self.guest.undo && self.ghost.performed.contains(**what));
        need(!untold || done.is_none(), || {
            format!("ended as if it had not started, left behind: {done:?}")
        })
    }

    /// What must hold at the end.
    fn check_outcome(&self) -> Step<()> {
        let record = &self.disk.record;
        let (how, wants) = (table::how(record), self.guest.wants);
        let State::Finished { outcome, .. } = &record.state else {
            return Err(Break::Bad("not at its end".into()));
        };
        let done = |what: &str| self.world.did(what);
        let undone = |what: &str| self.world.did(&format!("undo {what}"));
        for what in wants {
            if *outcome == Outcome::Completed || how == Some(&How::Finished) {
                need(done(what), || {
                    format!("completed, but never happened: {what}")
                })?;
                need(!undone(what), || {
                    format!("completed on an undone effect: {what}")
                })?;
            }
            if how == Some(&How::Clean) && self.guest.undo {
                need(!done(what) || undone(what), || {
                    format!("told to stop, left behind: {what}")
                })?;
            }
            need(self.exempt || self.world.count(what) <= 1, || {
                format!("two effects of {what}")
            })?;
        }
        Ok(())
    }
}

fn failed(message: &'static str) -> Failure {
    Failure::new(Kind::ToolError, message)
}

/// A task that was just accepted, on disk.
pub(crate) fn accepted() -> Disk {
    let spec = Spec {
        owner: Principal::local(),
        component: Digest([0; 32]),
        tool: "tool".into(),
        arguments: Digest([0; 32]),
        key: None,
        limits: Limits::default(),
        grants: Vec::new(),
        policy: Policy::Required,
        created: Timestamp(0),
        forked_from: None,
        name: None,
    };
    Disk::new(Record::accepted(TaskId::from_bytes([0; 16]), spec))
}
