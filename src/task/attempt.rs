//! One attempt: what it was shown, what it has at work, and whether it was told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fenced, Journal, Once, Record, Row, StepKey, Usage};
use crate::id::Digest;

/// What the host wants of a loaded guest, beside what is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// Somebody asked to pause the task.
    pub pause: bool,
    /// The process is about to end, or needs the place.
    pub drain: bool,
}

impl Wants {
    pub(super) fn suspension(self) -> bool {
        self.pause || self.drain
    }
}

/// A step at work.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) key: Arc<str>,
    pub(super) input: Digest,
    pub(super) once: bool,
}

/// One attempt at a task: the volatile half of what the boundary rules look at.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// What it knows of the journal.
    pub journal: Journal,
    pub(super) work: BTreeMap<Arc<str>, Work>,
    pub(super) fresh: bool,
    pub(super) told: bool,
    pub(super) grace_used: u64,
    grace_runs: bool,
    raised: bool,
}

impl Attempt {
    /// An attempt at the task as `record` has it, which knows `journal`.
    pub fn new(record: &Record, journal: Journal) -> Self {
        Self {
            number: record.attempt,
            journal,
            work: BTreeMap::new(),
            fresh: false,
            told: false,
            grace_used: record.state.stop().map_or(0, |stop| stop.grace_used),
            grace_runs: false,
            raised: false,
        }
    }

    /// Whether it was told to stop.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// The name of a step at work, the first of them.
    pub fn at_work(&self) -> Option<&Arc<str>> {
        self.work.keys().next()
    }

    /// The idempotency key of the step at work called `name`.
    pub fn key(&self, name: &str) -> Option<&Arc<str>> {
        self.work.get(name).map(|work| &work.key)
    }

    /// Whether this attempt's meter must now become the larger of its own and the recorded one.
    ///
    /// It must before the attempt first enters a fresh step, waits, or writes any record; so a
    /// replay is not paid twice, and a crash loses at most what was used since the last record.
    pub fn take_raise(&mut self) -> bool {
        !std::mem::replace(&mut self.raised, true)
    }

    /// Whether grace is being spent: from the first fresh boundary after the request on, or from
    /// the request while a step is at work.
    pub fn grace_runs(&mut self, record: &Record) -> bool {
        let pending = record.state.stop().is_some();
        self.grace_runs |= pending && !self.work.is_empty();
        self.grace_runs
    }

    /// The grace that was spent, over all attempts, in milliseconds.
    pub fn grace_used(&self) -> u64 {
        self.grace_used
    }

    /// Names of the `once` steps that may or may not have taken effect, and that nobody will ask
    /// about any more should the task end here: those that the tool never asked for, and those at
    /// work.
    pub fn doubts(&self) -> Vec<Arc<str>> {
        let work = self
            .work
            .iter()
            .filter(|(_, work)| work.once)
            .map(|(name, _)| name.clone());
        self.journal.doubts().into_iter().chain(work).collect()
    }

    /// Notes how much grace was spent so far, over all attempts, in milliseconds.
    pub fn spend_grace(&mut self, used: u64) {
        self.grace_used = self.grace_used.max(used);
    }

    /// What leads each of this attempt's writes.
    pub fn fenced(&self, usage: Usage) -> Fenced {
        Fenced {
            attempt: self.number,
            usage,
            grace_used: self.grace_used,
            told: self.told,
        }
    }

    /// Notes that this boundary is not answered from the journal.
    pub(super) fn freshen(&mut self, record: &Record) {
        self.fresh = true;
        self.grace_runs |= record.state.stop().is_some();
    }

    /// Whether the tool is to be told now: a stop is recorded, this attempt was not told, and it
    /// was shown all that was done in the world, or half of the grace is spent.
    pub(super) fn stop_due(&self, record: &Record) -> bool {
        let Some(stop) = record.state.stop() else {
            return false;
        };
        let late = self.grace_runs && self.grace_used.saturating_mul(2) >= stop.grace;
        !self.told && (late || self.journal.unseen(record.stretch) == 0)
    }

    /// Notes that the `once` start of a step is durable.
    pub fn began_once(&mut self, once: Once) {
        let known = super::journal::Known {
            it: once,
            shown: true,
        };
        self.journal
            .once
            .entry(known.it.at.clone())
            .or_default()
            .push(known);
    }

    /// Notes that the step's row is durable, and with it its `once` record.
    pub fn completed(&mut self, row: Row) {
        for known in self.journal.once.get_mut(&row.at).into_iter().flatten() {
            known.it.completed |= known.it.input == row.input;
        }
        self.journal.rows.insert(
            row.at.clone(),
            super::journal::Known {
                it: row,
                shown: true,
            },
        );
    }

    /// Notes that a checkpoint is durable: names may be used again.
    pub fn saved(&mut self, record: &Record) {
        self.journal
            .rows
            .retain(|at, _| at.stretch >= record.stretch);
    }

    pub(super) fn at(record: &Record, name: &Arc<str>) -> StepKey {
        StepKey {
            stretch: record.stretch,
            name: name.clone(),
        }
    }
}
