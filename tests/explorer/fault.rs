//! What the world does to a task: the faults, and the points at which they happen.

use stepwell::id::{CheckpointId, TaskId};
use stepwell::task::{
    Actor, Cancel, CannotFork, Ending, Event, Illegal, Mode, Origin, Reason, State, Status, Wait,
};

use crate::choose::Chooser;
use crate::host::Host;
use crate::script::Act;
use crate::sdk::Memo;
use crate::world::{Break, Step, need};

/// Something that interferes with a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The process is gone.
    Crash,
    Cancel,
    Deadline,
    /// The process is about to end.
    Drain,
    Pause,
    /// A client saves a checkpoint.
    Checkpoint,
    /// Somebody goes back to any checkpoint that there is.
    Restore,
    Fork,
    /// A cancel in mode `immediate`.
    Immediate,
    /// Grace is over.
    Force,
    /// A cancel between a decision and its write.
    LateCancel,
    /// A deadline between a decision and its write.
    LateDeadline,
    /// A queued or waiting task is paused.
    Rest,
}

const GRACE: u64 = 10_000;

/// A fault, and the checkpoint it is about.
type Choice = (Fault, Option<CheckpointId>);

impl Host {
    /// A point at which the world may interfere.
    pub(crate) fn point(&mut self, at: impl Fn() -> String, running: bool) -> Step<()> {
        if self.budget == 0 {
            return Ok(());
        }
        let choices = self.choices(running);
        let choice = self.chooser.choose(choices.len() + 1);
        let Some((fault, checkpoint)) = choice.checked_sub(1).and_then(|n| choices.get(n)) else {
            return Ok(());
        };
        self.budget -= 1;
        self.note(|| format!("  ** {fault:?} ({})", at()));
        let (fault, checkpoint) = (*fault, *checkpoint);
        self.cue(Act::Fault(fault, checkpoint));
        self.happen(fault, checkpoint, running)
    }

    /// The point between a decision and its write.
    pub(crate) fn late_point(&mut self) -> Step<()> {
        let late = [Fault::LateCancel, Fault::LateDeadline];
        let late = late.into_iter().filter(|fault| self.faults.contains(fault));
        let late: Vec<_> = late.filter(|fault| self.may_stop(*fault)).collect();
        if self.budget == 0 || late.is_empty() {
            return Ok(());
        }
        let choice = self.chooser.choose(late.len() + 1);
        let Some(fault) = choice.checked_sub(1).and_then(|n| late.get(n)) else {
            return Ok(());
        };
        self.budget -= 1;
        self.note(|| format!("  ** {fault:?}"));
        self.happen(*fault, None, true)
    }

    fn choices(&self, running: bool) -> Vec<Choice> {
        let record = &self.disk.record;
        let status = record.status();
        let stop = record.state.stop();
        let idle = matches!(status, Status::WaitingTimer | Status::WaitingInput);
        let mut choices = Vec::new();
        for fault in self.faults.iter().copied() {
            let may = match fault {
                Fault::Fork => status.is_terminal() || status == Status::Paused,
                _ if status.is_terminal() => false,
                Fault::Crash | Fault::Drain => running,
                Fault::Cancel | Fault::Deadline => self.may_stop(fault),
                Fault::Pause => running && !self.wants.pause,
                Fault::Force => running && stop.is_some() && self.ghost.told,
                Fault::Immediate => idle || status == Status::Paused,
                Fault::Rest => idle || status == Status::Queued && stop.is_none(),
                Fault::Checkpoint => {
                    let clients = record.marks.iter().filter(|m| m.origin == Origin::Client);
                    clients.count() == 0 && record.attempt > 0
                }
                Fault::Restore if self.restore_to.is_none() => {
                    choices.push((fault, Some(CheckpointId(0))));
                    choices.extend(record.marks.iter().map(|mark| (fault, Some(mark.id))));
                    false
                }
                Fault::Restore | Fault::LateCancel | Fault::LateDeadline => false,
            };
            if may {
                choices.push((fault, None));
            }
        }
        choices
    }

    /// Whether a stop is news: no cancel was recorded before, nor was the deadline the reason.
    fn may_stop(&self, fault: Fault) -> bool {
        let Some(stop) = self.disk.record.state.stop() else {
            return true;
        };
        let deadline = matches!(fault, Fault::Deadline | Fault::LateDeadline);
        stop.cancel.is_none() && !(deadline && stop.reason == Reason::DeadlineExceeded)
    }

    fn happen(&mut self, fault: Fault, to: Option<CheckpointId>, running: bool) -> Step<()> {
        match fault {
            Fault::Crash => return Err(Break::Crash),
            Fault::Drain => self.wants.drain = true,
            Fault::Pause => self.wants.pause = true,
            Fault::Cancel | Fault::LateCancel => {
                self.stop(Reason::Cancelled, Some(Mode::Graceful), running)?;
            }
            Fault::Deadline | Fault::LateDeadline => {
                self.stop(Reason::DeadlineExceeded, None, running)?;
            }
            Fault::Immediate => self.stop(Reason::Cancelled, Some(Mode::Immediate), running)?,
            Fault::Force => {
                let step = self.loaded.attempt.at_work().cloned();
                return Err(Break::End(Ending::Forced { step }));
            }
            Fault::Fork => self.fork()?,
            Fault::Checkpoint => self.client_saves()?,
            Fault::Rest => drop(self.change(None, Event::Pause)?),
            Fault::Restore if running => {
                self.wants.pause = true;
                self.restore_to = to;
            }
            Fault::Restore => self.restore(to.unwrap_or(CheckpointId(0)))?,
        }
        Ok(())
    }

