//! What is charged to tenants: the fuel of a day, and the bytes that are kept for them.
//!
//! Each task has an account of its own in its head, which every change writes anyway, so that a
//! step costs no row more. A tenant's is the sum of those of its live tasks, which are read when the
//! store is opened, and of one row, which is written when a task ends or goes, when a note changes,
//! and some time after a call of which nothing else is kept.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::codec::{decode, encode};
use super::disk::{Disk, Space};
use super::group::{Draft, Step};
use super::shared::Kept;
use super::stage::Turn;
use super::{Error, codec, keys};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::task::{Effect, Record};

/// What was used and is kept, by one task or one tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Account {
    /// The day of which the fuel was.
    day: u64,
    fuel: u64,
    stored: u64,
}

/// What came on an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Delta {
    pub(super) day: u64,
    pub(super) fuel: u64,
    /// Bytes: less than nothing where some went.
    pub(super) stored: i64,
}

/// What a tenant has used, and what is kept for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// The fuel that its tasks and calls have used since the day began, in UTC: of a task that is
    /// at work, up to its newest record.
    pub fuel: u64,
    /// The bytes that are kept: arguments, rows, `once` records, checkpoints, outputs, events and
    /// notes, with their keys.
    pub stored: u64,
}

impl Account {
    /// Takes in what came. The fuel of a day that is over is not of interest any more.
    pub(super) fn add(&mut self, delta: &Delta) {
        self.stored = self.stored.saturating_add_signed(delta.stored);
        if delta.day > self.day && delta.fuel > 0 {
            (self.day, self.fuel) = (delta.day, delta.fuel);
        } else if delta.day == self.day {
            self.fuel = self.fuel.saturating_add(delta.fuel);
        }
    }

    /// All of it, to be put on another account.
    pub(super) fn all(&self) -> Delta {
        Delta {
            day: self.day,
            fuel: self.fuel,
            stored: i64::try_from(self.stored).unwrap_or(i64::MAX),
        }
    }

    /// That all that is kept is gone.
    pub(super) fn gone(&self) -> Delta {
        Delta {
            stored: -self.all().stored,
            ..Delta::default()
        }
    }

    /// What is true at `now`.
    pub(super) fn at(&self, now: Timestamp) -> Used {
        let is_today = self.day == now.day();
        Used {
            fuel: if is_today { self.fuel } else { 0 },
            stored: self.stored,
        }
    }
}

/// Accounts, each by its tenant.
#[derive(Default)]
pub(super) struct Accounts(HashMap<TenantId, Account>);

impl Accounts {
    /// Those that are stored.
    pub(super) fn read(disk: &Disk) -> Result<Self, Error> {
        let mut accounts = HashMap::new();
        disk.scan(&keys::all_accounts(), None, |key, value| {
            let tenant = keys::parse_account(&key.bytes);
            let tenant = tenant.ok_or_else(|| codec::corrupt(&key, "not a tenant"))?;
            accounts.insert(tenant, decode(&key, value)?);
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(Self(accounts))
    }

    /// With what the live tasks are charged for.
    pub(super) fn with(&self, live: &[(Kept, Account)]) -> Self {
        let mut all = Self(self.0.clone());
        for ((task, _), account) in live {
            all.add(&task.tenant, &account.all());
        }
        all
    }

    pub(super) fn of(&self, tenant: &TenantId) -> Account {
        self.0.get(tenant).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, tenant: &TenantId, delta: &Delta) {
        match self.0.get_mut(tenant) {
            Some(account) => account.add(delta),
            None => self.0.entry(tenant.clone()).or_default().add(delta),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out all of it.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (TenantId, Delta)> + use<> {
        let taken = std::mem::take(&mut self.0).into_iter();
        taken.map(|(tenant, account)| (tenant, account.all()))
    }

    /// Stages the rows of the tenants whose settled accounts the draft changes.
    pub(super) fn stage(&mut self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let settled = std::mem::take(&mut draft.settled);
        let mut tenants: Vec<_> = settled.iter().map(|(tenant, _)| tenant).collect();
        for (tenant, delta) in &settled {
            self.add(tenant, delta);
        }
        tenants.sort_unstable();
        tenants.dedup();
        let mut step = Step::default();
        for tenant in tenants {
            step.put(keys::account(tenant), encode(&self.of(tenant), &[])?);
        }
        draft.add(step);
        Ok(())
    }
}

/// Whether what is in this keyspace is charged for: what tools and clients make longer, not what the
/// host needs to find it.
pub(super) fn is_charged(space: Space) -> bool {
    match space {
        Space::Blobs | Space::Steps | Space::Once | Space::Checkpoints | Space::Events => true,
        Space::Meta | Space::Heads | Space::Facts | Space::Index => false,
    }
}

/// Charges a change with all that its step has written so far to the account of its task, and to
/// the tenant's.
pub(super) fn charge(step: &mut Step, account: &mut Account, turn: &Turn<'_>) {
    let (from, to) = (turn.from, &turn.to);
    let before = from.map_or(0, |from| from.usage.fuel);
    let delta = Delta {
        day: to.updated.day(),
        fuel: to.usage.fuel.saturating_sub(before),
        stored: std::mem::take(&mut step.grown),
    };
    account.add(&delta);
    let tenant = &to.spec.owner.tenant;
    if to.state.is_terminal() {
        // From now on it is not among the live ones, whose accounts are read at the start.
        let had_ended = from.is_some_and(|from| from.state.is_terminal());
        let settled = if had_ended { delta } else { account.all() };
        step.settled.push((tenant.clone(), settled));
    }
    step.charged.push((tenant.clone(), delta));
}

/// The bytes of what a change of `record` is about to replace or to remove.
///
/// A row can lie at the name of another only where a restore has forgotten that one: a task that
/// was never restored pays for no look.
pub(super) fn replaced(
    draft: &Draft<'_>,
    record: &Record,
    effects: &[Effect],
) -> Result<i64, Error> {
    let task = record.key();
    let mut bytes = 0;
    for effect in effects {
        match effect {
            Effect::Row { row, .. } if !record.holes.is_empty() => {
                bytes += draft.size(&keys::row(&task, &row.at))?;
            }
            Effect::Once { once, output } => {
                bytes += draft.size(&keys::once(&task, &once.at, &once.input))?;
                let is_apart = output.as_ref().is_some_and(|output| codec::is_long(output));
                if is_apart {
                    bytes += draft.size(&keys::once_blob(&task, &once.at, &once.input))?;
                }
            }
            Effect::ForgetCheckpoint(id) => bytes += draft.size(&keys::checkpoint(&task, *id))?,
            Effect::Row { .. } | Effect::Checkpoint(_) | Effect::Output(_) | Effect::Emit(_) => {}
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
