//! Who is loaded next: bounded queues of tenants before a fixed number of slots.
//!
//! A guest is loaded when it has a slot. There are never more than the sandbox's pool holds, and
//! none past what its tenant and the process may load at once, by number and by the memory that
//! the guests may come to use; so it is never the pool, nor the machine, that refuses. The next slot
//! goes to the tenant that has used least CPU time for its weight, the order in which guests are
//! polled too. Within a tenant, work that frees resources goes first: tasks that are to tidy up,
//! then those that go on, then new ones; and principals take turns. Between tenants that makes no
//! difference, or one with many tasks that go on would keep the new ones of all others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::supervisor::Message;
use super::tenants::Tenants;
use super::turns::Turns;
use crate::id::{Principal, TaskId, TaskKey, TenantId};
use crate::sandbox::Meter;

/// What waits for a slot.
pub(super) enum Ready {
    /// A task, which is looked up when it is its turn.
    Task(TaskKey),
    /// A call that is kept nowhere but here, by an id of its own.
    Call(TaskId, oneshot::Sender<Slot>),
}

impl Ready {
    fn is_task(&self, task: &TaskKey) -> bool {
        matches!(self, Self::Task(it) if it == task)
    }
}

/// Whose guest it is, and how much memory it may come to use.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) owner: &'a Principal,
    pub(super) memory: u64,
}

/// Which comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    TidyUp,
    GoOn,
    New,
}

/// The part of all places that is kept for tenants with few in line.
const RESERVE: usize = 10;

/// Up to which part of all places a tenant has few in line.
const FEW: usize = 1_000;

/// What all guests together may hold.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_field_names,
    reason = "they are called as the settings are"
)]
pub(super) struct Caps {
    pub(super) running_max: usize,
    pub(super) queued_max: usize,
    pub(super) memory_max: u64,
}

/// What is held, by one tenant or by all.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) running: usize,
    pub(super) queued: usize,
    /// The memory that the guests may come to use.
    pub(super) reserved: u64,
}

impl Held {
    fn with(&self, memory: u64) -> u64 {
        self.reserved.saturating_add(memory)
    }

    /// Whether another guest fits. A single one always does: its limits were checked when it was
    /// accepted, and caps that are lower since then must not keep it waiting for ever.
    fn has_room(&self, memory: u64, (running_max, memory_max): (usize, u64)) -> bool {
        let fits = self.with(memory) <= memory_max || self.running == 0;
        self.running < running_max && fits
    }

    fn load(&mut self, memory: u64) {
        self.running += 1;
        self.reserved = self.with(memory);
    }

    fn unload(&mut self, memory: u64) {
        self.running = self.running.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(memory);
    }
}

/// The desk at which slots are asked for and given back. Cheap to clone.
#[derive(Clone)]
pub(super) struct Admission(Arc<Desk>);

struct Desk {
    state: Mutex<State>,
    caps: Caps,
    tenants: Tenants,
    /// Told when a slot is free again and somebody waits for one.
    look: mpsc::UnboundedSender<Message>,
}

#[derive(Default)]
struct State {
    lines: HashMap<TenantId, Line>,
    all: Held,
    waiting: usize,
    is_closed: bool,
    /// The meters of those that are loaded.
    meters: HashMap<u64, Arc<Meter>>,
    slots: u64,
}

/// A tenant's line.
#[derive(Default)]
struct Line {
    held: Held,
    /// How often others went first because the first of this needs more memory than is free.
    passed: usize,
    classes: [Turns<Principal, Waiting>; 3],
}

struct Waiting {
    ready: Ready,
    memory: u64,
    /// Whether it is one of those whose number is bounded.
    is_counted: bool,
}

impl Line {
    fn first(&self) -> Option<&Waiting> {
        self.classes.iter().find_map(Turns::peek)
    }

    fn of(&mut self, class: Class) -> &mut Turns<Principal, Waiting> {
        let [tidy_up, go_on, new] = &mut self.classes;
        match class {
            Class::TidyUp => tidy_up,
            Class::GoOn => go_on,
            Class::New => new,
        }
    }

    fn take_first(&mut self) -> Option<Waiting> {
        self.passed = 0;
        let mut classes = self.classes.iter_mut();
        classes.find(|class| !class.is_empty())?.pop()
    }
}

impl Admission {
    pub(super) fn new(caps: Caps, tenants: Tenants, look: mpsc::UnboundedSender<Message>) -> Self {
        Self(Arc::new(Desk {
            state: Mutex::default(),
            caps,
            tenants,
            look,
        }))
    }

    /// A place in the line of `tenant`, or a refusal at once.
    pub(super) fn place(&self, tenant: &TenantId) -> Result<Place, Full> {
        let max = self.0.tenants.share(tenant).queued_max;
        let mut state = self.0.state();
        let (all, own) = (state.all.queued, state.of(tenant).queued);
        if all >= self.0.caps.queued_max_for(own) {
            let (queued, max) = (all, self.0.caps.queued_max);
            return Err(Full::All { queued, max });
        }
        if own >= max {
            return Err(Full::Tenant { queued: own, max });
        }
        state.all.queued += 1;
        let line = state.lines.entry(tenant.clone()).or_default();
        line.held.queued += 1;
        Ok(Place(Some((self.0.clone(), tenant.clone()))))
    }

