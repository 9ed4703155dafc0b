//! The world outside, which tools act on, and a ghost that watches what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell::id::CheckpointId;
use stepwell::task::{Ending, StepKey};

/// Why a run, or the guest in it, does not go on.
pub(crate) enum Break {
    /// An invariant is broken.
    Bad(String),
    /// The process is gone.
    Crash,
    /// The host drops the guest inside a boundary.
    Drop,
    /// The host ends the attempt.
    End(Ending),
}

pub(crate) type Step<T> = Result<T, Break>;

/// An invariant.
pub(crate) fn need(holds: bool, message: impl FnOnce() -> String) -> Step<()> {
    if holds {
        Ok(())
    } else {
        Err(Break::Bad(message()))
    }
}

/// A service that a step calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// One that takes a key once.
    Dedup,
    /// One that does what it is told, however often.
    Plain,
}

/// What a service was brought to do.
#[derive(Clone)]
pub(crate) struct Did {
    service: Service,
    pub(crate) key: Arc<str>,
    pub(crate) what: String,
}

/// What services were brought to do, in order.
#[derive(Clone, Default)]
pub(crate) struct World(pub(crate) Vec<Did>);

impl World {
    pub(crate) fn act(&mut self, service: Service, key: &Arc<str>, what: &str) {
        if service == Service::Plain || self.keyed().all(|did| did.key != *key) {
            let (key, what) = (key.clone(), what.into());
            self.0.push(Did { service, key, what });
        }
    }

    /// What a service answers when it is asked whether it has done `what`.
    pub(crate) fn knows(&self, service: Service, key: &str, what: &str) -> bool {
        match service {
            Service::Dedup => self.keyed().any(|did| *did.key == *key && did.what == what),
            Service::Plain => self
                .0
                .iter()
                .any(|did| did.service == service && did.what == what),
        }
    }

    pub(crate) fn did(&self, what: &str) -> bool {
        self.0.iter().any(|did| did.what == what)
    }

    /// How often a service that takes a key once has done `what`.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.keyed().filter(|did| did.what == what).count()
    }

    fn keyed(&self) -> impl Iterator<Item = &Did> {
        self.0.iter().filter(|did| did.service == Service::Dedup)
    }
}

/// What really happened, for the invariants only.
#[derive(Clone, Default)]
pub(crate) struct Ghost {
    /// Effects whose step was acknowledged as complete, and where its row is.
    pub(crate) acked: BTreeMap<String, StepKey>,
    /// Those of the stretch that a client's checkpoint was saved in, by checkpoint.
    pub(crate) acked_at: BTreeMap<CheckpointId, Vec<(String, StepKey)>>,
    pub(crate) performed: BTreeSet<String>,
    pub(crate) key_of: BTreeMap<String, Arc<str>>,
    pub(crate) what_of: BTreeMap<Arc<str>, String>,
    /// Work that is to be paid for.
    pub(crate) work: u64,
    /// Questions as they are known outside, with the stretch's name and the restores before.
    pub(crate) asked: BTreeMap<Arc<str>, (StepKey, u32)>,
    /// Whether an attempt was told to stop.
    pub(crate) told: bool,
    /// Whether a cancel was acknowledged.
    pub(crate) cancelled: bool,
}

impl Ghost {
    /// Checks what an effect may never be, before it happens.
    pub(crate) fn before_effect(
        &mut self,
        (what, key): (&str, &Arc<str>),
        (once, in_doubt): (bool, bool),
    ) -> Step<()> {
        need(!self.acked.contains_key(what), || {
            format!("acknowledged step ran again: {what}")
        })?;
        let silent = once && !in_doubt && self.performed.contains(what);
        need(!silent, || {
            format!("once effect again without in-doubt: {what}")
        })?;
        let other = self
            .what_of
            .entry(key.clone())
            .or_insert_with(|| what.into());
        need(other == what, || format!("one key for {other} and {what}"))?;
        let other = self
            .key_of
            .entry(what.into())
            .or_insert_with(|| key.clone());
        need(other == key, || format!("{what} has two keys"))
    }
}
