//! Who is polled next: the order in which tenants share the CPU, as a pure structure.
//!
//! Every tenant has an account of the CPU time that it used, divided by its weight. The ready
//! guest that is polled next belongs to the tenant with the least; within it principals take
//! turns. Whoever has been idle, or is new, comes back hardly further behind than the least used of
//! those who are at work: time that was not used is not saved up, so idling gains nothing. What was
//! used beyond one's share is not forgotten either.
//!
//! A guest that was cancelled goes first, whoever it belongs to: it is polled to be dropped, which
//! gives back what it holds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::super::turns::Turns;
use crate::id::{Principal, TenantId};

/// A tenant, by its place among the accounts. Those stay for as long as the process runs: there are
/// as many as tenants that ever ran anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Account(usize);

/// CPU time divided by a weight, in nanoseconds and a fraction.
type Used = u128;

/// By how much CPU time is scaled up, so that dividing it by a weight loses nothing that counts.
const SCALE: Used = 1_000_000;

/// How far behind one may come back. Without it, a guest that waits for a moment would lose what
/// it was still to get: a tenant whose guests often wait would end up with less than its share.
pub(super) const BEHIND_MAX: Used = Duration::from_millis(5).as_nanos() * SCALE;

struct Tenant<T> {
    weight: u32,
    used: Used,
    /// All the CPU time that it used.
    cpu: Duration,
    ready: Turns<Arc<Principal>, T>,
    /// When the polls began that are under way.
    polled: Vec<Duration>,
}

impl<T> Tenant<T> {
    fn is_active(&self) -> bool {
        !self.ready.is_empty() || !self.polled.is_empty()
    }

    fn scaled(&self, cpu: Duration) -> Used {
        cpu.as_nanos() * SCALE / Used::from(self.weight)
    }

    /// What it will have used, as far as can be told, when the polls that are under way are charged.
    fn used_at(&self, now: Duration) -> Used {
        let under_way = self.polled.iter().map(|begun| now.saturating_sub(*begun));
        self.used + self.scaled(under_way.sum())
    }
}

/// The ready guests of all tenants. `T` stands for a guest that is to be polled.
pub(super) struct Fair<T> {
    tenants: Vec<Tenant<T>>,
    accounts: HashMap<TenantId, Account>,
    /// Those that have a guest ready or being polled.
    active: Vec<Account>,
    cancelled: VecDeque<(Account, T)>,
    /// The least that anybody at work has used. It never goes back.
    floor: Used,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self {
            tenants: Vec::new(),
            accounts: HashMap::new(),
            active: Vec::new(),
            cancelled: VecDeque::new(),
            floor: 0,
        }
    }
}

impl<T> Fair<T> {
    /// The account of a tenant, which has this weight from now on.
    pub(super) fn account(&mut self, tenant: &TenantId, weight: u32) -> Account {
        let weight = weight.max(1);
        if let Some(account) = self.accounts.get(tenant).copied() {
            if let Some(tenant) = self.tenants.get_mut(account.0) {
                tenant.weight = weight;
            }
            return account;
        }
        let account = Account(self.tenants.len());
        self.tenants.push(Tenant {
            weight,
            used: 0,
            cpu: Duration::ZERO,
            ready: Turns::default(),
            polled: Vec::new(),
        });
        self.accounts.insert(tenant.clone(), account);
        account
    }

    /// A guest is ready. Returns whether it should not have to wait for those that are being
    /// polled: its tenant has used less than one of theirs.
    pub(super) fn push(
        &mut self,
        (account, principal): (Account, &Arc<Principal>),
        guest: T,
        now: Duration,
    ) -> bool {
        let floor = self.floor();
        let Some(tenant) = self.tenants.get_mut(account.0) else {
            return false;
        };
        if !tenant.is_active() {
            tenant.used = tenant.used.max(floor.saturating_sub(BEHIND_MAX));
            self.active.push(account);
        }
        tenant.ready.push(principal, guest);
        let used = tenant.used_at(now);
        let mut others = self.active.iter().filter(|other| **other != account);
        others.any(|other| {
            let other = self.tenants.get(other.0);
            other.is_some_and(|it| !it.polled.is_empty() && it.used_at(now) >= used)
        })
    }

    /// A guest that was cancelled is ready.
    pub(super) fn push_cancelled(&mut self, account: Account, guest: T) {
        self.cancelled.push_back((account, guest));
    }