    /// The most memory that one task of `tenant` may ask for.
    pub(super) fn memory_max(&self, tenant: &TenantId) -> u64 {
        let share = self.0.tenants.share(tenant);
        share.memory_max.min(self.0.caps.memory_max)
    }

    /// The weight of `tenant` where the CPU is shared.
    pub(super) fn weight(&self, tenant: &TenantId) -> u32 {
        self.0.tenants.share(tenant).weight
    }

    /// Lines up.
    pub(super) fn push(&self, class: Class, ready: Ready, asker: Asker<'_>, place: Option<Place>) {
        let mut state = self.0.state();
        if state.is_closed {
            return;
        }
        let waiting = Waiting {
            ready,
            memory: asker.memory,
            is_counted: place.map(Place::keep).is_some(),
        };
        state.waiting += 1;
        let line = state.lines.entry(asker.owner.tenant.clone()).or_default();
        line.of(class).push(asker.owner, waiting);
    }

    /// A slot at once, where there is room, and nobody waits who could have it.
    pub(super) fn slot(&self, asker: Asker<'_>) -> Option<Slot> {
        let mut state = self.0.state();
        let tenant = &asker.owner.tenant;
        let is_free = !state.is_closed
            && state.all.has_room(asker.memory, self.0.caps.of_all())
            && !state
                .lines
                .iter()
                .any(|(tenant, line)| self.0.may_go(tenant, line));
        let line = state.lines.entry(tenant.clone()).or_default();
        let is_free = is_free && line.held.has_room(asker.memory, self.0.caps_of(tenant));
        let slot = is_free.then(|| state.load(&self.0, tenant, asker.memory));
        state.tidy(tenant);
        slot
    }

    /// The next to be loaded, with its slot, while there is room: of the tenant that has used
    /// least.
    ///
    /// Whoever needs more memory than is free lets others go first, but only those who would hold
    /// less than it, and not for ever: past a number, nobody is loaded until it fits.
    pub(super) fn pop(&self, used: impl Fn(&TenantId) -> u128) -> Option<(Ready, Slot)> {
        let desk = &self.0;
        let mut state = desk.state();
        let (mut passed, mut least) = (Vec::new(), u64::MAX);
        loop {
            if state.waiting == 0 || state.all.running >= desk.caps.running_max {
                return None;
            }
            let may_go = |(tenant, line): &(&TenantId, &Line)| {
                let would_hold = line.first().map(|first| line.held.with(first.memory));
                desk.may_go(tenant, line)
                    && would_hold.is_some_and(|would_hold| would_hold < least)
                    && !passed.contains(*tenant)
            };
            let lines = state.lines.iter().filter(may_go);
            // Who has used as much as another, but holds less, is first.
            let rank = |(tenant, line): &(&TenantId, &Line)| (used(tenant), line.held.running);
            let (tenant, line) = lines.min_by_key(rank)?;
            let (tenant, memory) = (tenant.clone(), line.first()?.memory);
            if state.all.has_room(memory, desk.caps.of_all()) {
                state.note_passed(&passed);
                return state.take(desk, &tenant);
            }
            if line.passed >= desk.caps.running_max {
                return None;
            }
            least = line.held.with(memory);
            passed.push(tenant);
        }
    }

    /// Whether a task waits in this class.
    pub(super) fn has(&self, class: Class, task: &TaskKey, owner: &Principal) -> bool {
        let mut state = self.0.state();
        let line = state.lines.get_mut(&task.tenant);
        line.is_some_and(|line| line.of(class).any(owner, |it| it.ready.is_task(task)))
    }

    /// Takes a task out that needs no slot any more, or another turn. Returns its place.
    pub(super) fn remove(&self, task: &TaskKey, owner: &Principal) -> Option<Place> {
        let waiting = self.take_out(owner, |it| it.is_task(task))?;
        let place = || Place(Some((self.0.clone(), task.tenant.clone())));
        waiting.is_counted.then(place)
    }

    /// Takes a call out whose caller has gone away.
    pub(super) fn withdraw(&self, call: TaskId, owner: &Principal) {
        let is_it = |ready: &Ready| matches!(ready, Ready::Call(id, _) if *id == call);
        let waiting = self.take_out(owner, is_it);
        if waiting.is_some_and(|waiting| waiting.is_counted) {
            drop(Place(Some((self.0.clone(), owner.tenant.clone()))));
        }
    }

    /// Sends everybody away who waits, and gives out no slot any more. A task that waits is in the
    /// store as well, and stays there.
    pub(super) fn close(&self) {
        let mut state = self.0.state();
        state.is_closed = true;
        state.waiting = 0;
        let State { lines, all, .. } = &mut *state;
        let mut gone = Vec::new();
        for line in lines.values_mut() {
            while let Some(waiting) = line.take_first() {
                line.held.queued -= usize::from(waiting.is_counted);
                all.queued -= usize::from(waiting.is_counted);
                gone.push(waiting);
            }
        }
        // Whoever is told may ask for something here.
        drop(state);
        drop(gone);
    }

