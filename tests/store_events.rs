//! Events: their numbers, and the entries that are not synced by themselves.

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

use std::sync::Arc;
use std::time::Duration;

use stepwell::clock::{Stopwatch, Timestamp};
use stepwell::store::{Options, Store};
use stepwell::task::{Entry, Event};

use scratch::scratch;
use tasks::*;

#[tokio::test]
async fn event_numbers_rise_and_are_never_given_again() {
    let dir = scratch();
    let mut seen = Vec::new();
    let mut task = None;
    for round in 0..3 {
        let store = open(dir.path());
        let task = match &task {
            Some(task) => task,
            None => task.insert(submit(&store, 1_000).await),
        };
        for n in 0..300 {
            let mut commits = store.commits();
            commits.mark_unchanged();
            store.log(task, 1, Timestamp(3), line(&format!("{round}.{n}")));
            if n % 100 == 0 {
                commits.changed().await.unwrap();
            }
        }
        store.change(task, host(Event::Pause)).await.unwrap();
        store.change(task, host(Event::Resume)).await.unwrap();
        let after = seen
            .last()
            .map_or(0, |event: &stepwell::store::Event| event.number);
        let events = store.events(task, after, 1_000).await.unwrap();
        let lines = events
            .iter()
            .filter(|event| matches!(event.entry, Entry::Line { .. }));
        assert_eq!(lines.count(), 300);
        seen.extend(events);
        drop(store);
    }
    assert!(seen.windows(2).all(|two| two[0].number < two[1].number));
    let store = open(dir.path());
    assert_eq!(
        store
            .events(task.as_ref().unwrap(), 0, 1_024)
            .await
            .unwrap(),
        seen
    );
}

#[tokio::test]
async fn progress_is_the_most_that_was_seen_even_after_a_crash() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let progress = |done| Entry::Progress {
        done,
        total: Some(10.0),
        message: "".into(),
    };
    for done in [1.0, 4.0, 2.0] {
        store.log(&task, 1, Timestamp(3), progress(done));
    }
    drop(store);
    let store = open(dir.path());
    for done in [0.0, 3.0] {
        store.log(&task, 2, Timestamp(4), progress(done));
        store.change(&task, host(Event::Pause)).await.unwrap();
        store.change(&task, host(Event::Resume)).await.unwrap();
    }
    let most = store.progress(&task).await.unwrap().unwrap();
    assert_eq!(most.entry, progress(4.0));
    let events = store.events(&task, 0, 100).await.unwrap();
    let events = events
        .iter()
        .filter(|event| matches!(event.entry, Entry::Progress { .. }));
    let last = events.max_by_key(|event| event.number).unwrap();
    assert_eq!((last.number, &last.entry), (most.number, &progress(4.0)));
}

fn progress(done: f64) -> Entry {
    Entry::Progress {
        done,
        total: None,
        message: "".into(),
    }
}

#[tokio::test]
async fn progress_in_a_tight_loop_is_few_events_and_its_last_comes_before_the_end() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let stopwatch = Stopwatch::start();
    for done in 0..100_u32 {
        store.log(&task, 1, Timestamp(2_000), progress(done.into()));
        // Each is a commit, before which what was logged is looked at.
        store.change(&task, host(Event::Pause)).await.unwrap();
        store.change(&task, host(Event::Resume)).await.unwrap();
    }
    let intervals = stopwatch.elapsed().as_millis() / 100;
    end(&store, &task).await;
    let events = store.events(&task, 0, 1_024).await.unwrap();
    let is_progress =
        |event: &&stepwell::store::Event| matches!(event.entry, Entry::Progress { .. });
    let count = events.iter().filter(is_progress).count() as u128;
    assert!(count <= 2 + intervals, "{count} in {intervals} intervals");
    let [.., last, ended] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!(last.entry, progress(99.0));
    assert!(matches!(ended.entry, Entry::Status { .. }), "{ended:?}");
    let most = store.progress(&task).await.unwrap().unwrap();
    assert_eq!((most.number, &most.entry), (last.number, &last.entry));
}

#[tokio::test]
async fn progress_is_an_event_for_each_interval_of_its_own_time() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    for done in 0..5_u32 {
        let at = Timestamp(2_000 + u64::from(done) * 100);
        store.log(&task, 1, at, progress(done.into()));
        store.change(&task, host(Event::Pause)).await.unwrap();
        store.change(&task, host(Event::Resume)).await.unwrap();
    }
    let events = store.events(&task, 0, 1_024).await.unwrap();
    let entries = events.into_iter().map(|event| event.entry);
    let told: Vec<_> = entries
        .filter(|entry| matches!(entry, Entry::Progress { .. }))
        .collect();
    assert_eq!(told, [0.0, 1.0, 2.0, 3.0, 4.0].map(progress));
}

#[tokio::test]
async fn the_last_progress_arrives_though_nothing_else_happens() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let mut commits = store.commits();
    for done in [1.0, 2.0] {
        commits.mark_unchanged();
        store.log(&task, 1, Timestamp(3), progress(done));
        let arrives = async {
            loop {
                let most = store.progress(&task).await.unwrap();
                if most.is_some_and(|most| most.entry == progress(done)) {
                    return;
                }
                commits.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(5), arrives)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn lines_past_the_bound_are_counted() {
    let dir = scratch();
    let watcher = Arc::new(Watcher::default());
    let options = Options {
        probe: Some(watcher.clone()),
        log_lines_max: 10,
        ..Options::default()
    };
    let (store, _feed) = Store::open(dir.path(), options).unwrap();
    let task = submit(&store, 1_000).await;
    let gate = watcher.hold_up();
    // The writer takes this one, and is held up with it.
    store.log(&task, 1, Timestamp(3), line("first"));
    while store.committing_for().is_none() {
        tokio::task::yield_now().await;
    }
    for n in 0..25 {
        store.log(&task, 1, Timestamp(3), line(&n.to_string()));
    }
    drop(gate);
    store.change(&task, host(Event::Pause)).await.unwrap();
    let events = store.events(&task, 1, 100).await.unwrap();
    let text = |entry: &Entry| match entry {
        Entry::Line { text, .. } => text.to_string(),
        other => format!("{other:?}"),
    };
    let texts: Vec<_> = events.iter().map(|event| text(&event.entry)).collect();
    assert_eq!(texts.len(), 1 + 10 + 1 + 1, "{texts:?}");
    assert!(texts[11].starts_with("15 lines were dropped"), "{texts:?}");
    assert!(texts[12].contains("Paused"), "{texts:?}");
}

#[tokio::test]
async fn whoever_follows_events_is_woken_by_a_line() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let mut commits = store.commits();
    commits.mark_unchanged();
    store.log(&task, 1, Timestamp(3), line("news"));
    let news = async {
        loop {
            commits.changed().await.unwrap();
            let events = store.events(&task, 1, 10).await.unwrap();
            if !events.is_empty() {
                return events;
            }
        }
    };
    let events = tokio::time::timeout(Duration::from_secs(5), news).await;
    assert_eq!(events.unwrap()[0].entry, line("news"));
}
