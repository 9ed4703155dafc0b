//! What is committed together, while it is being put together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::account::{self, Delta};
use super::disk::Disk;
use super::keys::Key;
use super::shared::Shared;
use super::{Commit, Error, read};
use crate::audit;
use crate::id::{TaskKey, TenantId};
use crate::task::Record;

/// Values to write, and keys to remove. A key comes once: within one batch the engine knows no
/// order.
pub(super) type Writes = BTreeMap<Key, Option<Vec<u8>>>;

/// What one request adds to a group, all of it or nothing.
#[derive(Default)]
pub(super) struct Step {
    pub(super) writes: Vec<(Key, Option<Vec<u8>>)>,
    /// The records as they are then; nothing where one is removed.
    pub(super) records: Vec<(TaskKey, Option<Arc<Record>>)>,
    pub(super) commits: Vec<Commit>,
    /// Whether it is acknowledged as being on the disk.
    pub(super) durable: bool,
    /// The bytes that it keeps more, of what is charged for, and that are on no account yet.
    pub(super) grown: i64,
    /// What comes on the accounts of tenants.
    pub(super) charged: Vec<(TenantId, Delta)>,
    /// What of that is of no live task, and so in the tenant's row.
    pub(super) settled: Vec<(TenantId, Delta)>,
    /// What is said of it in the audit.
    pub(super) audit: Vec<audit::Entry>,
}

impl Step {
    pub(super) fn put(&mut self, key: Key, value: Vec<u8>) {
        if account::is_charged(key.space) {
            self.grown += len(key.bytes.len() + value.len());
        }
        self.writes.push((key, Some(value)));
    }

    /// As [`Step::put`], of what is written over and over and charged to nobody.
    pub(super) fn put_free(&mut self, key: Key, value: Vec<u8>) {
        self.writes.push((key, Some(value)));
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.writes.push((key, None));
    }
}

/// A group, and the store as it will be once it is committed.
pub(super) struct Draft<'a> {
    disk: &'a Disk,
    shared: &'a Shared,
    pub(super) writes: Writes,
    pub(super) bytes: usize,
    pub(super) records: HashMap<TaskKey, Option<Arc<Record>>>,
    pub(super) commits: Vec<Commit>,
    pub(super) durable: bool,
    pub(super) charged: Vec<(TenantId, Delta)>,
    pub(super) settled: Vec<(TenantId, Delta)>,
    pub(super) audit: Vec<audit::Entry>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(disk: &'a Disk, shared: &'a Shared) -> Self {
        Self {
            disk,
            shared,
            writes: Writes::new(),
            bytes: 0,
            records: HashMap::new(),
            commits: Vec::new(),
            durable: false,
            charged: Vec::new(),
            settled: Vec::new(),
            audit: Vec::new(),
        }
    }

    /// The value at `key`.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        match self.writes.get(key) {
            Some(staged) => Ok(staged.clone()),
            None => self.disk.get(key),
        }
    }

    /// The bytes of what is at `key`, with the key; nothing where there is nothing.
    pub(super) fn size(&self, key: &Key) -> Result<i64, Error> {
        let value = match self.writes.get(key) {
            Some(staged) => staged.as_ref().map(Vec::len),
            None => self.disk.size(key)?,
        };
        Ok(value.map_or(0, |value| len(key.bytes.len() + value)))
    }

    /// What is on the disk.
    pub(super) fn disk(&self) -> &Disk {
        self.disk
    }

    /// The record of `task`.
    pub(super) fn record(&self, task: &TaskKey) -> Result<Option<Arc<Record>>, Error> {
        if let Some(staged) = self.records.get(task) {
            return Ok(staged.clone());
        }
        match self.shared.live(task) {
            Some(record) => Ok(Some(record)),
            None => read::record(self.disk, task),
        }
    }

    /// The record of `task`, if it has not ended. Never reads the disk.
    pub(super) fn live(&self, task: &TaskKey) -> Option<Arc<Record>> {
        let record = match self.records.get(task) {
            Some(staged) => staged.clone(),
            None => self.shared.live(task),
        };
        record.filter(|record| !record.state.is_terminal())
    }

    /// Adds what a request has staged.
    pub(super) fn add(&mut self, step: Step) {
        for (key, value) in step.writes {
            self.bytes += key.bytes.len() + value.as_ref().map_or(0, Vec::len);
            self.writes.insert(key, value);
        }
        self.records.extend(step.records);
        self.commits.extend(step.commits);
        self.durable |= step.durable;
        self.charged.extend(step.charged);
        self.settled.extend(step.settled);
        self.audit.extend(step.audit);
    }
}

fn len(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
