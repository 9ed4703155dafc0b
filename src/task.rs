//! The state machine of a task, and the rules of its boundaries.
//!
//! Everything here is pure: no I/O, no clock, no async. [`apply`] is the only way from one state of
//! a [`Record`] to the next, and [`Attempt`] decides what a tool's host call does, given the
//! durable record, the [`Journal`] and what this attempt was shown. The runtime carries out what
//! is decided here, and the store writes it down; so the rules can be run exhaustively, without
//! either (`tests/explorer`).
//!
//! * `record`, `state`, `stop`, `outcome`, `usage`: what is durable of a task.
//! * `change`, `apply`: what can happen to it, and what then is true.
//! * `journal`, `attempt`, `boundary`: the work within one attempt.
//! * `fork`: a new task from an old one.

mod apply;
mod attempt;
mod boundary;
mod change;
mod fork;
mod journal;
mod outcome;
mod policy;
mod record;
mod state;
mod stop;
mod usage;

pub use apply::{Applied, Illegal, apply};
pub use attempt::{Attempt, Wants};
pub use boundary::{Begin, Pause, Save, Waited};
pub use change::{Actor, Change, Effect, Entry, Event, Fenced, Source, WaitOver};
pub use fork::{CannotFork, fork};
pub use journal::{Journal, Once, Row, RowKind, StepKey};
pub use outcome::{Ending, Failure, How, Kind, Outcome, ToolError};
pub use policy::Policy;
pub use record::{Checkpoint, Hole, Mark, Origin, Record, Spec, Stretch};
pub use state::{Question, State, Status, Wait};
pub use stop::{Cancel, Mode, Reason, Stop};
pub use usage::Usage;
