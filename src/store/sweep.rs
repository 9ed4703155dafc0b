//! Removal, in pages, of what nobody can come back to.
//!
//! What is to go is found on a reading thread, and found again to be of no use by the writer: in
//! between, a row may have been written anew at the same name.

use super::account::Delta;
use super::codec::{self, Head, KeyHolder, StoredRow, decode, decode_with_tail, encode};
use super::disk::{Disk, Space};
use super::group::{Draft, Step};
use super::keys::{self, Key};
use super::log::Tallies;
use super::notes::{self, Owners};
use super::options::REMOVED_AT_ONCE;
use super::shared::Handle;
use super::writer::Request;
use super::{Error, Refused};
use crate::clock::Timestamp;
use crate::id::TaskKey;
use crate::task::{Record, Stretch};

/// Where rows of a task are, in the order of their removal: an output after what names it.
const SPACES: [Space; 5] = [
    Space::Steps,
    Space::Once,
    Space::Checkpoints,
    Space::Events,
    Space::Blobs,
];

/// Removes an expired task. Returns whether there was one.
pub(super) async fn remove(handle: &Handle, task: &TaskKey, now: Timestamp) -> Result<bool, Error> {
    let forget = |reply| Request::Forget(task.clone(), now, reply);
    if !handle.ask(forget).await?.map_err(store_error)? {
        return Ok(false);
    }
    for space in SPACES {
        loop {
            let all = keys::all(space, task);
            let page = handle
                .read(move |disk| disk.keys(&all, REMOVED_AT_ONCE, |_| true))
                .await?;
            if page.is_empty() {
                break;
            }
            request_removal(handle, task, page).await?;
        }
    }
    request_removal(handle, task, vec![keys::removed(task)]).await?;
    Ok(true)
}

