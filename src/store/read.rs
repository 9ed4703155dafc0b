//! Reads. Each is one call on a blocking thread, and looks at a bounded part of the disk.

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;

use super::account::Account;
use super::codec::{
    self, Facts, Head, Kept, Listed, StoredEvent, StoredOnce, StoredProgress, StoredRow, decode,
    decode_blob, decode_with_tail,
};
use super::disk::{Disk, Space};
use super::keys::{self, Key};
use super::options::LOOKED_AT_MAX;
use super::shared::{self, Shared};
use super::{Error, status_byte};
use crate::clock::Timestamp;
use crate::id::{Digest, InvalidId, Principal, TaskId, TaskKey, TenantId};
use crate::task::{self, Checkpoint, Entry, Mark, Once, Record, Status, StepKey};

/// The events that one read returns at most.
const EVENTS_MAX: usize = 1_024;

/// What an attempt starts from.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// What decides.
    pub journal: task::Journal,
    /// Outputs of rows, as far as they are held; [`super::Store::row_output`] reads the others.
    pub outputs: HashMap<StepKey, Arc<[u8]>>,
    /// What `once` steps returned, by step and input, as far as it is held;
    /// [`super::Store::once_output`] reads the others.
    pub once_outputs: HashMap<(StepKey, Digest), Arc<[u8]>>,
}

/// One entry of a task's event log.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Its number: greater than those of all events before.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The newest attempt then; for progress and lines, the one that they come from.
    pub attempt: u32,
    /// What.
    pub entry: Entry,
}

/// Which tasks a list holds. By default, all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only those in one of these states.
    pub statuses: Option<Vec<Status>>,
    /// Only those that belong to this principal.
    pub owner: Option<Principal>,
}

/// Where a page of a list ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    created: Timestamp,
    id: TaskId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parse = || {
            let (created, id) = text.split_once('.')?;
            let created = Timestamp(created.parse().ok()?);
            Some(Self {
                created,
                id: id.parse().ok()?,
            })
        };
        parse().ok_or(InvalidId {
            what: "cursor",
            rule: "what a page of a list gave as its next",
        })
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The tasks, newest first.
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// The record of `task`.
pub(super) fn record(disk: &Disk, task: &TaskKey) -> Result<Option<Arc<Record>>, Error> {
    Ok(charged_record(disk, task)?.map(|(record, _)| record))
}

/// The record of `task`, and what it is charged for.
fn charged_record(disk: &Disk, task: &TaskKey) -> Result<Option<(Arc<Record>, Account)>, Error> {
    let key = keys::head(task);
    let Some(bytes) = disk.get(&key)? else {
        return Ok(None);
    };
    let head: Head = decode(&key, &bytes)?;
    let account = head.account;
    match facts(disk, task)? {
        Some(facts) => Ok(Some((Arc::new(head.with(task.id, facts)), account))),
        // It was removed in between; or else something is wrong.
        None if disk.get(&key)?.is_none() => Ok(None),
        None => Err(codec::incomplete(task, "spec")),
    }
}

fn facts(disk: &Disk, task: &TaskKey) -> Result<Option<Facts>, Error> {
    let key = keys::spec(task);
    let Some(spec) = disk.get(&key)? else {
        return Ok(None);
    };
    let (marks, holes) = (keys::marks(task), keys::holes(task));
    let spec = Arc::new(decode(&key, &spec)?);
    let marks = match disk.get(&marks)? {
        Some(bytes) => decode(&marks, &bytes)?,
        None => Arc::default(),
    };
    let holes = match disk.get(&holes)? {
        Some(bytes) => decode(&holes, &bytes)?,
        None => Arc::default(),
    };
    Ok(Some(Facts { spec, marks, holes }))
}

/// The live tasks, and what they are charged for.
pub(super) fn live(disk: &Disk) -> Result<Vec<(shared::Kept, Account)>, Error> {
    let mut live = Vec::new();
    for key in disk.keys(&keys::all_live(), usize::MAX, |_| true)? {
        let task = keys::parse_task(&key.bytes);
        let task = task.ok_or_else(|| codec::corrupt(&key, "not a task"))?;
        let record = charged_record(disk, &task)?;
        let (record, account) = record.ok_or_else(|| codec::incomplete(&task, "head"))?;
        live.push(((task, Some(record)), account));
    }
    Ok(live)
}

