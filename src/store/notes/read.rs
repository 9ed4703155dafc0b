//! Reading notes.

use std::ops::ControlFlow;

use super::{Note, NotePage, Place, note};
use crate::clock::Timestamp;
use crate::id::Principal;
use crate::store::disk::Disk;
use crate::store::options::REMOVED_AT_ONCE;
use crate::store::{Error, codec, keys};

/// The bytes past which nothing more is added to a page.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The note at `place`, unless its time is over.
pub(in crate::store) fn get(
    disk: &Disk,
    place: &Place,
    now: Timestamp,
) -> Result<Option<Note>, Error> {
    let key = place.key();
    let value = disk.get(&key)?;
    let note = value
        .map(|value| note(&key, &place.name, &value))
        .transpose()?;
    Ok(note.filter(|note| note.expires > now))
}

/// Notes of the kind of `after`, with names greater than its own.
pub(in crate::store) fn list(
    disk: &Disk,
    (owner, kind): (&Principal, &str),
    after: Option<&str>,
    (limit, now): (usize, Timestamp),
) -> Result<NotePage, Error> {
    let of = (&owner.tenant, &codec::owner(owner));
    let prefix = keys::notes(of, kind);
    let from = after.map(|after| {
        let mut from = keys::note(of, kind, after).bytes;
        from.push(0);
        from
    });
    let (mut page, mut bytes, mut last) = (NotePage::default(), 0, None);
    disk.scan(&prefix, from.as_deref(), |key, value| {
        if page.notes.len() >= limit.clamp(1, REMOVED_AT_ONCE) || bytes >= PAGE_BYTES_MAX {
            page.next.clone_from(&last);
            return Ok(ControlFlow::Break(()));
        }
        let name = key.bytes.get(prefix.bytes.len()..).unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| codec::corrupt(&key, "not a name"))?;
        let note = note(&key, &name.into(), value)?;
        bytes += note.bytes.len();
        last = Some(note.name.clone());
        page.notes.extend((note.expires > now).then_some(note));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}
