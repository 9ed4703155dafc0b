//! Amounts: every limit of a task, its bounds, and how people write one down.
//!
//! One table, [`ALL`], says for each limit what it is called, in what unit it counts, its default
//! and its bounds, and what happens past it. The command line, the store and `docs/limits.md` all
//! follow it. A limit is always set; one that can't be enforced is refused here, before a task
//! exists.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod amount;

pub use amount::{InvalidAmount, Size, format_count, format_duration, parse_count, parse_duration};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// WebAssembly instructions, by wasmtime's schedule.
    Fuel,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Millis,
    /// Things.
    Count,
}

/// One limit: what it is called and how far it goes.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its name, the same in configuration, failures, metrics and documents.
    pub name: Name,
    /// What it counts.
    pub unit: Unit,
    /// What holds where nobody says otherwise.
    pub default: u64,
    /// The least that makes sense.
    pub min: u64,
    /// The most that is enforced.
    pub max: u64,
    /// What happens past it, in one line.
    pub past: &'static str,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident / $field:ident : $unit:ident, $default:expr, $min:expr, $max:expr, $past:literal;)*) => {
        /// The name of a limit.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Name { $($(#[$doc])* $name,)* }

        impl Name {
            /// The name as it is written everywhere.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($field),)* }
            }
        }

        /// The limits of one task. All of them are always set.
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Limits { $($(#[$doc])* pub $field: u64,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// How much of `name` the task may use.
            pub fn get(&self, name: Name) -> u64 {
                match name { $(Name::$name => self.$field,)* }
            }

            /// Lets the task use `amount` of `name`.
            pub fn set(&mut self, name: Name, amount: u64) {
                match name { $(Name::$name => self.$field = amount,)* }
            }
        }

        /// Every limit of a task, in the order of the documents.
        pub const ALL: &[Limit] = &[$(Limit {
            name: Name::$name, unit: Unit::$unit, default: $default, min: $min, max: $max, past: $past,
        },)*];
    };
}

