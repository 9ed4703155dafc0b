//! Notes whose time is over.

use std::ops::ControlFlow;

use super::owners::size;
use super::{Owners, StoredNote, settle};
use crate::clock::Timestamp;
use crate::store::codec::{self, decode_with_tail};
use crate::store::disk::Disk;
use crate::store::group::{Draft, Step};
use crate::store::keys::{self, Key};
use crate::store::options::REMOVED_AT_ONCE;
use crate::store::shared::Handle;
use crate::store::writer::Request;
use crate::store::{Error, Refused, sweep};

/// Removes, in pages, the notes whose time is over. Returns how many went.
pub(in crate::store) async fn sweep(handle: &Handle, now: Timestamp) -> Result<usize, Error> {
    let mut removed = 0;
    loop {
        let page = handle.read(move |disk| over(disk, now)).await?;
        if page.is_empty() {
            return Ok(removed);
        }
        let expire = |reply| Request::ExpireNotes(page, reply);
        removed += handle.ask(expire).await?.map_err(sweep::store_error)?;
    }
}

fn over(disk: &Disk, now: Timestamp) -> Result<Vec<Key>, Error> {
    let mut over = Vec::new();
    disk.scan(&keys::all_note_expiries(), None, |key, _| {
        let entry = keys::parse_note_expiry(&key.bytes);
        let (at, _) = entry.ok_or_else(|| codec::corrupt(&key, "not a note's expiry"))?;
        if at > now || over.len() >= REMOVED_AT_ONCE {
            return Ok(ControlFlow::Break(()));
        }
        over.push(key);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(over)
}

/// Stages the removal of the notes that these entries speak of, as far as they were not written
/// anew meanwhile.
pub(in crate::store) fn stage_expiry(
    draft: &Draft<'_>,
    owners: &mut Owners,
    entries: Vec<Key>,
) -> Result<(Step, usize), Refused> {
    let (mut step, mut count) = (Step::default(), 0);
    for entry in entries {
        let place = keys::parse_note_expiry(&entry.bytes).and_then(|(at, key)| {
            let (tenant, owner) = keys::parse_note(&key.bytes)?;
            Some((at, key, tenant, owner))
        });
        let place = place.ok_or_else(|| codec::corrupt(&entry, "not a note's expiry"))?;
        step.remove(entry);
        let (at, key, tenant, owner) = place;
        let Some(value) = draft.get(&key)? else {
            continue;
        };
        let (stored, _): (StoredNote, _) = decode_with_tail(&key, &value)?;
        if stored.expires != at {
            continue;
        }
        let held = owners.held(draft.disk(), (tenant.clone(), owner))?;
        let bytes = size(&key, &value);
        held.notes = held.notes.saturating_sub(1);
        held.bytes = held.bytes.saturating_sub(bytes);
        step.grown -= i64::try_from(bytes).unwrap_or(i64::MAX);
        step.remove(key);
        settle(&mut step, &tenant);
        count += 1;
    }
    Ok((step, count))
}
