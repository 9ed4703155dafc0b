//! `[tenant_defaults]` and `[tenants.NAME]`: what each tenant gets.

use std::collections::BTreeMap;

use super::runtime::{MEMORY_MAX, MEMORY_MIN};
use super::table::Table;
use super::value;
use crate::id::TenantId;
use crate::limit::Unit;

/// What one tenant gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    /// Its part of the CPU, where there is not enough for everybody.
    pub weight: u32,
    /// The most guests of it that are loaded at once.
    pub running_max: usize,
    /// The most new tasks and calls of it that wait for their turn.
    pub queued_max: usize,
    /// The most bytes of linear memory of its loaded guests, by their limits.
    pub memory_max: u64,
    /// The fuel that its tasks may use in a day, if that is capped.
    pub fuel_per_day: Option<u64>,
    /// The most bytes that are kept of its tasks in the data directory, if that is capped.
    pub stored_max: Option<u64>,
}

/// What every tenant gets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tenants {
    /// What a tenant gets that is not special.
    pub usual: Tenant,
    /// What others get.
    pub special: BTreeMap<TenantId, Tenant>,
}

impl Default for Tenant {
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

impl Tenants {
    /// What `tenant` gets.
    pub fn of(&self, tenant: &TenantId) -> &Tenant {
        self.special.get(tenant).unwrap_or(&self.usual)
    }

    pub(super) fn section(root: &mut Table<'_>) -> Self {
        let usual = root.table("tenant_defaults", |table| Tenant::default().with(table));
        let special = root.named("tenants", |name, table| {
            let tenant = usual.with(table);
            match value::tenant_name(name) {
                Ok(name) => Some((name, tenant)),
                Err(message) => {
                    table.source().wrong(table.place(""), message);
                    None
                }
            }
        });
        let special = special.into_iter().flatten().collect();
        Self { usual, special }
    }
}

impl Tenant {
    /// This, with what the table says.
    fn with(&self, table: &mut Table<'_>) -> Self {
        let weight = table.amount("weight", Unit::Count, (1, 1_000));
        let memory = (MEMORY_MIN, MEMORY_MAX);
        Self {
            weight: weight.map_or(self.weight, |weight| {
                u32::try_from(weight).unwrap_or(u32::MAX)
            }),
            running_max: table.count("running_max", self.running_max, (1, 100_000)),
            queued_max: table.count("queued_max", self.queued_max, (1, 10_000_000)),
            memory_max: table
                .amount("memory_max", Unit::Bytes, memory)
                .unwrap_or(self.memory_max),
            fuel_per_day: table.amount_or(
                "fuel_per_day",
                ("none", self.fuel_per_day),
                Unit::Fuel,
                (1, u64::MAX),
            ),
            stored_max: table.amount_or(
                "stored_max",
                ("none", self.stored_max),
                Unit::Bytes,
                (1 << 20, MEMORY_MAX),
            ),
        }
    }
}
