//! Directories that can't be opened, and stores that can't go on.

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

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stepwell::clock::Timestamp;
use stepwell::store::{Error, Group, Options, Probe, Refused, Store};
use stepwell::task::{Event, Status};
use tempfile::TempDir;

use scratch::scratch;
use tasks::*;

struct Bomb;

impl Probe for Bomb {
    fn before_commit(&self, _: &Path, _: &Group) -> io::Result<()> {
        panic!("the writer panics, as this test wants it to");
    }
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_directory() {
    let dir = scratch();
    let store = open(dir.path());
    let error = Store::open(dir.path(), Options::default()).err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, Error::Locked { .. }), "{text}");
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert!(text.contains("store_failure"), "its command: {text}");
    drop(store);
    open(dir.path());
}

#[tokio::test]
async fn what_lies_beside_the_store_is_not_the_stores() {
    let dir = scratch();
    let file = dir.path().join("registry").join("key");
    std::fs::create_dir(dir.path().join("registry")).unwrap();
    std::fs::write(&file, "secret").unwrap();
    let options = Options {
        beside: &["registry"],
        ..Options::default()
    };
    let (store, _feed) = Store::open(dir.path(), options).unwrap();
    store.close().await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "secret");
}

#[test]
fn a_foreign_directory_is_left_untouched() {
    let dir = scratch();
    let error = |dir: &TempDir| Store::open(dir.path(), Options::default()).err().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "").unwrap();
    let text = error(&dir).to_string();
    assert!(text.contains("it holds `thesis.tex`"), "{text}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

    let dir = scratch();
    std::fs::write(dir.path().join("format"), "stepwell.store/99\n").unwrap();
    let text = error(&dir).to_string();
    assert!(text.contains("it has format 99"), "{text}");
}

#[tokio::test]
async fn damage_is_one_clear_sentence() {
    let dir = scratch();
    drop(open(dir.path()));
    std::fs::remove_file(dir.path().join("version")).unwrap();
    let error = Store::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("restore it from a backup"));

    let dir = scratch();
    drop(open(dir.path()));
    std::fs::remove_dir_all(dir.path().join("keyspaces/0")).unwrap();
    let error = Store::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

/// What `creating` says while a store is being created.
const CREATING: &str = "stepwell.store is being created here\n";

#[tokio::test]
async fn a_creation_that_was_cut_short_is_begun_again() {
    let dir = scratch();
    drop(open(dir.path()));
    std::fs::rename(dir.path().join("format"), dir.path().join("format.new")).unwrap();
    std::fs::write(dir.path().join("creating"), CREATING).unwrap();
    std::fs::remove_file(dir.path().join("version")).unwrap();
    let store = open(dir.path());
    submit(&store, 1_000).await;
    assert!(!dir.path().join("creating").exists());

    // Cut short before it had said what it was at.
    for begun in ["", "stepwell.st"] {
        let dir = scratch();
        std::fs::write(dir.path().join("holder"), "").unwrap();
        std::fs::write(dir.path().join("creating"), begun).unwrap();
        let store = open(dir.path());
        submit(&store, 1_000).await;
    }
}

#[test]
fn a_foreign_directory_in_which_something_is_being_created_is_left_untouched() {
    let cases = [
        ("my new novel", "thesis.tex"),
        ("my new novel", "version"),
        ("", "thesis.tex"),
        ("", "version"),
        (CREATING, "thesis.tex"),
        (CREATING, "my.jnl"),
    ];
    for (creating, other) in cases {
        let dir = scratch();
        std::fs::write(dir.path().join("creating"), creating).unwrap();
        std::fs::write(dir.path().join(other), "the only copy").unwrap();
        std::fs::create_dir(dir.path().join("keyspaces")).unwrap();
        let opened = Store::open(dir.path(), Options::default());
        let error = opened.err().map(|error| error.to_string());
        let case = format!("{creating:?} and {other}: {error:?}");
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 3, "{case}");
        let read = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("creating"), creating, "{case}");
        assert_eq!(read(other), "the only copy", "{case}");
        assert!(error.unwrap().contains("no store put there"), "{case}");
    }

    // Alone, and yet not a store's.
    let dir = scratch();
    std::fs::write(dir.path().join("creating"), "my new novel").unwrap();
    let error = Store::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    let text = std::fs::read_to_string(dir.path().join("creating")).unwrap();
    assert_eq!(text, "my new novel");
}

#[tokio::test]
async fn a_store_that_failed_acknowledges_nothing_more() {
    let (dir, watcher, store, mut feed) = watched();
    let task = submit(&store, 1_000).await;
    watcher.is_full.store(true, Ordering::SeqCst);
    let refused = store.change(&task, host(Event::Admitted)).await;
    let is_failed = |refused: &Refused| matches!(refused, Refused::Store(Error::Failed { .. }));
    assert!(is_failed(&refused.unwrap_err()));
    watcher.is_full.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = store.change(&task, host(Event::Admitted)).await;
        assert!(is_failed(&refused.unwrap_err()));
    }
    let failure = store.failed().unwrap().to_string();
    assert!(
        failure.contains("storage space") || failure.contains("full"),
        "{failure}"
    );
    assert_eq!(feed.next().await.unwrap().unwrap().record.key(), task);
    assert!(feed.next().await.is_err());
    // What was acknowledged is there, and nothing else.
    drop(store);
    let store = open(dir.path());
    let record = store.get(&task).await.unwrap().unwrap();
    assert_eq!(record.status(), Status::Queued);
}

#[tokio::test]
async fn a_panic_of_the_writer_is_a_failure() {
    let dir = scratch();
    let options = Options {
        probe: Some(Arc::new(Bomb)),
        ..Options::default()
    };
    let (store, mut feed) = Store::open(dir.path(), options).unwrap();
    let refused = store.submit(new_task(spec(1_000))).await.unwrap_err();
    assert!(refused.to_string().contains("panicked"), "{refused}");
    assert!(feed.next().await.is_err());
}

#[tokio::test]
async fn a_closed_store_says_so_and_lets_go() {
    let dir = scratch();
    let (store, mut feed) = Store::open(dir.path(), Options::default()).unwrap();
    let clone = store.clone();
    let task = submit(&store, 1_000).await;
    clone.log(&task, 1, Timestamp(3), line("last words"));
    store.close().await.unwrap();
    let refused = clone.submit(new_task(spec(1))).await;
    assert!(matches!(refused, Err(Refused::Store(Error::Closed))));
    let read = clone.arguments(&task).await;
    assert!(matches!(read, Err(Error::Closed)));
    assert!(feed.next().await.unwrap().is_some());
    assert!(feed.next().await.unwrap().is_none());
    let store = open(dir.path());
    let events = store.events(&task, 0, 10).await.unwrap();
    assert_eq!(events.last().unwrap().entry, line("last words"));
}

#[tokio::test]
async fn a_store_without_its_journal_is_damaged_and_not_taken_for_an_empty_one() {
    let dir = scratch();
    open(dir.path()).close().await.unwrap();
    let journals = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let journals: Vec<_> = journals
        .filter(|it| it.extension().is_some_and(|it| it == "jnl"))
        .collect();
    assert!(!journals.is_empty(), "the engine has a journal");
    for journal in &journals {
        std::fs::remove_file(journal).unwrap();
    }
    let error = Store::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}
