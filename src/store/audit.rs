//! The audit on the disk: numbers, entries that wait to be written, and reading.
//!
//! Entries about tasks come with the changes that they speak of. Others wait here until the writer
//! passes by: whoever is refused can't hold it up, nor fill the disk, since of one asker only a few
//! refusals are written in an [`INTERVAL`], and then how many more there were.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::codec::{decode, encode};
use super::disk::Disk;
use super::group::{Draft, Step};
use super::{Error, keys};
use crate::audit::{Act, Entry, Who};
use crate::clock::Stopwatch;
use crate::id::{Digest, TenantId};

mod read;

pub(super) use read::{after, newest, sweep};

/// The time in which the refusals of one asker are counted.
const INTERVAL: Duration = Duration::from_secs(10);

/// The refusals of one asker that are written in an [`INTERVAL`].
const REFUSALS_MAX: u32 = 10;

/// The entries that wait for the writer at once.
const WAITING_MAX: usize = 4_096;

/// The askers that are told apart at once; past it all others count as one.
const ASKERS_MAX: usize = 1_024;

/// The numbers that are reserved at once.
const BLOCK: u64 = 4_096;

/// An entry on the disk.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredEntry {
    /// The digest of the entry before it, of its number and of what it says: room for the chain by
    /// which a reader can tell that nothing was changed. Nothing is chained in this version.
    pub(super) chain: Option<Digest>,
    pub(super) entry: Entry,
}

/// Who is refused, as far as refusals are counted: whatever program speaks for them, since that is
/// what the program says of itself. All strangers are one.
type Asker = Option<(TenantId, Arc<str>, Arc<str>)>;

/// The refusals of one asker.
struct Window {
    since: Stopwatch,
    written: u32,
    /// How many were not written, and the last of them.
    dropped: Option<(u64, Entry)>,
}

/// What waits for the writer.
#[derive(Default)]
pub(super) struct Buffer {
    waiting: Vec<Entry>,
    windows: HashMap<Asker, Window>,
    /// Since when nobody has looked for windows that are over.
    looked: Option<Stopwatch>,
}

impl Buffer {
    /// Adds an entry. Returns whether the writer has to be told.
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        let was_empty = self.waiting.is_empty();
        if !matches!(entry.act, Act::Refused { .. }) {
            if self.waiting.len() < WAITING_MAX {
                self.waiting.push(entry);
            } else {
                tracing::warn!(?entry, "an entry of the audit was lost");
            }
            return was_empty;
        }
        let window = window_of(&mut self.windows, &entry);
        if window.written < REFUSALS_MAX && self.waiting.len() < WAITING_MAX {
            window.written += 1;
            self.waiting.push(entry);
            return was_empty;
        }
        let earlier = window.dropped.take();
        let count = earlier.as_ref().map_or(0, |(count, _)| *count) + 1;
        window.dropped = Some((count, entry));
        earlier.is_none()
    }

    /// Takes out what waits, and what is to be said of windows that are over: of all, if there is no
    /// later.
    pub(super) fn take(&mut self, is_last: bool) -> Vec<Entry> {
        let mut taken = std::mem::take(&mut self.waiting);
        if self.windows.is_empty() {
            return taken;
        }
        let looked = *self.looked.get_or_insert_with(Stopwatch::start);
        if is_last || looked.elapsed() >= INTERVAL / 10 {
            self.looked = Some(Stopwatch::start());
            self.windows.retain(|_, window| {
                let is_over = is_last || window.since.elapsed() >= INTERVAL;
                if is_over {
                    taken.extend(window.dropped.take().map(dropped));
                }
                !is_over
            });
        }
        taken
    }

    /// Whether anything is still to be said of refusals that were not written.
    pub(super) fn is_holding(&self) -> bool {
        self.windows.values().any(|window| window.dropped.is_some())
    }
}

fn window_of<'a>(windows: &'a mut HashMap<Asker, Window>, entry: &Entry) -> &'a mut Window {
    let asker = match &entry.by {
        Who::Principal(by) => Some((by.tenant.clone(), by.issuer.clone(), by.subject.clone())),
        Who::Host | Who::Tool | Who::Stranger(_) => None,
    };
    let is_known = windows.len() < ASKERS_MAX || windows.contains_key(&asker);
    let asker = asker.filter(|_| is_known);
    windows.entry(asker).or_insert_with(|| Window {
        since: Stopwatch::start(),
        written: 0,
        dropped: None,
    })
}

/// The entry that says how many are missing, as of the last of them.
fn dropped((count, last): (u64, Entry)) -> Entry {
    Entry {
        act: Act::Dropped { count },
        ..last
    }
}

/// The numbers of entries.
pub(super) struct Numbers {
    next: u64,
    /// The first that is not reserved.
    end: u64,
}

impl Numbers {
    /// From the end of what is reserved: nobody can tell how much of that was used.
    pub(super) fn read(disk: &Disk) -> Result<Self, Error> {
        let key = keys::numbered();
        let end = disk.get(&key)?.map(|bytes| decode(&key, &bytes));
        let next = end.transpose()?.unwrap_or(1);
        Ok(Self { next, end: next })
    }

    /// Gives the draft's entries their numbers, and stages them. None is ever given twice: they are
    /// reserved on the disk before anybody can read one, ahead of need where it is synced anyway.
    pub(super) fn stage(&mut self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let entries = std::mem::take(&mut draft.audit);
        if entries.is_empty() {
            return Ok(());
        }
        let mut step = Step::default();
        let count = entries.len() as u64;
        let margin = if draft.durable { BLOCK / 2 } else { 0 };
        if self.next + count + margin > self.end {
            self.end = self.next + count + BLOCK;
            step.put(keys::numbered(), encode(&self.end, &[])?);
            step.durable = true;
        }
        for entry in entries {
            let stored = StoredEntry { chain: None, entry };
            step.put(keys::audit(self.next), encode(&stored, &[])?);
            self.next += 1;
        }
        draft.add(step);
        Ok(())
    }

    /// The number of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Lets go of what is reserved: the next to open the store goes on from here.
    pub(super) fn stage_last(&mut self, draft: &mut Draft<'_>) -> Result<(), Error> {
        if self.end != self.next {
            self.end = self.next;
            let mut step = Step::default();
            step.put(keys::numbered(), encode(&self.end, &[])?);
            draft.add(step);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
