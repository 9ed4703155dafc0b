//! What each tenant gets of the machine.

use std::collections::HashMap;

use crate::id::TenantId;

/// What one tenant gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// Its part of the CPU, where there is not enough for everybody: twice the weight is twice the
    /// CPU time. At least 1.
    pub weight: u32,
    /// The most guests of it that are loaded at once. At least 1.
    pub running_max: usize,
    /// The most new tasks and calls of it that wait for their turn; past it they are refused at
    /// once. At least 1.
    pub queued_max: usize,
    /// The most bytes of linear memory that its loaded guests may come to use, by their limits. At
    /// least what the limit of a task is.
    pub memory_max: u64,
    /// The most fuel that its tasks and calls may use in a day, which begins at midnight in UTC.
    /// Past it nothing new is accepted until the next; what is at work goes on.
    pub fuel_per_day: Option<u64>,
    /// The most bytes that are kept for it: arguments, rows, `once` records, checkpoints, outputs,
    /// events and notes. Past it nothing new is accepted until something goes.
    pub stored_max: Option<u64>,
}

impl Default for Share {
    /// Half of what [`super::Options`] lets all of them have by itself, so that one tenant alone
    /// never takes all of it.
    fn default() -> Self {
        Self {
            weight: 1,
            running_max: 128,
            queued_max: 5_000,
            memory_max: 8 << 30,
            fuel_per_day: None,
            stored_max: None,
        }
    }
}

/// What every tenant gets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tenants {
    /// What a tenant gets that is not special.
    pub usual: Share,
    /// What others get.
    pub special: HashMap<TenantId, Share>,
}

impl Tenants {
    /// What `tenant` gets.
    pub fn share(&self, tenant: &TenantId) -> &Share {
        self.special.get(tenant).unwrap_or(&self.usual)
    }
}