limits! {
    /// Instructions, over all attempts; a replay is not paid twice.
    Fuel / fuel: Fuel, 100_000_000_000, 100_000, 1_000_000_000_000_000,
        "asked to stop when 5 % are left; ends `out-of-fuel` when none is";
    /// Linear memory, summed over all memories of the component.
    Memory / memory: Bytes, 64 * MIB, 2 * MIB, GIB,
        "growing fails; a tool that gives up for it ends `out-of-memory`";
    /// Elements of all tables of the component.
    TableElements / table_elements: Count, 20_000, 1, 100_000,
        "growing fails; a component that starts with more ends `limit-exceeded`";
    /// Core instances, memories and tables that the component consists of.
    Instances / instances: Count, 64, 1, 128, "ends `limit-exceeded`";
    /// Handles that the tool holds at once: steps, streams, files, pollables.
    Handles / handles: Count, 1_024, 16, 4_096, "ends `limit-exceeded`";
    /// Wall clock from acceptance, waits included. At most `ttl` less one hour.
    Deadline / deadline: Millis, DAY, 1, 365 * DAY - HOUR,
        "asked to stop; ends `deadline-exceeded`";
    /// Wall clock while the tool is loaded, over all attempts.
    Active / active: Millis, HOUR, 1, 7 * DAY, "asked to stop; ends `deadline-exceeded`";
    /// How long the tool may run after it was asked to stop.
    Grace / grace: Millis, 10 * SECOND, 0, 10 * 60 * SECOND, "cut off: `forced`";
    /// How long the task's record is kept, counted from its creation.
    Ttl / ttl: Millis, 7 * DAY, HOUR + 1, 365 * DAY, "the record is removed";
    /// The tool's arguments.
    Arguments / arguments: Bytes, MIB, 2, 16 * MIB, "refused";
    /// What the tool returns, and what one host call of it hands over.
    Output / output: Bytes, MIB, KIB, 16 * MIB, "ends `limit-exceeded`";
    /// The output of one step.
    StepOutput / step_output: Bytes, MIB, KIB, 16 * MIB, "ends `limit-exceeded`";
    /// Steps, sleeps and answers journalled since the newest checkpoint.
    Steps / steps: Count, 20_000, 1, 1_000_000, "ends `limit-exceeded` when a step is begun";
    /// `once` steps over the task's life.
    OnceSteps / once_steps: Count, 10_000, 1, 100_000,
        "ends `limit-exceeded` when a step is begun";
    /// Outputs journalled since the newest checkpoint.
    Journal / journal: Bytes, 64 * MIB, 64 * KIB, GIB,
        "ends `limit-exceeded` when a step is begun";
    /// The state in one checkpoint, the tool's or a client's.
    Checkpoint / checkpoint: Bytes, MIB, KIB, 16 * MIB, "ends `limit-exceeded`; a client's is refused";
    /// Checkpoints of a client that are kept.
    ClientCheckpoints / client_checkpoints: Count, 10, 1, 100, "the oldest is forgotten";
    /// Lines that the tool logs or prints.
    Log / log: Bytes, MIB, KIB, 64 * MIB, "dropped, and counted";
    /// Questions in one `ask`.
    Questions / questions: Count, 16, 1, 64, "ends `limit-exceeded`";
    /// Host calls in a second.
    CallsPerSecond / calls_per_second: Count, 200_000, 1, 10_000_000, "delayed";
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of the fuel that is kept to tidy up with: a twentieth.
pub fn fuel_reserve(fuel: u64) -> u64 {
    fuel / 20
}

/// The time at the end of a record's life in which its task has ended and can be read.
pub const TTL_MARGIN: Duration = Duration::from_secs(3_600);

/// The most bytes that the name of a step, a sleep or a question has.
pub const NAME_BYTES_MAX: usize = 256;

/// The most bytes of a message for people: of progress, a failure or a question.
pub const MESSAGE_BYTES_MAX: usize = 4_096;

/// The most bytes that a component has.
pub const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// The most bytes of an idempotency key.
pub const KEY_BYTES_MAX: usize = 256;

/// The most bytes of a name that a client chooses: of a task, or of a note.
pub const CHOSEN_NAME_BYTES_MAX: usize = 256;

/// The most bytes of one note of a principal.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// The most notes of one principal, names of tasks included.
pub const NOTES_MAX: usize = 10_000;

/// The most bytes of all notes of one principal, names of tasks included.
pub const NOTES_BYTES_MAX: u64 = 64 << 20;

/// The most bytes of each text in an entry of the audit.
pub const AUDIT_TEXT_BYTES_MAX: usize = 256;

/// The most times that a task can be restored.
pub const RESTORES_MAX: u32 = 100;

/// The older checkpoints of the tool that are kept beside its newest.
pub const TOOL_CHECKPOINTS_MAX: usize = 10;

/// The attempts after a `transient` failure.
pub const RETRIES_MAX: u32 = 3;

/// The attempts in a row that may end with the process without having written a record.
pub const BARREN_ATTEMPTS_MAX: u32 = 3;

/// A limit that can't be enforced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unenforceable {
    /// Outside the bounds of [`ALL`].
    #[error("{name} must be between {min} and {max}, not {value}")]
    OutOfBounds {
        /// Which.
        name: Name,
        /// What was asked for.
        value: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// No step could ever begin: room for its largest output is looked for first.
    #[error("journal must be at least step_output: {step_output} bytes, not {journal} bytes")]
    JournalTooSmall {
        /// What was asked for.
        journal: u64,
        /// The least.
        step_output: u64,
    },
    /// The record would go before the task's end could be read.
    #[error("deadline must be at most ttl less one hour: {deadline_max} ms, not {deadline} ms")]
    DeadlinePastTtl {
        /// What was asked for.
        deadline: u64,
        /// What the ttl leaves.
        deadline_max: u64,
    },
}

impl Limits {
    /// Refuses what can't be enforced, naming the limit.
    pub fn check(&self) -> Result<(), Unenforceable> {
        for limit in ALL {
            let value = self.get(limit.name);
            if !(limit.min..=limit.max).contains(&value) {
                let (min, max) = (limit.min, limit.max);
                return Err(Unenforceable::OutOfBounds {
                    name: limit.name,
                    value,
                    min,
                    max,
                });
            }
        }
        let (journal, step_output) = (self.journal, self.step_output);
        if journal < step_output {
            return Err(Unenforceable::JournalTooSmall {
                journal,
                step_output,
            });
        }
        let deadline_max = self.ttl.saturating_sub(crate::clock::millis(TTL_MARGIN));
        if self.deadline > deadline_max {
            return Err(Unenforceable::DeadlinePastTtl {
                deadline: self.deadline,
                deadline_max,
            });
        }
        Ok(())
    }

    /// Lengthens the ttl to what the deadline needs, so that asking for a late deadline is enough.
    #[must_use]
    pub fn with_room_for_deadline(mut self) -> Self {
        let needed = self
            .deadline
            .saturating_add(crate::clock::millis(TTL_MARGIN));
        self.ttl = self.ttl.max(needed);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_can_be_enforced() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn every_bound_holds() {
        for limit in ALL {
            assert!(
                (limit.min..=limit.max).contains(&limit.default),
                "{}",
                limit.name
            );
        }
        let none = Limits {
            fuel: 0,
            ..Limits::default()
        };
        assert!(matches!(
            none.check(),
            Err(Unenforceable::OutOfBounds {
                name: Name::Fuel,
                ..
            })
        ));
        let late = Limits {
            deadline: 7 * DAY,
            ..Limits::default()
        };
        assert!(matches!(
            late.check(),
            Err(Unenforceable::DeadlinePastTtl { .. })
        ));
        assert_eq!(late.with_room_for_deadline().check(), Ok(()));
    }
}
