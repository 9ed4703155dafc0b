//! The values of the store: a byte for the version of the format, then postcard; where a blob comes
//! along, it follows as it is.
//!
//! JSON texts stay text. A value of another version, or one that does not decode to its last byte,
//! is damage, and is named by its keyspace and key.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::keys::Key;
use super::log::Tally;
use super::options::INLINE_MAX;
use super::{Error, FORMAT};
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Digest, TaskId, TaskKey};
use crate::task::{Entry, Hole, Mark, Once, Record, Row, Spec, State, Stretch, Usage};

/// The part of a record that is written at each change.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    state: State,
    attempt: u32,
    barren: u32,
    retries: u32,
    stretch: Stretch,
    start: Option<CheckpointId>,
    client: Option<CheckpointId>,
    seq: u64,
    generation: u32,
    base: TaskId,
    steps: u64,
    journal: u64,
    once_steps: u64,
    steps_before: u64,
    clean_up: Arc<[Arc<str>]>,
    forks: u32,
    usage: Usage,
    updated: Timestamp,
    /// The first event number that is not reserved.
    pub(super) events_end: u64,
    /// What it is charged for.
    pub(super) account: Account,
}

/// The parts of a record that are written when they change.
pub(super) struct Facts {
    pub(super) spec: Arc<Spec>,
    pub(super) marks: Arc<[Mark]>,
    pub(super) holes: Arc<[Hole]>,
}

/// A row, and where its output is.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRow {
    pub(super) row: Row,
    pub(super) output: Kept,
}

/// What is known of a `once` step, and where what it returned is.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredOnce {
    pub(super) once: Once,
    /// Nothing before it was ever complete.
    pub(super) output: Option<Kept>,
}

/// Where an output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Kept {
    /// Behind this value.
    Inline,
    /// Under a key of its own.
    Apart,
}

/// An event, without its number.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredEvent {
    pub(super) at: Timestamp,
    pub(super) attempt: u32,
    pub(super) entry: Entry,
}

/// The most progress that was seen of a task, and the number of its event.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredProgress {
    pub(super) number: u64,
    pub(super) event: StoredEvent,
}

/// What an entry of a tenant's list says of its task, so that a filter need not read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Listed {
    /// See [`super::status_byte`].
    pub(super) status: u8,
    /// The digest of the owner.
    pub(super) owner: Digest,
}

/// The task that an idempotency key belongs to.
#[derive(Serialize, Deserialize)]
pub(super) struct KeyHolder {
    pub(super) task: TaskId,
    pub(super) arguments: Digest,
}

impl Head {
    /// The head of `record`.
    pub(super) fn of(record: &Record, tally: &Tally) -> Self {
        Self {
            state: record.state.clone(),
            attempt: record.attempt,
            barren: record.barren,
            retries: record.retries,
            stretch: record.stretch,
            start: record.start,
            client: record.client,
            seq: record.seq,
            generation: record.generation,
            base: record.base,
            steps: record.steps,
            journal: record.journal,
            once_steps: record.once_steps,
            steps_before: record.steps_before,
            clean_up: record.clean_up.clone(),
            forks: record.forks,
            usage: record.usage,
            updated: record.updated,
            events_end: tally.end(),
            account: tally.account,
        }
    }

    /// The record of `id` that this is the head of.
    pub(super) fn with(self, id: TaskId, facts: Facts) -> Record {
        Record {
            id,
            spec: facts.spec,
            state: self.state,
            attempt: self.attempt,
            barren: self.barren,
            retries: self.retries,
            stretch: self.stretch,
            start: self.start,
            client: self.client,
            seq: self.seq,
            generation: self.generation,
            base: self.base,
            steps: self.steps,
            journal: self.journal,
            once_steps: self.once_steps,
            steps_before: self.steps_before,
            clean_up: self.clean_up,
            forks: self.forks,
            usage: self.usage,
            updated: self.updated,
            marks: facts.marks,
            holes: facts.holes,
        }
    }
}

/// The digest of a task's owner, in index entries.
pub(super) fn owner(owner: &crate::id::Principal) -> Digest {
    Digest::of_parts(&[
        b"stepwell.owner/1",
        owner.issuer.as_bytes(),
        owner.subject.as_bytes(),
        owner.client.as_bytes(),
    ])
}

/// The digest of whom an idempotency key belongs to: principal and tool. The tenant leads the key.
pub(super) fn key_of(spec: &Spec) -> Option<Digest> {
    let key = spec.key.as_ref()?;
    Some(Digest::of_parts(&[
        b"stepwell.key/1",
        &owner(&spec.owner).0,
        spec.tool.as_bytes(),
        key.as_bytes(),
    ]))
}

/// The bytes of `value`, with `tail` behind it.
pub(super) fn encode<T: Serialize>(value: &T, tail: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(128 + tail.len());
    bytes.push(FORMAT);
    // Only a type that does not know its length can fail here, and there is none.
    let mut bytes = postcard::to_extend(value, bytes).map_err(|error| Error::Corrupt {
        place: std::any::type_name::<T>().into(),
        what: format!("it can't be written: {error}"),
    })?;
    bytes.extend_from_slice(tail);
    Ok(bytes)
}

/// Whether an output lies apart from what names it.
pub(super) fn is_long(output: &[u8]) -> bool {
    output.len() > INLINE_MAX
}

/// The bytes of a blob.
pub(super) fn encode_blob(blob: &[u8]) -> Vec<u8> {
    [&[FORMAT], blob].concat()
}

/// What the value at `key` is.
pub(super) fn decode<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T, Error> {
    match decode_with_tail(key, bytes)? {
        (value, []) => Ok(value),
        (_, tail) => Err(corrupt(key, &format!("{} bytes too many", tail.len()))),
    }
}

/// What the value at `key` is, and what follows it.
pub(super) fn decode_with_tail<'a, T: DeserializeOwned>(
    key: &Key,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), Error> {
    let bytes = decode_blob(key, bytes)?;
    // `T` owns what it is made of, so it may be read from a shorter borrow than the tail's.
    postcard::take_from_bytes(bytes).map_err(|error| corrupt(key, &error.to_string()))
}

/// What the blob at `key` is.
pub(super) fn decode_blob<'a>(key: &Key, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => Ok(rest),
        Some((version, _)) => {
            let what = format!("format {version}, where this version reads format {FORMAT}");
            Err(corrupt(key, &what))
        }
        None => Err(corrupt(key, "nothing, where a value was expected")),
    }
}

/// The damage at `key`.
pub(super) fn corrupt(key: &Key, what: &str) -> Error {
    let mut place = format!("{}/", key.space.name());
    key.bytes
        .iter()
        .for_each(|byte| place.push_str(&format!("{byte:02x}")));
    Error::Corrupt {
        place,
        what: what.into(),
    }
}

/// The damage that a record is not whole.
pub(super) fn incomplete(task: &TaskKey, what: &str) -> Error {
    Error::Corrupt {
        place: format!("task {task}"),
        what: format!("its {what} is missing"),
    }
}

#[cfg(test)]
pub(super) mod tests;
