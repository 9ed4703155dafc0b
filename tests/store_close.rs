//! What a clean close leaves: little for the next start to read again, and nothing lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tasks.rs"]
mod tasks;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use stepwell::id::TaskKey;
use stepwell::store::Store;
use stepwell::task::Event;

use scratch::scratch;
use tasks::*;

const STEPS: u64 = 40;

/// Bytes that do not become fewer when they are compressed.
fn noise(mut random: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < 100_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        bytes.extend(random.to_le_bytes());
    }
    bytes
}

/// A task with 4 MB in its journal.
async fn much(store: &Store) -> TaskKey {
    let task = submit(store, 1_000).await;
    store.change(&task, host(Event::Admitted)).await.unwrap();
    for step in 1..=STEPS {
        write(store, &task, step).await;
    }
    task
}

async fn write(store: &Store, task: &TaskKey, step: u64) {
    let done = by_attempt(1, done(0, &step.to_string(), &noise(step)));
    store.change(task, done).await.unwrap();
}

async fn check(store: &Store, task: &TaskKey, steps: u64) {
    assert_eq!(store.get(task).await.unwrap().unwrap().steps, steps);
    for step in 1..=steps {
        let at = at(0, &step.to_string());
        let read = store.row_output(task, &at).await.unwrap();
        assert_eq!(read.as_deref(), Some(&*noise(step)), "step {step}");
    }
}

/// The bytes that were written to the journal, and are still there.
fn journal(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let journals = files.filter(|file| file.file_name().to_string_lossy().ends_with(".jnl"));
    let sizes: Vec<_> = journals
        .map(|file| file.metadata().unwrap().blocks() * 512)
        .collect();
    assert!(!sizes.is_empty(), "there always is one");
    sizes.iter().sum()
}

#[tokio::test]
async fn after_a_clean_close_there_is_little_to_read_again_and_all_is_there() {
    let dir = scratch();
    let store = open(dir.path());
    let task = much(&store).await;
    assert!(journal(dir.path()) > 4_000_000);
    store.close().await.unwrap();
    assert_eq!(journal(dir.path()), 0);

    let store = open(dir.path());
    check(&store, &task, STEPS).await;
    // What comes now has to be newer than what is in the tables.
    write(&store, &task, STEPS + 1).await;
    // Without a close: it is in the journal that was empty.
    drop(store);

    let store = open(dir.path());
    check(&store, &task, STEPS + 1).await;
    write(&store, &task, STEPS + 2).await;
    store.close().await.unwrap();

    let store = open(dir.path());
    check(&store, &task, STEPS + 2).await;
}

#[tokio::test]
async fn what_is_not_closed_keeps_its_journal() {
    let dir = scratch();
    let store = open(dir.path());
    let task = much(&store).await;
    drop(store);
    assert!(journal(dir.path()) > 4_000_000);
    check(&open(dir.path()), &task, STEPS).await;
}

#[tokio::test]
async fn a_little_is_left_in_the_journal() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    store.close().await.unwrap();
    assert_ne!(journal(dir.path()), 0);
    assert!(open(dir.path()).get(&task).await.unwrap().is_some());
}