/// Removes the dead rows of a task, and returns how many keys that were.
pub(super) async fn sweep(handle: &Handle, task: &TaskKey) -> Result<usize, Error> {
    let mut removed = 0;
    for find in [dead_rows, dead_blobs] {
        let mut after = None;
        loop {
            let Some(record) = handle.shared().live(task) else {
                // An ended task is removed as a whole, and its rows may be forked until then.
                return Ok(removed);
            };
            let (owned, from) = (task.clone(), after.take());
            let page = handle.read(move |disk| find(disk, (&owned, &record), from.as_ref()));
            let page = page.await?;
            if !page.dead.is_empty() {
                removed += request_removal(handle, task, page.dead).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(removed)
}

async fn request_removal(handle: &Handle, task: &TaskKey, keys: Vec<Key>) -> Result<usize, Error> {
    let removal = |reply| Request::Remove(task.clone(), keys, reply);
    handle.ask(removal).await?.map_err(store_error)
}

/// A removal is refused for no other reason than the store's.
pub(super) fn store_error(refused: Refused) -> Error {
    match refused {
        Refused::Store(error) => error,
        other => Error::Failed {
            cause: other.to_string().into(),
        },
    }
}

/// Stages the removal of a record, with all that leads to it. Its rows go later; until then an
/// entry keeps the removal in mind.
pub(super) fn stage_forget(
    draft: &Draft<'_>,
    owners: &mut Owners,
    (task, now): (&TaskKey, Timestamp),
) -> Result<(Step, bool), Refused> {
    let mut step = Step::default();
    let Some(record) = draft.record(task)? else {
        return Ok((step, draft.get(&keys::removed(task))?.is_some()));
    };
    if !record.state.is_terminal() || record.expires() > now {
        return Ok((step, false));
    }
    let spec = &record.spec;
    let head = keys::head(task);
    if let Some(bytes) = draft.get(&head)? {
        let head: Head = decode(&head, &bytes)?;
        let gone = head.account.gone();
        step.charged.push((task.tenant.clone(), gone));
        step.settled.push((task.tenant.clone(), gone));
    }
    notes::free_name((draft, &mut step), owners, &record)?;
    for key in [
        head,
        keys::spec(task),
        keys::marks(task),
        keys::holes(task),
        keys::listed(&task.tenant, spec.created, task.id),
        keys::expiry(record.expires(), task),
    ] {
        step.remove(key);
    }
    if let Some(of) = codec::key_of(spec) {
        let key = keys::idempotency(&task.tenant, &of);
        if let Some(bytes) = draft.get(&key)? {
            let holder: KeyHolder = decode(&key, &bytes)?;
            if holder.task == task.id {
                step.remove(key);
            }
        }
    }
    step.put(keys::removed(task), encode(&(), &[])?);
    step.records.push((task.clone(), None));
    Ok((step, true))
}

/// Stages the removal of those of `keys` that are still of no use.
pub(super) fn stage_remove(
    draft: &Draft<'_>,
    tallies: &mut Tallies,
    (task, keys): (&TaskKey, Vec<Key>),
) -> Result<(Step, usize), Refused> {
    let record = draft.record(task)?;
    let (mut step, mut freed) = (Step::default(), 0);
    for key in keys {
        let is_dead = match &record {
            None => true,
            Some(record) => place(draft, task, &key)?.is_some_and(|place| is_dead(record, place)),
        };
        if is_dead {
            if record.is_some() {
                freed += draft.size(&key)?;
            }
            step.remove(key);
        }
    }
    let count = step.writes.len();
    // One that has ended since, or is gone, is charged for it until all of it goes.
    if let Some(record) = record.filter(|it| freed > 0 && !it.state.is_terminal()) {
        let tally = tallies.of(draft, task)?;
        let freed = Delta {
            stored: -freed,
            ..Delta::default()
        };
        tally.account.add(&freed);
        step.charged.push((task.tenant.clone(), freed));
        step.put(keys::head(task), encode(&Head::of(&record, tally), &[])?);
        tally.is_ahead = false;
    }
    Ok((step, count))
}

/// The stretch and the place of what is at `key` now, where it is a row or a row's output.
fn place(draft: &Draft<'_>, task: &TaskKey, key: &Key) -> Result<Option<(Stretch, u64)>, Error> {
    if key.space != Space::Steps {
        return Ok(keys::parse_row_blob(task, &key.bytes));
    }
    let Some(bytes) = draft.get(key)? else {
        return Ok(None);
    };
    let (stored, _): (StoredRow, _) = decode_with_tail(key, &bytes)?;
    Ok(Some((stored.row.at.stretch, stored.row.place)))
}

fn is_dead(record: &Record, (stretch, place): (Stretch, u64)) -> bool {
    !record.is_alive(place) || !record.needs_rows_of(stretch)
}

/// What a look for dead rows has found.
#[derive(Default)]
struct Found {
    dead: Vec<Key>,
    /// Where to look on.
    next: Option<Key>,
}

fn dead_rows(
    disk: &Disk,
    (task, record): (&TaskKey, &Record),
    from: Option<&Key>,
) -> Result<Found, Error> {
    let mut found = Found::default();
    let from = from.map(|key| key.bytes.as_slice());
    let all = keys::all(Space::Steps, task);
    disk.scan(&all, from, |key, value| {
        let (stored, _): (StoredRow, _) = decode_with_tail(&key, value)?;
        let place = (stored.row.at.stretch, stored.row.place);
        Ok(found.look_at(key, is_dead(record, place)))
    })?;
    Ok(found)
}

fn dead_blobs(
    disk: &Disk,
    (task, record): (&TaskKey, &Record),
    _from: Option<&Key>,
) -> Result<Found, Error> {
    let is_dead = |bytes: &[u8]| {
        let place = keys::parse_row_blob(task, bytes);
        place.is_some_and(|place| is_dead(record, place))
    };
    let dead = disk.keys(&keys::row_blobs(task), REMOVED_AT_ONCE, is_dead)?;
    let next = (dead.len() >= REMOVED_AT_ONCE).then(|| keys::row_blobs(task));
    Ok(Found { dead, next })
}

impl Found {
    fn look_at(&mut self, key: Key, is_dead: bool) -> std::ops::ControlFlow<()> {
        if self.dead.len() >= REMOVED_AT_ONCE {
            self.next = Some(key);
            return std::ops::ControlFlow::Break(());
        }
        if is_dead {
            self.dead.push(key);
        }
        std::ops::ControlFlow::Continue(())
    }
}
