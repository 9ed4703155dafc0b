//! Names that principals chose for tasks: written with the task, and gone with it.

use super::{Owners, Place, StoredNote, TASK, check};
use crate::clock::Timestamp;
use crate::id::{Principal, TaskId, TaskKey};
use crate::limit::CHOSEN_NAME_BYTES_MAX;
use crate::store::codec::{self, decode_with_tail, encode};
use crate::store::disk::Disk;
use crate::store::group::{Draft, Step};
use crate::store::keys::Key;
use crate::store::{Error, Refused};
use crate::task::Record;

/// Stages the name of a task that is to be accepted; refuses it, if another task has it.
pub(in crate::store) fn claim_name(
    (draft, step): (&Draft<'_>, &mut Step),
    owners: &mut Owners,
    record: &Record,
) -> Result<(), Refused> {
    let Some(name) = &record.spec.name else {
        return Ok(());
    };
    check(name, CHOSEN_NAME_BYTES_MAX)?;
    let place = Place::of(&record.spec.owner, TASK, name);
    let key = place.key();
    if let Some(value) = draft.get(&key)? {
        let tenant = place.tenant;
        let id = task(&key, &value)?;
        return Err(Refused::NameTaken(TaskKey { tenant, id }));
    }
    let expires = Timestamp(u64::MAX);
    let value = encode(&StoredNote { expires }, record.id.as_bytes())?;
    owners.replace((draft, step), &place, None, Some(value))
}

/// Stages that the name of a task is free again. What it was charged for goes with the task.
pub(in crate::store) fn free_name(
    (draft, step): (&Draft<'_>, &mut Step),
    owners: &mut Owners,
    record: &Record,
) -> Result<(), Refused> {
    let Some(name) = &record.spec.name else {
        return Ok(());
    };
    let place = Place::of(&record.spec.owner, TASK, name);
    let key = place.key();
    let value = draft.get(&key)?;
    match &value {
        Some(stored) if task(&key, stored)? == record.id => {
            let grown = step.grown;
            owners.replace((draft, step), &place, value.as_deref(), None)?;
            step.grown = grown;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The task that has a name.
pub(in crate::store) fn named(
    disk: &Disk,
    owner: &Principal,
    name: &str,
) -> Result<Option<TaskKey>, Error> {
    let place = Place::of(owner, TASK, name);
    let key = place.key();
    let tenant = place.tenant;
    let value = disk.get(&key)?;
    let id = value.map(|value| task(&key, &value)).transpose()?;
    Ok(id.map(|id| TaskKey { tenant, id }))
}

fn task(key: &Key, value: &[u8]) -> Result<TaskId, Error> {
    let (_, id): (StoredNote, _) = decode_with_tail(key, value)?;
    let id = id
        .try_into()
        .map_err(|_| codec::corrupt(key, "not a task's id"))?;
    Ok(TaskId::from_bytes(id))
}
