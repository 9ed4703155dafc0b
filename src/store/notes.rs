//! Notes: small values that principals keep, by kind and name, until a time.
//!
//! A name that a principal chose for a task is one of them: it is written in the batch in which the
//! task is accepted, and goes with the task. How much each principal keeps is counted by the writer,
//! from what is on the disk when it first has to know.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::Delta;
use super::codec::{self, decode_with_tail, encode};
use super::group::{Draft, Step};
use super::keys::{self, Key};
use super::{Error, Refused};
use crate::clock::Timestamp;
use crate::id::{Digest, Principal, TenantId};
use crate::limit::{CHOSEN_NAME_BYTES_MAX, NOTE_BYTES_MAX};

mod expiry;
mod names;
mod owners;
mod read;

pub(super) use expiry::{stage_expiry, sweep};
pub(super) use names::{claim_name, free_name, named};
pub(super) use owners::Owners;
pub(super) use read::{get, list};

/// The kind of the names of tasks, which only the store writes.
const TASK: &str = "task";

/// The most bytes of a kind.
const KIND_BYTES_MAX: usize = 32;

/// A value that a principal keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Its name, unique among those of its kind.
    pub name: Arc<str>,
    /// The value.
    pub bytes: Arc<[u8]>,
    /// When it goes.
    pub expires: Timestamp,
}

/// What became of a note that was to be put where there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Noted {
    /// It is there.
    New,
    /// Nothing is written: there is this one.
    Existing(Note),
}

/// A part of a principal's notes, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotePage {
    /// The notes.
    pub notes: Vec<Note>,
    /// The name after which the next page begins, if there is one.
    pub next: Option<Arc<str>>,
}

/// Whose note it is, of which kind, and its name.
#[derive(Clone, Debug)]
pub(super) struct Place {
    tenant: TenantId,
    owner: Digest,
    kind: Arc<str>,
    name: Arc<str>,
}

/// What is to be done to a note.
pub(super) enum Op {
    /// To write it, unless there is one and that is to stay.
    Put {
        bytes: Arc<[u8]>,
        expires: Timestamp,
        is_if_absent: bool,
    },
    Delete,
}

/// A note on the disk; its bytes follow.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredNote {
    pub(super) expires: Timestamp,
}

impl Place {
    pub(super) fn new(owner: &Principal, kind: &str, name: &str) -> Result<Self, Refused> {
        check(kind, KIND_BYTES_MAX)?;
        check(name, CHOSEN_NAME_BYTES_MAX)?;
        if kind == TASK {
            return Err(Refused::InvalidNote {
                rule: "the names of tasks are written with the tasks",
            });
        }
        Ok(Self::of(owner, kind, name))
    }

    fn of(owner: &Principal, kind: &str, name: &str) -> Self {
        Self {
            tenant: owner.tenant.clone(),
            owner: codec::owner(owner),
            kind: kind.into(),
            name: name.into(),
        }
    }

    fn key(&self) -> Key {
        keys::note((&self.tenant, &self.owner), &self.kind, &self.name)
    }

    fn owner(&self) -> (TenantId, Digest) {
        (self.tenant.clone(), self.owner)
    }
}

fn check(text: &str, bytes_max: usize) -> Result<(), Refused> {
    let fits = (1..=bytes_max).contains(&text.len());
    if fits && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refused::InvalidNote {
        rule: "a name has 1 to 256 bytes, a kind 1 to 32, and neither has control characters",
    })
}

/// Refuses a value that is too long, before it waits for the writer.
pub(super) fn check_bytes(bytes: &[u8]) -> Result<(), Refused> {
    let (used, max) = (bytes.len() as u64, NOTE_BYTES_MAX as u64);
    if used <= max {
        return Ok(());
    }
    let what = "bytes of a note";
    Err(Refused::TooMuchNoted { what, used, max })
}

/// Stages a change of a note.
pub(super) fn stage(
    draft: &Draft<'_>,
    owners: &mut Owners,
    (place, op, now): (Place, Op, Timestamp),
) -> Result<(Step, Noted), Refused> {
    let (mut step, key) = (Step::default(), place.key());
    let earlier = draft.get(&key)?;
    let stored = earlier
        .as_deref()
        .map(|value| note(&key, &place.name, value));
    let stored = stored.transpose()?;
    let value = match op {
        Op::Put { is_if_absent, .. }
            if is_if_absent && stored.as_ref().is_some_and(|it| it.expires > now) =>
        {
            return Ok((step, stored.map_or(Noted::New, Noted::Existing)));
        }
        Op::Put { bytes, expires, .. } => {
            let value = encode(&StoredNote { expires }, &bytes)?;
            Some((value, expires))
        }
        Op::Delete => None,
    };
    let expires = value.as_ref().map(|(_, expires)| *expires);
    if let Some(earlier) = stored.as_ref().map(|it| it.expires)
        && Some(earlier) != expires
    {
        step.remove(keys::note_expiry(earlier, &key));
    }
    if let Some(expires) = expires {
        step.put(keys::note_expiry(expires, &key), encode(&(), &[])?);
    }
    let value = value.map(|(value, _)| value);
    if earlier.is_some() || value.is_some() {
        owners.replace((draft, &mut step), &place, earlier.as_deref(), value)?;
    }
    settle(&mut step, &place.tenant);
    step.durable = true;
    Ok((step, Noted::New))
}

/// Charges what a step has written to the tenant, and to none of its tasks.
fn settle(step: &mut Step, tenant: &TenantId) {
    let delta = Delta {
        stored: std::mem::take(&mut step.grown),
        ..Delta::default()
    };
    if delta.stored != 0 {
        step.charged.push((tenant.clone(), delta));
        step.settled.push((tenant.clone(), delta));
    }
}

fn note(key: &Key, name: &Arc<str>, value: &[u8]) -> Result<Note, Error> {
    let (stored, bytes): (StoredNote, _) = decode_with_tail(key, value)?;
    Ok(Note {
        name: name.clone(),
        bytes: bytes.into(),
        expires: stored.expires,
    })
}
