//! The keys of the store: big-endian, so that they sort as what they stand for, and led by the
//! tenant, so that one tenant's rows lie together.
//!
//! A tenant is its length and its name, so no tenant's keys are a prefix of another's.

mod beside;

pub(super) use beside::*;

use super::disk::Space;
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Digest, TaskId, TaskKey, TenantId};
use crate::task::{StepKey, Stretch};

/// A key and the keyspace that it is in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Key {
    /// Where.
    pub(super) space: Space,
    /// What.
    pub(super) bytes: Vec<u8>,
}

/// The newest instant of the tasks that are not live any more.
pub(super) fn newest() -> Key {
    key(Space::Meta, b"newest".to_vec())
}

pub(super) fn head(task: &TaskKey) -> Key {
    key(Space::Heads, of(task))
}

pub(super) fn spec(task: &TaskKey) -> Key {
    part(Space::Facts, task, b's', &[])
}

pub(super) fn marks(task: &TaskKey) -> Key {
    part(Space::Facts, task, b'm', &[])
}

pub(super) fn holes(task: &TaskKey) -> Key {
    part(Space::Facts, task, b'h', &[])
}

pub(super) fn arguments(task: &TaskKey) -> Key {
    part(Space::Blobs, task, b'a', &[])
}

pub(super) fn output(task: &TaskKey) -> Key {
    part(Space::Blobs, task, b'o', &[])
}

/// The output of a row that lies apart: by its place, so that a row written again after a restore
/// has another.
pub(super) fn row_blob(task: &TaskKey, stretch: Stretch, place: u64) -> Key {
    let parts = [&stretch.to_be_bytes()[..], &place.to_be_bytes()];
    part(Space::Blobs, task, b'r', &parts)
}

/// The prefix of [`row_blob`].
pub(super) fn row_blobs(task: &TaskKey) -> Key {
    part(Space::Blobs, task, b'r', &[])
}

/// The stretch and the place in a key of [`row_blob`].
pub(super) fn parse_row_blob(task: &TaskKey, bytes: &[u8]) -> Option<(Stretch, u64)> {
    let rest = bytes.strip_prefix(row_blobs(task).bytes.as_slice())?;
    let (stretch, place) = rest.split_first_chunk()?;
    let place = place.try_into().ok()?;
    Some((u32::from_be_bytes(*stretch), u64::from_be_bytes(place)))
}

/// The output of a `once` record that lies apart.
pub(super) fn once_blob(task: &TaskKey, at: &StepKey, input: &Digest) -> Key {
    let stretch = at.stretch.to_be_bytes();
    let parts = [&stretch[..], at.name.as_bytes(), &input.0];
    part(Space::Blobs, task, b'c', &parts)
}

pub(super) fn row(task: &TaskKey, at: &StepKey) -> Key {
    let mut bytes = of(task);
    bytes.extend(at.stretch.to_be_bytes());
    bytes.extend(at.name.as_bytes());
    key(Space::Steps, bytes)
}

/// The prefix of the rows of a stretch.
pub(super) fn rows(task: &TaskKey, stretch: Stretch) -> Key {
    let mut bytes = of(task);
    bytes.extend(stretch.to_be_bytes());
    key(Space::Steps, bytes)
}

/// The digest has a fixed length, so name and digest can't run into each other.
pub(super) fn once(task: &TaskKey, at: &StepKey, input: &Digest) -> Key {
    let mut bytes = row(task, at).bytes;
    bytes.extend(input.0);
    key(Space::Once, bytes)
}

pub(super) fn checkpoint(task: &TaskKey, id: CheckpointId) -> Key {
    let mut bytes = of(task);
    bytes.extend(id.0.to_be_bytes());
    key(Space::Checkpoints, bytes)
}

/// An event. Number 0 is not an event but the most progress that was seen.
pub(super) fn event(task: &TaskKey, number: u64) -> Key {
    let mut bytes = of(task);
    bytes.extend(number.to_be_bytes());
    key(Space::Events, bytes)
}

/// The number in a key of [`event`].
pub(super) fn parse_event(bytes: &[u8]) -> Option<u64> {
    bytes.last_chunk().map(|number| u64::from_be_bytes(*number))
}

/// Everything in `space` of one task.
pub(super) fn all(space: Space, task: &TaskKey) -> Key {
    key(space, of(task))
}

/// The entry of a task in the live set.
pub(super) fn live(task: &TaskKey) -> Key {
    index(b'l', &[&of(task)])
}

/// The prefix of [`live`].
pub(super) fn all_live() -> Key {
    index(b'l', &[])
}

/// The entry of a task whose rows are being removed.
pub(super) fn removed(task: &TaskKey) -> Key {
    index(b'r', &[&of(task)])
}

/// The prefix of [`removed`].
pub(super) fn all_removed() -> Key {
    index(b'r', &[])
}

