//! `[runtime]`: what the process may hold.

use std::time::Duration;

use super::table::Table;
use crate::limit::Unit;

/// The least memory that a guest can be given.
pub(super) const MEMORY_MIN: u64 = 2 << 20;

/// The most memory that can be written down.
pub(super) const MEMORY_MAX: u64 = 1 << 50;

/// The word for what the machine decides.
const AUTO: (&str, Option<u64>) = ("auto", None);

/// What the process may hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runtime {
    /// The most guests that are loaded at once, of all tenants.
    pub running_max: usize,
    /// The most new tasks and calls of all tenants that wait for their turn.
    pub queued_max: usize,
    /// The most bytes of linear memory of all loaded guests, by their limits; where nothing is
    /// said, three quarters of the machine's or the container's.
    pub memory_max: Option<u64>,
    /// The threads on which guests run; where nothing is said, one for each core.
    pub guest_threads: Option<usize>,
    /// The longest that any guest may run after it was asked to stop, in wall time.
    pub grace_max: Duration,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            running_max: 256,
            queued_max: 10_000,
            memory_max: None,
            guest_threads: None,
            grace_max: Duration::from_secs(30),
        }
    }
}

impl Runtime {
    pub(super) fn section(table: &mut Table<'_>) -> Self {
        let usual = Self::default();
        let memory = (MEMORY_MIN, MEMORY_MAX);
        Self {
            running_max: table.count("running_max", usual.running_max, (1, 100_000)),
            queued_max: table.count("queued_max", usual.queued_max, (1, 10_000_000)),
            memory_max: table.amount_or("memory_max", AUTO, Unit::Bytes, memory),
            guest_threads: table
                .amount_or("guest_threads", AUTO, Unit::Count, (1, 1_024))
                .map(|threads| usize::try_from(threads).unwrap_or(usize::MAX)),
            grace_max: table.duration("grace_max", usual.grace_max, (0, 600_000)),
        }
    }
}