    /// What is held by all.
    pub(super) fn all(&self) -> Held {
        self.0.state().all
    }

    /// What `tenant` holds.
    pub(super) fn of(&self, tenant: &TenantId) -> Held {
        self.0.state().of(tenant)
    }

    /// The linear memory that all loaded guests use.
    pub(super) fn memory(&self) -> u64 {
        let state = self.0.state();
        state.meters.values().map(|meter| meter.memory()).sum()
    }

    fn take_out(&self, owner: &Principal, is_it: impl Fn(&Ready) -> bool) -> Option<Waiting> {
        let mut state = self.0.state();
        let line = state.lines.get_mut(&owner.tenant)?;
        let mut classes = line.classes.iter_mut();
        let waiting = classes.find_map(|class| class.remove(owner, |it| is_it(&it.ready)))?;
        state.waiting -= 1;
        state.tidy(&owner.tenant);
        Some(waiting)
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the first in the line has room in what its tenant may hold.
    fn may_go(&self, tenant: &TenantId, line: &Line) -> bool {
        let first = line.first();
        first.is_some_and(|first| line.held.has_room(first.memory, self.caps_of(tenant)))
    }

    fn caps_of(&self, tenant: &TenantId) -> (usize, u64) {
        let share = self.tenants.share(tenant);
        (share.running_max, share.memory_max)
    }
}

impl Caps {
    fn of_all(&self) -> (usize, u64) {
        (self.running_max, self.memory_max)
    }

    /// The most that may be in all lines for a tenant to line up that has `own` there. The last of
    /// the places are for those with few, so that no two or three tenants with long lines keep
    /// everybody else out.
    fn queued_max_for(&self, own: usize) -> usize {
        let has_few = own < (self.queued_max / FEW).max(1);
        let kept = if has_few {
            0
        } else {
            self.queued_max / RESERVE
        };
        self.queued_max - kept
    }
}

impl State {
    fn of(&self, tenant: &TenantId) -> Held {
        let line = self.lines.get(tenant);
        line.map_or_else(Held::default, |line| line.held)
    }

    /// Takes the first of `tenant`, and gives it a slot.
    fn take(&mut self, desk: &Arc<Desk>, tenant: &TenantId) -> Option<(Ready, Slot)> {
        let line = self.lines.get_mut(tenant)?;
        let first = line.take_first()?;
        self.waiting -= 1;
        if first.is_counted {
            line.held.queued -= 1;
            self.all.queued -= 1;
        }
        let slot = self.load(desk, tenant, first.memory);
        Some((first.ready, slot))
    }

    fn note_passed(&mut self, tenants: &[TenantId]) {
        for tenant in tenants {
            if let Some(line) = self.lines.get_mut(tenant) {
                line.passed += 1;
            }
        }
    }

    fn load(&mut self, desk: &Arc<Desk>, tenant: &TenantId, memory: u64) -> Slot {
        self.all.load(memory);
        let line = self.lines.entry(tenant.clone()).or_default();
        line.held.load(memory);
        self.slots += 1;
        Slot {
            desk: desk.clone(),
            tenant: tenant.clone(),
            memory,
            number: self.slots,
        }
    }

    /// Forgets the line of a tenant that has nothing any more.
    fn tidy(&mut self, tenant: &TenantId) {
        let is_over =
            |line: &Line| line.held.running == 0 && line.held.queued == 0 && line.first().is_none();
        if self.lines.get(tenant).is_some_and(is_over) {
            self.lines.remove(tenant);
        }
    }
}

/// Why there is no place in the line.
pub(super) enum Full {
    /// So many of this tenant wait already.
    Tenant { queued: usize, max: usize },
    /// So many of all tenants do.
    All { queued: usize, max: usize },
}

/// A place in the line, taken before a task is accepted. Dropping it gives it back.
pub(super) struct Place(Option<(Arc<Desk>, TenantId)>);

impl Place {
    /// Leaves the place to what is in it.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((desk, tenant)) = self.0.take() {
            let mut state = desk.state();
            state.all.queued -= 1;
            if let Some(line) = state.lines.get_mut(&tenant) {
                line.held.queued -= 1;
            }
            state.tidy(&tenant);
        }
    }
}

/// The right to load one guest. Dropping it frees the slot.
pub(super) struct Slot {
    desk: Arc<Desk>,
    tenant: TenantId,
    memory: u64,
    number: u64,
}

impl Slot {
    /// Says what its guest uses.
    pub(super) fn metered(&self, meter: Arc<Meter>) {
        self.desk.state().meters.insert(self.number, meter);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        state.meters.remove(&self.number);
        state.all.unload(self.memory);
        if let Some(line) = state.lines.get_mut(&self.tenant) {
            line.held.unload(self.memory);
        }
        state.tidy(&self.tenant);
        if state.waiting > 0 {
            // A supervisor that is gone has no use for the slot.
            let _ = self.desk.look.send(Message::Look);
        }
    }
}

#[cfg(test)]
mod tests;