    /// A guest was cancelled: if it is ready, it is the next. Returns whether it was.
    pub(super) fn cancel(
        &mut self,
        (account, principal): (Account, &Arc<Principal>),
        is_it: impl Fn(&T) -> bool,
    ) -> bool {
        let tenant = self.tenants.get_mut(account.0);
        let guest = tenant.and_then(|tenant| tenant.ready.remove(principal, is_it));
        let was_ready = guest.is_some();
        self.cancelled.extend(guest.map(|guest| (account, guest)));
        self.rest(account);
        was_ready
    }

    /// The next guest to poll. The poll is under way until it is [charged](Self::charge).
    pub(super) fn pop(&mut self, now: Duration) -> Option<(Account, T)> {
        if let Some((account, guest)) = self.cancelled.pop_front() {
            self.begin(account, now);
            return Some((account, guest));
        }
        let of = |account: &Account| self.tenants.get(account.0);
        let ready = self.active.iter().copied();
        let ready = ready.filter(|it| of(it).is_some_and(|tenant| !tenant.ready.is_empty()));
        let account = ready.min_by_key(|it| of(it).map(|tenant| tenant.used_at(now)))?;
        self.forgo(of(&account)?.used);
        let guest = self.tenants.get_mut(account.0)?.ready.pop()?;
        self.begin(account, now);
        Some((account, guest))
    }

    /// A poll that began at `begun` has ended, and took so much CPU time.
    pub(super) fn charge(&mut self, account: Account, begun: Duration, cpu: Duration) {
        if let Some(tenant) = self.tenants.get_mut(account.0) {
            tenant.used += tenant.scaled(cpu);
            tenant.cpu += cpu;
            if let Some(at) = tenant.polled.iter().position(|it| *it == begun) {
                tenant.polled.swap_remove(at);
            }
        }
        self.rest(account);
    }

    /// How much a tenant has used for its weight, to compare with others.
    pub(super) fn used(&self, tenant: &TenantId) -> u128 {
        let used = self.of(tenant).map_or(0, |tenant| tenant.used);
        used.max(self.floor.saturating_sub(BEHIND_MAX))
    }

    /// All the CPU time that a tenant has used.
    pub(super) fn cpu(&self, tenant: &TenantId) -> Duration {
        self.of(tenant).map_or(Duration::ZERO, |tenant| tenant.cpu)
    }

    /// Takes out everything that is ready.
    pub(super) fn drain(&mut self) -> Vec<T> {
        let mut guests: Vec<_> = self.cancelled.drain(..).map(|(_, guest)| guest).collect();
        for tenant in &mut self.tenants {
            guests.extend(std::iter::from_fn(|| tenant.ready.pop()));
        }
        guests
    }

    fn of(&self, tenant: &TenantId) -> Option<&Tenant<T>> {
        let account = self.accounts.get(tenant)?;
        self.tenants.get(account.0)
    }

    /// Those that are at work.
    fn tenants(&self) -> impl Iterator<Item = &Tenant<T>> {
        let active = self.active.iter();
        active.filter_map(|account| self.tenants.get(account.0))
    }

    /// Those that are at work and have nothing ready get nothing now, though a thread is free: what
    /// they do not use is not saved up either. Else a tenant with few guests could keep all others
    /// from the CPU as soon as it has many.
    fn forgo(&mut self, used: Used) {
        for account in &self.active {
            if let Some(tenant) = self.tenants.get_mut(account.0)
                && tenant.ready.is_empty()
            {
                tenant.used = tenant.used.max(used.saturating_sub(BEHIND_MAX));
            }
        }
    }

    fn begin(&mut self, account: Account, now: Duration) {
        self.floor();
        if let Some(tenant) = self.tenants.get_mut(account.0) {
            if !tenant.is_active() {
                self.active.push(account);
            }
            tenant.polled.push(now);
        }
    }

    /// Brings the floor up to date.
    fn floor(&mut self) -> Used {
        let least = self.tenants().map(|tenant| tenant.used).min();
        self.floor = self.floor.max(least.unwrap_or_default());
        self.floor
    }

    /// Takes a tenant that is not at work any more out of the active ones.
    fn rest(&mut self, account: Account) {
        let tenant = self.tenants.get(account.0);
        if tenant.is_some_and(|tenant| !tenant.is_active()) {
            self.floor();
            self.active.retain(|other| *other != account);
        }
    }
}
