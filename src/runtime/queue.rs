//! Who runs next: a bounded queue before a fixed number of slots.
//!
//! Work that frees resources goes first: tasks that are to tidy up, then those that go on, then
//! new ones. The slots never exceed what the sandbox's pool holds, so the pool is never the one to
//! refuse. Sharing them fairly between tenants is the business of whoever orders the queue; this
//! is the place for it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::supervisor::Message;
use crate::id::TaskKey;

/// The right to load one guest. Dropping it frees the slot.
pub(super) struct Slot(mpsc::UnboundedSender<Message>);

impl Drop for Slot {
    fn drop(&mut self) {
        // A supervisor that is gone has no use for the slot.
        let _ = self.0.send(Message::Freed);
    }
}

/// A place in the queue, taken before a task is accepted. Dropping it gives it back.
pub(super) type Place = OwnedSemaphorePermit;

/// What waits for a slot.
pub(super) enum Ready {
    /// A task, which is looked up when it is its turn.
    Task(TaskKey),
    /// A call that is kept nowhere but here.
    Call(oneshot::Sender<Slot>),
}

impl Ready {
    fn is_gone(&self) -> bool {
        matches!(self, Self::Call(asker) if asker.is_closed())
    }
}

/// Which comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    TidyUp,
    GoOn,
    New,
}

/// The queue, as the supervisor keeps it.
pub(super) struct Queue {
    classes: [VecDeque<(Ready, Option<Place>)>; 3],
    slots_free: usize,
    freed: mpsc::UnboundedSender<Message>,
}

impl Queue {
    pub(super) fn new(slots: usize, freed: mpsc::UnboundedSender<Message>) -> Self {
        Self {
            classes: Default::default(),
            slots_free: slots,
            freed,
        }
    }

    pub(super) fn push(&mut self, class: Class, ready: Ready, place: Option<Place>) {
        let queue = self.of(class);
        if matches!(ready, Ready::Call(_)) {
            // Callers that have gone away leave their asking behind.
            queue.retain(|(ready, _)| !ready.is_gone());
        }
        queue.push_back((ready, place));
    }

    /// Whether a task waits in this class.
    pub(super) fn has(&mut self, class: Class, task: &TaskKey) -> bool {
        let mut queue = self.of(class).iter();
        queue.any(|(ready, _)| matches!(ready, Ready::Task(it) if it == task))
    }

    fn of(&mut self, class: Class) -> &mut VecDeque<(Ready, Option<Place>)> {
        let [tidy_up, go_on, new] = &mut self.classes;
        match class {
            Class::TidyUp => tidy_up,
            Class::GoOn => go_on,
            Class::New => new,
        }
    }

    /// The next to run, with its slot, while there is one.
    pub(super) fn pop(&mut self) -> Option<(Ready, Slot)> {
        if self.slots_free == 0 {
            return None;
        }
        let (ready, _place) = self.classes.iter_mut().find_map(VecDeque::pop_front)?;
        self.slots_free -= 1;
        Some((ready, Slot(self.freed.clone())))
    }

    /// Takes a task out that needs no slot any more, or another turn. Returns its place.
    pub(super) fn remove(&mut self, task: &TaskKey) -> Option<Place> {
        let is_it = |(ready, _): &(Ready, _)| matches!(ready, Ready::Task(it) if it == task);
        for class in &mut self.classes {
            if let Some(index) = class.iter().position(is_it) {
                return class.remove(index).and_then(|(_, place)| place);
            }
        }
        None
    }

    pub(super) fn free(&mut self) {
        self.slots_free += 1;
    }

    pub(super) fn slots_free(&self) -> usize {
        self.slots_free
    }
}

/// The bound of the queue.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    bound: usize,
}

impl Places {
    pub(super) fn new(bound: usize) -> Self {
        let bound = bound.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(bound)),
            bound,
        }
    }

    /// A place, or nothing at once if the queue is full.
    pub(super) fn take(&self) -> Option<Place> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.bound - self.free.available_permits()
    }
}
