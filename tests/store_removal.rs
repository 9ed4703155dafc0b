//! What goes, what stays, and what a fork takes along.

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

use std::sync::atomic::Ordering;
use std::time::Duration;

use stepwell::clock::Timestamp;
use stepwell::id::{CheckpointId, Digest, TaskId};
use stepwell::store::{Error, Filter, Refused};
use stepwell::task::{Event, Once};

use scratch::scratch;
use tasks::*;

#[tokio::test]
async fn what_is_expired_goes_and_nothing_else() {
    let dir = scratch();
    let store = open(dir.path());
    let (gone, live) = (submit(&store, 1_000).await, submit(&store, 1_000).await);
    let young = submit(&store, 500_000).await;
    for task in [&gone, &young] {
        store.change(task, host(Event::Admitted)).await.unwrap();
        for n in 0..300 {
            let step = by_attempt(1, done(0, &n.to_string(), &[1; 2_000]));
            let store = store.clone();
            store.change(task, step).await.unwrap();
        }
        store
            .change(task, by_attempt(1, returned(b"result")))
            .await
            .unwrap();
    }
    let record = store.get(&gone).await.unwrap().unwrap();
    let now = record.expires();
    let before = Timestamp(now.0 - 1);
    assert!(store.expired(before, 10).await.unwrap().is_empty());
    assert!(!store.remove(&gone, before).await.unwrap());
    let expired = store.expired(now, 10).await.unwrap();
    assert_eq!(expired, std::slice::from_ref(&gone));
    for task in [&live, &young] {
        assert!(!store.remove(task, now).await.unwrap());
    }
    assert!(store.remove(&gone, now).await.unwrap());
    assert!(store.get(&gone).await.unwrap().is_none());
    assert!(store.events(&gone, 0, 10).await.unwrap().is_empty());
    assert!(store.arguments(&gone).await.unwrap().is_none());
    assert!(store.output(&gone).await.unwrap().is_none());
    assert!(
        store
            .row_output(&gone, &at(0, "7"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.expired(now, 10).await.unwrap().is_empty());
    assert!(!store.remove(&gone, now).await.unwrap());
    let page = store
        .list(&live.tenant, Filter::default(), None, 10)
        .await
        .unwrap();
    let left: Vec<_> = page.records.iter().map(|record| record.key()).collect();
    assert_eq!(left, [young.clone(), live]);
    assert!(
        store
            .row_output(&young, &at(0, "7"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_sweep_takes_what_nobody_can_come_back_to() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let record = write_rows(&store, &task, 0..300).await;
    assert_eq!(store.sweep(&task).await.unwrap(), 0);
    let client = host(Event::ClientSaved {
        state: b"{}"[..].into(),
    });
    let mark = store.change(&task, client).await.unwrap().marks[0].id;
    let state = b"state"[..].into();
    let saved = by_attempt(record.attempt, Event::Saved { state });
    store.change(&task, saved).await.unwrap();
    let suspended = by_attempt(record.attempt, Event::Suspended { pause: true });
    store.change(&task, suspended).await.unwrap();
    assert_eq!(
        store.sweep(&task).await.unwrap(),
        0,
        "a client can come back"
    );

    let restored = host(Event::Restored {
        checkpoint: mark,
        go_on: false,
    });
    store.change(&task, restored).await.unwrap();
    store.change(&task, host(Event::Resume)).await.unwrap();
    let record = write_rows(&store, &task, 300..310).await;
    let suspended = by_attempt(record.attempt, Event::Suspended { pause: true });
    store.change(&task, suspended).await.unwrap();
    let restored = host(Event::Restored {
        checkpoint: mark,
        go_on: false,
    });
    store.change(&task, restored).await.unwrap();
    store.change(&task, host(Event::Resume)).await.unwrap();
    // Half of those that were forgotten are written anew, at the same names.
    let record = write_rows(&store, &task, 300..305).await;
    // Ten outputs that lie apart, and five rows.
    assert_eq!(store.sweep(&task).await.unwrap(), 15);
    for name in 0..305 {
        let output = store
            .row_output(&task, &at(0, &name.to_string()))
            .await
            .unwrap();
        assert_eq!(output.unwrap().len(), 2_000, "{name}");
    }
    let state = b"state"[..].into();
    let saved = by_attempt(record.attempt, Event::Saved { state });
    store.change(&task, saved).await.unwrap();
    assert_eq!(store.sweep(&task).await.unwrap(), 0);
    assert!(matches!(
        store.checkpoint(&task, mark).await.unwrap(),
        Some(checkpoint) if &*checkpoint.state == b"{}"
    ));
    let none = store.checkpoint(&task, CheckpointId(9_999)).await.unwrap();
    assert!(none.is_none());
}

#[tokio::test]
async fn a_fork_takes_along_what_lies_before_its_place() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let record = write_rows(&store, &task, 0..3).await;
    let once = Once {
        at: at(0, "pay"),
        input: Digest::of(b"input"),
        key: "key".into(),
        generation: 0,
        place: 0,
        clean_up: false,
        completed: false,
    };
    let begun = by_attempt(record.attempt, Event::OnceBegun(once.clone()));
    store.change(&task, begun).await.unwrap();
    let client = host(Event::ClientSaved {
        state: b"{}"[..].into(),
    });
    let mark = store.change(&task, client).await.unwrap().marks[0].id;
    let Event::Done { row, output, .. } = done(0, "pay", &[9; 2_000]) else {
        unreachable!()
    };
    let once = Once {
        completed: true,
        ..once
    };
    let paid = Event::Done {
        row,
        output,
        once: Some(once.clone()),
    };
    store.change(&task, by_attempt(1, paid)).await.unwrap();
    let at_work = store.fork(&task, TaskId::random(), spec(5_000), None).await;
    assert!(matches!(at_work, Err(Refused::CannotFork(_))));
    store
        .change(&task, by_attempt(1, returned(b"result")))
        .await
        .unwrap();

    let id = TaskId::random();
    let child = store
        .fork(&task, id, spec(5_000), Some(mark))
        .await
        .unwrap();
    let journal = store.journal(&child).await.unwrap();
    let (child, parent) = (child.key(), store.get(&task).await.unwrap().unwrap());
    assert_eq!(parent.forks, 1);
    assert_eq!(journal.journal.doubts().len(), 0);
    let names = ["0", "1", "2"].map(|name| at(0, name));
    for name in &names {
        let output = store.row_output(&child, name).await.unwrap().unwrap();
        assert_eq!(output.len(), 2_000);
    }
    assert!(
        store
            .row_output(&child, &at(0, "pay"))
            .await
            .unwrap()
            .is_none()
    );
    let paid = store.once_output(&child, &once).await.unwrap().unwrap();
    assert_eq!(&*paid, &[9; 2_000][..]);
    assert!(store.checkpoint(&child, mark).await.unwrap().is_some());
    let arguments = store.arguments(&child).await.unwrap();
    assert_eq!(arguments.as_deref(), Some(&b"{}"[..]));
    assert!(store.output(&child).await.unwrap().is_none());
    let taken = store.fork(&task, id, spec(5_000), None).await;
    assert!(matches!(taken, Err(Refused::Taken(_))));

    // The parent goes, the child stays.
    assert!(store.remove(&task, parent.expires()).await.unwrap());
    assert!(store.row_output(&child, &names[0]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_removal_that_was_cut_short_is_gone_on_with() {
    let (dir, watcher, store, _feed) = watched();
    let task = submit(&store, 1_000).await;
    write_rows(&store, &task, 0..3).await;
    let ended = store
        .change(&task, by_attempt(1, returned(b"result")))
        .await;
    let now = ended.unwrap().expires();
    // The record goes with the next commit; the one after it fails.
    let groups = watcher.groups.load(Ordering::SeqCst);
    watcher.fails_at.store(groups + 2, Ordering::SeqCst);
    let cut_short = store.remove(&task, now).await;
    assert!(matches!(cut_short, Err(Error::Failed { .. })));
    drop(store);
    let store = open(dir.path());
    assert!(store.get(&task).await.unwrap().is_none());
    assert!(
        store
            .row_output(&task, &at(0, "0"))
            .await
            .unwrap()
            .is_some()
    );
    let expired = store.expired(Timestamp(0), 10).await.unwrap();
    assert_eq!(expired, std::slice::from_ref(&task));
    assert!(store.remove(&task, now).await.unwrap());
    assert!(
        store
            .row_output(&task, &at(0, "0"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.expired(now, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sweep_spares_a_row_that_is_written_anew_meanwhile() {
    let (_dir, watcher, store, _feed) = watched();
    let task = submit(&store, 1_000).await;
    write_rows(&store, &task, 0..2).await;
    let suspended = by_attempt(1, Event::Suspended { pause: false });
    store.change(&task, suspended).await.unwrap();
    let checkpoint = CheckpointId(0);
    store
        .change(
            &task,
            host(Event::Restored {
                checkpoint,
                go_on: false,
            }),
        )
        .await
        .unwrap();
    store.change(&task, host(Event::Admitted)).await.unwrap();

    let gate = watcher.hold_up();
    let (busy, anew) = (submit(&store, 2_000), by_attempt(2, done(0, "1", b"anew")));
    let (sweep, write) = (store.sweep(&task), store.change(&task, anew));
    // In this order: the writer is held up, the row waits for it, and the sweep finds both rows
    // dead on the disk before it waits too.
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(gate);
    };
    let (_, written, swept, ()) = tokio::join!(busy, write, sweep, release);
    written.unwrap();
    // One row, and the two outputs of old that lay apart.
    assert_eq!(swept.unwrap(), 3);
    assert!(
        store
            .row_output(&task, &at(0, "0"))
            .await
            .unwrap()
            .is_none()
    );
    let anew = store.row_output(&task, &at(0, "1")).await.unwrap();
    assert_eq!(anew.as_deref(), Some(&b"anew"[..]));
}