/// The newest instant of the tasks that are not live any more.
pub(super) fn newest(disk: &Disk) -> Result<Timestamp, Error> {
    let key = keys::newest();
    match disk.get(&key)? {
        Some(bytes) => decode(&key, &bytes),
        None => Ok(Timestamp(0)),
    }
}

/// A blob.
pub(super) fn blob(disk: &Disk, key: &Key) -> Result<Option<Arc<[u8]>>, Error> {
    let bytes = disk.get(key)?;
    bytes
        .map(|bytes| decode_blob(key, &bytes).map(Arc::from))
        .transpose()
}

/// The rows of the current stretch that are alive, and every `once` record.
pub(super) fn journal(disk: &Disk, record: &Record, held_max: usize) -> Result<Journal, Error> {
    let task = record.key();
    let (mut rows, mut once) = (Vec::new(), Vec::new());
    let mut held = Held {
        room: held_max,
        journal: Journal::default(),
    };
    disk.scan(&keys::rows(&task, record.stretch), None, |key, value| {
        let (stored, tail): (StoredRow, _) = decode_with_tail(&key, value)?;
        let row = stored.row;
        if record.is_alive(row.place) && row.place <= record.seq {
            if stored.output == Kept::Inline && held.has_room(tail) {
                let outputs = &mut held.journal.outputs;
                outputs.insert(row.at.clone(), tail.into());
            }
            rows.push(row);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    disk.scan(&keys::all(Space::Once, &task), None, |key, value| {
        let (stored, tail): (StoredOnce, _) = decode_with_tail(&key, value)?;
        if stored.output == Some(Kept::Inline) && held.has_room(tail) {
            let at = (stored.once.at.clone(), stored.once.input);
            held.journal.once_outputs.insert(at, tail.into());
        }
        once.push(stored.once);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Journal {
        journal: task::Journal::new(record, rows, once),
        ..held.journal
    })
}

struct Held {
    room: usize,
    journal: Journal,
}

impl Held {
    fn has_room(&mut self, output: &[u8]) -> bool {
        let left = self.room.checked_sub(output.len());
        self.room = left.unwrap_or(self.room);
        left.is_some()
    }
}

/// The output of a row.
pub(super) fn row_output(
    disk: &Disk,
    task: &TaskKey,
    at: &StepKey,
) -> Result<Option<Arc<[u8]>>, Error> {
    let key = keys::row(task, at);
    let Some(bytes) = disk.get(&key)? else {
        return Ok(None);
    };
    let (stored, tail): (StoredRow, _) = decode_with_tail(&key, &bytes)?;
    if stored.output == Kept::Inline {
        return Ok(Some(tail.into()));
    }
    let blob = keys::row_blob(task, at.stretch, stored.row.place);
    kept_apart(disk, &key, &blob)
}

/// What a `once` step returned.
pub(super) fn once_output(
    disk: &Disk,
    task: &TaskKey,
    key: &Key,
) -> Result<Option<Arc<[u8]>>, Error> {
    let Some(bytes) = disk.get(key)? else {
        return Ok(None);
    };
    let (stored, tail): (StoredOnce, _) = decode_with_tail(key, &bytes)?;
    match stored.output {
        None => Ok(None),
        Some(Kept::Inline) => Ok(Some(tail.into())),
        Some(Kept::Apart) => {
            let Once { at, input, .. } = &stored.once;
            kept_apart(disk, key, &keys::once_blob(task, at, input))
        }
    }
}

/// The blob that the row at `key` speaks of, unless both were removed in between.
fn kept_apart(disk: &Disk, key: &Key, at: &Key) -> Result<Option<Arc<[u8]>>, Error> {
    match blob(disk, at)? {
        None if disk.get(key)?.is_some() => Err(codec::corrupt(at, "the output is missing")),
        output => Ok(output),
    }
}

/// A checkpoint.
pub(super) fn checkpoint(disk: &Disk, key: &Key) -> Result<Option<Checkpoint>, Error> {
    let Some(bytes) = disk.get(key)? else {
        return Ok(None);
    };
    let (mark, state): (Mark, _) = decode_with_tail(key, &bytes)?;
    let state = state.into();
    Ok(Some(Checkpoint { mark, state }))
}

/// A page of a tenant's list.
pub(super) fn list(
    (disk, shared): (&Disk, &Shared),
    tenant: &TenantId,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, Error> {
    let statuses = filter.statuses.as_ref();
    let statuses = statuses.map(|them| them.iter().copied().map(status_byte).collect::<Vec<_>>());
    let owner = filter.owner.as_ref().map(codec::owner);
    let wanted = |listed: &Listed| {
        let status = statuses.as_ref();
        status.is_none_or(|them| them.contains(&listed.status))
            && owner.is_none_or(|owner| owner == listed.owner)
    };
    let (mut ids, mut last, mut looked_at) = (Vec::new(), None, 0);
    let mut is_more = false;
    let from = after.map(|after| {
        let mut from = keys::listed(tenant, after.created, after.id).bytes;
        from.push(0);
        from
    });
    let prefix = keys::all_listed(tenant);
    disk.scan(&prefix, from.as_deref(), |key, value| {
        if ids.len() >= limit || looked_at >= LOOKED_AT_MAX {
            is_more = true;
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        let place = keys::parse_listed(tenant, &key.bytes);
        let (created, id) = place.ok_or_else(|| codec::corrupt(&key, "not an entry of a list"))?;
        if wanted(&decode(&key, value)?) {
            ids.push(id);
        }
        last = Some(Cursor { created, id });
        Ok(ControlFlow::Continue(()))
    })?;
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        let tenant = tenant.clone();
        let task = TaskKey { tenant, id };
        // Removed in between, where there is none.
        records.extend(match shared.live(&task) {
            Some(record) => Some(record),
            None => record(disk, &task)?,
        });
    }
    let next = last.filter(|_| is_more);
    Ok(Page { records, next })
}

/// Events after a number.
pub(super) fn events(
    disk: &Disk,
    task: &TaskKey,
    after: u64,
    limit: usize,
) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    let from = keys::event(task, after.saturating_add(1)).bytes;
    let limit = limit.min(EVENTS_MAX);
    let prefix = keys::all(Space::Events, task);
    disk.scan(&prefix, Some(&from), |key, value| {
        if events.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let number = keys::parse_event(&key.bytes);
        let number = number.ok_or_else(|| codec::corrupt(&key, "not an event"))?;
        events.push(event(number, decode(&key, value)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(events)
}

/// The most progress of a task.
pub(super) fn progress(disk: &Disk, task: &TaskKey) -> Result<Option<Event>, Error> {
    let key = keys::event(task, 0);
    let Some(bytes) = disk.get(&key)? else {
        return Ok(None);
    };
    let most: StoredProgress = decode(&key, &bytes)?;
    Ok(Some(event(most.number, most.event)))
}

fn event(number: u64, stored: StoredEvent) -> Event {
    Event {
        number,
        at: stored.at,
        attempt: stored.attempt,
        entry: stored.entry,
    }
}

/// Tasks that are to be removed at `now`, those whose removal was cut short first.
pub(super) fn expired(disk: &Disk, now: Timestamp, limit: usize) -> Result<Vec<TaskKey>, Error> {
    let begun = disk.keys(&keys::all_removed(), limit, |_| true)?;
    let mut tasks: Vec<_> = begun
        .iter()
        .filter_map(|key| keys::parse_task(&key.bytes))
        .collect();
    disk.scan(&keys::all_expiries(), None, |key, _| {
        let entry = keys::parse_expiry(&key.bytes);
        let (at, task) = entry.ok_or_else(|| codec::corrupt(&key, "not an expiry"))?;
        if at > now || tasks.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        tasks.push(task);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(tasks)
}