/// The task in a key of [`live`] or [`removed`].
pub(super) fn parse_task(bytes: &[u8]) -> Option<TaskKey> {
    parse_of(bytes.get(1..)?)
}

/// The entry of a task in its tenant's list: newest first.
pub(super) fn listed(tenant: &TenantId, created: Timestamp, id: TaskId) -> Key {
    let created = (!created.0).to_be_bytes();
    index(b'c', &[&lead(tenant), &created, id.as_bytes()])
}

/// The prefix of [`listed`].
pub(super) fn all_listed(tenant: &TenantId) -> Key {
    index(b'c', &[&lead(tenant)])
}

/// When the task in a key of [`listed`] was accepted, and its id.
pub(super) fn parse_listed(tenant: &TenantId, bytes: &[u8]) -> Option<(Timestamp, TaskId)> {
    let rest = bytes.strip_prefix(all_listed(tenant).bytes.as_slice())?;
    let (created, id) = rest.split_first_chunk()?;
    let created = Timestamp(!u64::from_be_bytes(*created));
    Some((created, TaskId::from_bytes(id.try_into().ok()?)))
}

/// The entry of a task that has ended among those that are to be removed, by time.
pub(super) fn expiry(at: Timestamp, task: &TaskKey) -> Key {
    index(b'x', &[&at.0.to_be_bytes(), &of(task)])
}

/// The prefix of [`expiry`].
pub(super) fn all_expiries() -> Key {
    index(b'x', &[])
}

/// The time and the task in a key of [`expiry`].
pub(super) fn parse_expiry(bytes: &[u8]) -> Option<(Timestamp, TaskKey)> {
    let (at, task) = bytes.get(1..)?.split_first_chunk()?;
    Some((Timestamp(u64::from_be_bytes(*at)), parse_of(task)?))
}

/// The entry of an idempotency key: `of` is the digest of principal, tool and key.
pub(super) fn idempotency(tenant: &TenantId, of: &Digest) -> Key {
    index(b'k', &[&lead(tenant), &of.0])
}

fn key(space: Space, bytes: Vec<u8>) -> Key {
    Key { space, bytes }
}

fn part(space: Space, task: &TaskKey, part: u8, rest: &[&[u8]]) -> Key {
    let mut bytes = of(task);
    bytes.push(part);
    rest.iter().for_each(|rest| bytes.extend(*rest));
    key(space, bytes)
}

fn index(prefix: u8, parts: &[&[u8]]) -> Key {
    let mut bytes = vec![prefix];
    parts.iter().for_each(|part| bytes.extend(*part));
    key(Space::Index, bytes)
}

fn lead(tenant: &TenantId) -> Vec<u8> {
    let name = tenant.as_str().as_bytes();
    // A tenant's name has at most 64 characters.
    let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&[len], name].concat()
}

fn of(task: &TaskKey) -> Vec<u8> {
    let mut bytes = lead(&task.tenant);
    bytes.extend(task.id.as_bytes());
    bytes
}

fn parse_of(bytes: &[u8]) -> Option<TaskKey> {
    let (len, rest) = bytes.split_first()?;
    let (name, id) = rest.split_at_checked(usize::from(*len))?;
    let tenant = String::from_utf8(name.to_vec()).ok()?.try_into().ok()?;
    let id = TaskId::from_bytes(id.try_into().ok()?);
    Some(TaskKey { tenant, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tenant: &str) -> TaskKey {
        let tenant = tenant.to_owned().try_into().unwrap();
        TaskKey {
            tenant,
            id: TaskId::from_bytes([7; 16]),
        }
    }

    #[test]
    fn keys_give_back_what_they_were_made_of() {
        let task = task("acme");
        assert_eq!(parse_task(&live(&task).bytes), Some(task.clone()));
        let at = Timestamp(1_234);
        let expiry = expiry(at, &task);
        assert_eq!(parse_expiry(&expiry.bytes), Some((at, task.clone())));
        let listed = listed(&task.tenant, at, task.id);
        let parsed = parse_listed(&task.tenant, &listed.bytes);
        assert_eq!(parsed, Some((at, task.id)));
        assert_eq!(parse_event(&event(&task, 9).bytes), Some(9));
        let blob = row_blob(&task, 3, 17);
        assert_eq!(parse_row_blob(&task, &blob.bytes), Some((3, 17)));
    }

    #[test]
    fn no_tenant_leads_anothers_keys() {
        let (short, long) = (
            all_listed(&task("a").tenant),
            all_listed(&task("ab").tenant),
        );
        assert!(!long.bytes.starts_with(&short.bytes));
    }

    #[test]
    fn newer_tasks_come_first() {
        let task = task("acme");
        let newer = listed(&task.tenant, Timestamp(2), task.id);
        let older = listed(&task.tenant, Timestamp(1), task.id);
        assert!(newer.bytes < older.bytes);
    }
}
