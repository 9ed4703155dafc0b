//! What a task has used.

use serde::{Deserialize, Serialize};

/// What a task used so far, over all attempts; a replay is not counted twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Instructions.
    pub fuel: u64,
    /// Milliseconds that the tool was loaded.
    pub active: u64,
    /// Microseconds of CPU time.
    pub cpu: u64,
    /// The most bytes of linear memory held at once.
    pub memory_peak: u64,
    /// Host calls.
    pub host_calls: u64,
    /// Bytes of output lines kept in the log, and 32 for each line.
    pub log_bytes: u64,
    /// Bytes of output lines dropped past the limit.
    pub log_dropped: u64,
}

impl Usage {
    /// The larger of both, in each amount: how a meter that starts at nothing with every attempt
    /// goes on from what is recorded once it has replayed.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            fuel: self.fuel.max(other.fuel),
            active: self.active.max(other.active),
            cpu: self.cpu.max(other.cpu),
            memory_peak: self.memory_peak.max(other.memory_peak),
            host_calls: self.host_calls.max(other.host_calls),
            log_bytes: self.log_bytes.max(other.log_bytes),
            log_dropped: self.log_dropped.max(other.log_dropped),
        }
    }

    /// Whether nothing decreased since `earlier`.
    pub fn is_past(&self, earlier: &Self) -> bool {
        self.max(*earlier) == *self
    }
}
