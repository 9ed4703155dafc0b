//! Tasks and changes for tests of the store, and a probe that watches it.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stepwell::clock::Timestamp;
use stepwell::id::{Digest, Principal, TaskId, TaskKey};
use stepwell::limit::Limits;
use stepwell::store::{Feed, Group, NewTask, Options, Probe, Store};
use stepwell::task::{
    Change, Ending, Entry, Event, Fenced, Policy, Record, Row, RowKind, Source, Spec, StepKey,
    Usage,
};
use tempfile::TempDir;

use crate::scratch::scratch;

pub(crate) fn spec(created: u64) -> Spec {
    Spec {
        owner: Principal::local(),
        component: Digest::of(b"component"),
        tool: "convert".into(),
        arguments: Digest::of(b"{}"),
        key: None,
        limits: Limits::default(),
        grants: Vec::new(),
        policy: Policy::Auto,
        created: Timestamp(created),
        forked_from: None,
        name: None,
    }
}

pub(crate) fn new_task(spec: Spec) -> NewTask {
    NewTask {
        id: TaskId::random(),
        spec,
        arguments: b"{}"[..].into(),
        answered: None,
    }
}

pub(crate) async fn submit(store: &Store, created: u64) -> TaskKey {
    let submitted = store.submit(new_task(spec(created))).await.unwrap();
    submitted.record().key()
}

pub(crate) fn host(event: Event) -> Change {
    Change::by_host(Timestamp(2_000), event)
}

pub(crate) fn by_attempt(attempt: u32, event: Event) -> Change {
    Change {
        attempt: Some(Fenced {
            attempt,
            usage: Usage::default(),
            grace_used: 0,
            told: false,
        }),
        ..host(event)
    }
}

pub(crate) fn at(stretch: u32, name: &str) -> StepKey {
    StepKey {
        stretch,
        name: name.into(),
    }
}

pub(crate) fn done(stretch: u32, name: &str, output: &[u8]) -> Event {
    let row = Row {
        at: at(stretch, name),
        kind: RowKind::Step,
        input: Digest::of(b"input"),
        place: 0,
        clean_up: false,
    };
    Event::Done {
        row,
        output: output.into(),
        once: None,
    }
}

pub(crate) fn returned(output: &[u8]) -> Event {
    Event::Ended {
        ending: Ending::Returned,
        output: Some(output.into()),
    }
}

pub(crate) fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default()).unwrap().0
}

pub(crate) fn line(text: &str) -> Entry {
    Entry::Line {
        source: Source::Stdout,
        text: text.into(),
    }
}

pub(crate) async fn end(store: &Store, task: &TaskKey) {
    let record = store.change(task, host(Event::Admitted)).await.unwrap();
    let ended = by_attempt(record.attempt, returned(b"result"));
    store.change(task, ended).await.unwrap();
}

/// Counts commits, holds them up, and fails when it is told to.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) groups: AtomicU64,
    pub(crate) requests: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    pub(crate) synced: AtomicU64,
    pub(crate) is_full: AtomicBool,
    pub(crate) gate: Mutex<()>,
    /// The number of the group that fails; none if it is 0.
    pub(crate) fails_at: AtomicU64,
}

impl Watcher {
    /// Holds up the writer at its next commit until what is returned is dropped.
    pub(crate) fn hold_up(&self) -> impl Drop + '_ {
        self.gate.lock().unwrap()
    }
}

impl Probe for Watcher {
    fn before_commit(&self, _: &Path, group: &Group) -> io::Result<()> {
        drop(self.gate.lock().unwrap());
        if group.number == self.fails_at.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::Other.into());
        }
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn after_commit(&self, _: &Path, group: &Group, _: Duration) {
        self.groups.fetch_add(1, Ordering::SeqCst);
        self.requests.fetch_add(group.requests, Ordering::SeqCst);
        self.bytes.fetch_add(group.bytes, Ordering::SeqCst);
        self.synced.fetch_add(group.synced.into(), Ordering::SeqCst);
    }
}

pub(crate) fn watched() -> (TempDir, Arc<Watcher>, Store, Feed) {
    let dir = scratch();
    let watcher = Arc::new(Watcher::default());
    let options = Options {
        probe: Some(watcher.clone()),
        ..Options::default()
    };
    let (store, feed) = Store::open(dir.path(), options).unwrap();
    (dir, watcher, store, feed)
}

pub(crate) async fn write_rows(
    store: &Store,
    task: &TaskKey,
    names: std::ops::Range<u32>,
) -> Arc<Record> {
    let mut record = store.change(task, host(Event::Admitted)).await.unwrap();
    for name in names {
        let step = done(record.stretch, &name.to_string(), &[1; 2_000]);
        let step = by_attempt(record.attempt, step);
        record = store.change(task, step).await.unwrap();
    }
    record
}
