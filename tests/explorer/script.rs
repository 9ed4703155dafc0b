//! What happened in a run beside what the guest did: whoever plays the run again somewhere else
//! takes it from here.

use stepwell::id::CheckpointId;
use stepwell::task::{State, Status};

use crate::fault::Fault;
use crate::host::Host;

/// Something that the world does to a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// It interferes, with the checkpoint that this is about.
    Fault(Fault, Option<CheckpointId>),
    /// It goes back to a checkpoint, as was asked for while the task was running.
    Restore(CheckpointId),
    /// It goes on with a paused task.
    Resume,
    /// What the task waits for comes: an instant, or the answers.
    Come,
}

/// When and where something happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cue {
    pub(crate) act: Act,
    /// The state of the task at that moment, and the number of its newest change.
    pub(crate) status: Status,
    pub(crate) seq: u64,
    /// The newest attempt, and how many calls it has made.
    pub(crate) attempt: u32,
    pub(crate) call: u32,
    /// Whether a stop is pending, and whether a retry backs off.
    pub(crate) stop: bool,
    pub(crate) backs_off: bool,
}

/// Everything of a run that the guest does not decide.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) cues: Vec<Cue>,
    /// What the guest's services and its guesses came to, in turn.
    pub(crate) flakes: Vec<usize>,
    pub(crate) guesses: Vec<usize>,
    /// Whether a guest slept without being unloaded.
    pub(crate) naps: bool,
}

impl Host {
    pub(crate) fn cue(&mut self, act: Act) {
        let record = &self.disk.record;
        let not_before = match &record.state {
            State::Queued { not_before, .. } => *not_before,
            _ => None,
        };
        self.script.cues.push(Cue {
            act,
            status: record.status(),
            seq: record.seq,
            attempt: record.attempt,
            call: self.loaded.calls,
            stop: record.state.stop().is_some(),
            backs_off: not_before.is_some(),
        });
    }
}
