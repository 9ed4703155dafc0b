//! How much each principal keeps, and that it is not too much.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::Place;
use crate::id::{Digest, TenantId};
use crate::limit::{NOTES_BYTES_MAX, NOTES_MAX};
use crate::store::disk::Disk;
use crate::store::group::{Draft, Step};
use crate::store::keys::{self, Key};
use crate::store::{Error, Refused};

/// The principals whose notes are counted at once.
const OWNERS_MAX: usize = 4_096;

/// How much a principal keeps.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) notes: usize,
    pub(super) bytes: u64,
}

/// How much the principals keep who have changed a note since the store was opened.
#[derive(Default)]
pub(in crate::store) struct Owners(HashMap<(TenantId, Digest), Held>);

impl Owners {
    /// How much `owner` keeps. It is counted before anything is staged for this owner, so what is on
    /// the disk is all there is.
    pub(super) fn held(
        &mut self,
        disk: &Disk,
        (tenant, owner): (TenantId, Digest),
    ) -> Result<&mut Held, Error> {
        let is_known = self.0.contains_key(&(tenant.clone(), owner));
        let mut held = Held::default();
        if !is_known {
            disk.scan(&keys::all_notes((&tenant, &owner)), None, |key, value| {
                held.notes += 1;
                held.bytes += size(&key, value);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(self.0.entry((tenant, owner)).or_insert(held))
    }

    /// Forgets what is counted, where that is much. Not while a group is staged.
    pub(in crate::store) fn tidy(&mut self) {
        if self.0.len() > OWNERS_MAX {
            self.0.clear();
        }
    }

    /// Stages that `earlier` is replaced by `value`.
    pub(super) fn replace(
        &mut self,
        (draft, step): (&Draft<'_>, &mut Step),
        place: &Place,
        earlier: Option<&[u8]>,
        value: Option<Vec<u8>>,
    ) -> Result<(), Refused> {
        let key = place.key();
        let held = self.held(draft.disk(), place.owner())?;
        let earlier_bytes = earlier.map_or(0, |value| size(&key, value));
        let bytes = value.as_ref().map_or(0, |value| size(&key, value));
        let after = Held {
            notes: held.notes + usize::from(value.is_some()) - usize::from(earlier.is_some()),
            bytes: held.bytes.saturating_sub(earlier_bytes) + bytes,
        };
        if after.notes > NOTES_MAX && after.notes > held.notes {
            let (used, max) = (held.notes as u64, NOTES_MAX as u64);
            let what = "notes of one principal";
            return Err(Refused::TooMuchNoted { what, used, max });
        }
        if after.bytes > NOTES_BYTES_MAX && after.bytes > held.bytes {
            let (used, max) = (after.bytes, NOTES_BYTES_MAX);
            let what = "bytes of all notes of one principal";
            return Err(Refused::TooMuchNoted { what, used, max });
        }
        *held = after;
        step.grown -= i64::try_from(earlier_bytes).unwrap_or(i64::MAX);
        match value {
            Some(value) => step.put(key, value),
            None => step.remove(key),
        }
        Ok(())
    }
}

pub(super) fn size(key: &Key, value: &[u8]) -> u64 {
    (key.bytes.len() + value.len()) as u64
}