    fn stop(&mut self, reason: Reason, mode: Option<Mode>, running: bool) -> Step<()> {
        let cancel = mode.map(|mode| Cancel {
            by: Actor::Host,
            at: self.now,
            why: None,
            grace: GRACE,
            mode,
        });
        self.ghost.cancelled |= cancel.is_some();
        let attempt = running.then(|| self.fenced());
        let event = Event::Stop {
            reason,
            grace: GRACE,
            cancel,
        };
        self.change(attempt, event).map(drop)
    }

    fn client_saves(&mut self) -> Step<()> {
        let state = Memo::Next(self.ghost.acked.len()).to_string();
        let state = state.into_bytes().into();
        self.change(None, Event::ClientSaved { state })?;
        let record = &self.disk.record;
        let acked = self.ghost.acked.iter();
        let acked = acked.filter(|(_, at)| at.stretch == record.stretch);
        let acked = acked.map(|(what, at)| (what.clone(), at.clone())).collect();
        if let Some(mark) = record.marks.last() {
            self.ghost.acked_at.insert(mark.id, acked);
        }
        Ok(())
    }

    /// Goes back to a checkpoint, where that can be.
    pub(crate) fn restore(&mut self, to: CheckpointId) -> Step<()> {
        let record = &self.disk.record;
        let guarded =
            !record.clean_up.is_empty() && !self.rules.drops(crate::rules::Rule::ForkGuard);
        let Some(mark) = record.mark(to) else {
            return Ok(());
        };
        let event = Event::Restored {
            checkpoint: to,
            go_on: false,
        };
        if guarded || record.state.is_terminal() {
            let change = stepwell::task::Change::by_host(self.now, event);
            let refused = stepwell::task::apply(record, &change);
            let right = matches!(refused, Err(Illegal::CleanUp(_) | Illegal::Ended(_)));
            return need(right, || "restored behind a clean-up".into());
        }
        self.change(None, event)?;
        self.note(|| format!("-- restored to {to}"));
        if let Some(acked) = self.ghost.acked_at.get(&to) {
            let gone = acked.iter().find(|(_, at)| self.disk.row(at).is_none());
            need(gone.is_none(), || {
                let what = gone.map(|(what, _)| what);
                format!("steps before the checkpoint are not done any more: {what:?}")
            })?;
        }
        let disk = &self.disk;
        self.ghost
            .acked
            .retain(|_, at| disk.row(at).is_some() || at.stretch < mark.stretch);
        Ok(())
    }

    /// Forks the task where it stands, and runs the fork to its end.
    fn fork(&mut self) -> Step<()> {
        let parent = &self.disk.record;
        let mut id = *parent.id.as_bytes();
        let [number, ..] = &mut id;
        *number = number.wrapping_add(u8::try_from(parent.seq).unwrap_or(u8::MAX));
        let id = TaskId::from_bytes(id);
        let child = match self.rules.fork(parent, id) {
            Ok(child) => child,
            Err(CannotFork::Illegal(Illegal::CleanUp(_))) => return Ok(()),
            Err(other) => return Err(Break::Bad(format!("not forked: {other}"))),
        };
        let paused = parent.status() == Status::Paused;
        let own = child.base != parent.base;
        let mut disk = self.disk.clone();
        disk.record = child;
        self.change(None, Event::Forked { child: id })?;
        let mut fork = Self::new(self.rules, self.guest, disk, Chooser::default());
        fork.world = self.world.clone();
        fork.ghost = self.ghost.clone();
        fork.ghost.asked.clear();
        (fork.ghost.told, fork.ghost.cancelled) = (false, false);
        if own {
            let once: Vec<_> = fork.disk.once().map(|once| once.key.clone()).collect();
            fork.ghost.key_of.retain(|_, key| once.contains(key));
        }
        fork.exempt = paused;
        (fork.now, fork.log) = (self.now, self.log.as_ref().map(|_| Vec::new()));
        self.note(|| "-- the fork runs:".into());
        let ran = fork.run();
        if let Some(log) = &mut self.log {
            log.extend(fork.log.iter().flatten().cloned());
        }
        self.note(|| "-- the end of the fork".into());
        self.forks.push(fork);
        ran
    }

    /// What it waits for comes.
    pub(crate) fn come(&mut self) -> Step<()> {
        let State::Waiting(wait) = self.disk.record.state.clone() else {
            return Ok(());
        };
        self.cue(Act::Come);
        match wait {
            Wait::Timer { until, .. } => {
                self.now = self.now.max(until);
                let over = stepwell::task::WaitOver::Due;
                self.change(None, Event::WaitOver(over))?;
            }
            Wait::Input { questions } => {
                for question in questions {
                    let over = stepwell::task::WaitOver::Answered {
                        key: question.key,
                        answer: b"answer"[..].into(),
                    };
                    self.change(None, Event::WaitOver(over))?;
                }
            }
        }
        Ok(())
    }
}
