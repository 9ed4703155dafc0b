//! What the process's exit code says.

use std::process::ExitCode;

use crate::limit;
use crate::task::{Kind, Status};
use crate::view::Task;

/// The exit codes, as `stepwell help` shows them.
pub(super) const TABLE: &str = "\
Exit codes:
    0  the task completed, or the command did what it was asked to
    1  the tool failed: by its own words, a trap, misuse, or a step in doubt
    2  wrong usage, configuration or input; nothing was started
    3  a limit ended the task: fuel, memory, time, another one, or what was not granted
    4  the host failed: its data directory is in use, damaged or full, or it has a bug
    5  the task is left waiting for an answer, paused or drained, and can be gone on with
  130  the task was cancelled, or ctrl-c ended the command";

/// Every kind of failure; of those past a limit, one.
const KINDS: [Kind; 12] = [
    Kind::OutOfFuel,
    Kind::OutOfMemory,
    Kind::DeadlineExceeded,
    Kind::LimitExceeded(limit::Name::Steps),
    Kind::Trap,
    Kind::Misuse,
    Kind::StepChanged,
    Kind::ToolError,
    Kind::InvalidArguments,
    Kind::Denied,
    Kind::InDoubt,
    Kind::Host,
];

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// As it should.
    Done,
    /// The tool failed.
    Failed,
    /// What was typed can't be carried out.
    Usage,
    /// A limit ended the task.
    Limit,
    /// The host failed.
    Host,
    /// The task can be gone on with.
    Left,
    /// The task was cancelled.
    Cancelled,
}

impl Exit {
    /// The number that a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Limit => 3,
            Self::Host => 4,
            Self::Left => 5,
            Self::Cancelled => 130,
        }
    }

    /// What the state of a task comes to.
    pub(super) fn of(task: &Task) -> Self {
        match task.status {
            Status::Completed => Self::Done,
            Status::Failed => {
                let kind = task.failure.as_ref().map_or("", |failure| &failure.kind);
                let mut kinds = KINDS.into_iter();
                let kind = kinds.find(|known| known.code() == kind);
                kind.map_or(Self::Failed, Self::of_kind)
            }
            Status::Cancelled => Self::Cancelled,
            Status::Queued
            | Status::Running
            | Status::WaitingTimer
            | Status::WaitingInput
            | Status::Paused => Self::Left,
        }
    }

    /// What a kind of failure comes to.
    pub(super) fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::OutOfFuel
            | Kind::OutOfMemory
            | Kind::DeadlineExceeded
            | Kind::LimitExceeded(_)
            | Kind::Denied => Self::Limit,
            Kind::Host => Self::Host,
            Kind::Trap
            | Kind::Misuse
            | Kind::StepChanged
            | Kind::ToolError
            | Kind::InvalidArguments
            | Kind::InDoubt => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
