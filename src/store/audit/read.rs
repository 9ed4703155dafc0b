//! Reading the audit, and the removal of what is old.

use std::ops::ControlFlow;

use super::StoredEntry;
use crate::audit::{Entry, Numbered, Page};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::store::codec::{self, decode};
use crate::store::disk::Disk;
use crate::store::keys::{self, Key};
use crate::store::options::{LOOKED_AT_MAX, REMOVED_AT_ONCE};
use crate::store::shared::Handle;
use crate::store::writer::Request;
use crate::store::{Error, sweep};

/// Entries after a number, of one tenant or of all.
pub(in crate::store) fn after(
    disk: &Disk,
    number: u64,
    limit: usize,
    tenant: Option<&TenantId>,
) -> Result<Page, Error> {
    let mut page = Page {
        after: number,
        ..Page::default()
    };
    let from = keys::audit(number.saturating_add(1)).bytes;
    let mut looked_at = 0;
    disk.scan(&keys::all_audit(), Some(&from), |key, value| {
        if page.entries.len() >= limit.min(LOOKED_AT_MAX) || looked_at >= LOOKED_AT_MAX {
            page.is_more = true;
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        let (number, entry) = read(&key, value)?;
        page.after = number;
        if tenant.is_none() || tenant == entry.tenant.as_ref() {
            page.entries.push(Numbered { number, entry });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

/// How many entries the newest of one tenant are looked for among.
const NEWEST_OF_MAX: usize = 64 * LOOKED_AT_MAX;

/// The newest entries, oldest first, of one tenant or of all.
pub(in crate::store) fn newest(
    disk: &Disk,
    limit: usize,
    tenant: Option<&TenantId>,
) -> Result<Page, Error> {
    let mut page = Page::default();
    let mut looked_at = 0;
    let all = (&keys::audit(0), &keys::audit(u64::MAX));
    disk.scan_back(all, |key, value| {
        let (number, entry) = read(&key, value)?;
        page.after = page.after.max(number);
        if page.entries.len() >= limit.min(LOOKED_AT_MAX) || looked_at >= NEWEST_OF_MAX {
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        if tenant.is_none() || tenant == entry.tenant.as_ref() {
            page.entries.push(Numbered { number, entry });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    page.entries.reverse();
    Ok(page)
}

fn read(key: &Key, value: &[u8]) -> Result<(u64, Entry), Error> {
    let number = keys::parse_audit(&key.bytes);
    let number = number.ok_or_else(|| codec::corrupt(key, "not an entry of the audit"))?;
    let stored: StoredEntry = decode(key, value)?;
    Ok((number, stored.entry))
}

/// Removes, in pages, the entries from before an instant, and the oldest past a number of them.
/// Returns how many went.
pub(in crate::store) async fn sweep(
    handle: &Handle,
    before: Timestamp,
    count_max: u64,
) -> Result<usize, Error> {
    // Numbers have gaps, so there are no more entries than numbers.
    let first_kept = handle.shared().next_number().saturating_sub(count_max);
    let (mut removed, mut from) = (0, keys::all_audit());
    loop {
        let start = from.clone();
        let page = handle
            .read(move |disk| old(disk, &start, before, first_kept))
            .await?;
        let Some(last) = page.last().cloned() else {
            return Ok(removed);
        };
        from = last;
        let drop = |reply| Request::Drop(page, reply);
        removed += handle.ask(drop).await?.map_err(sweep::store_error)?;
    }
}

fn old(disk: &Disk, from: &Key, before: Timestamp, first_kept: u64) -> Result<Vec<Key>, Error> {
    let mut keys = Vec::new();
    disk.scan(&keys::all_audit(), Some(&from.bytes), |key, value| {
        let (number, entry) = read(&key, value)?;
        let is_old = number < first_kept || entry.at < before;
        if !is_old || keys.len() >= REMOVED_AT_ONCE {
            return Ok(ControlFlow::Break(()));
        }
        keys.push(key);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(keys)
}
