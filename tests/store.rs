//! The store's promises: what outlives its process, what is refused, what is synced together.

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

use stepwell::clock::Timestamp;
use stepwell::id::{Digest, Principal, TaskId, TaskKey};
use stepwell::store::{Filter, Refused, Store, Submitted};
use stepwell::task::{Event, Illegal, Spec, Status};

use scratch::scratch;
use tasks::*;

#[tokio::test]
async fn a_task_outlives_its_process() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    store.change(&task, host(Event::Admitted)).await.unwrap();
    let long = vec![7; 5_000];
    for (name, output) in [("short", &b"out"[..]), ("long", &long)] {
        let done = by_attempt(1, done(0, name, output));
        store.change(&task, done).await.unwrap();
    }
    let record = store.get(&task).await.unwrap().unwrap();
    store.close().await.unwrap();

    let store = open(dir.path());
    assert_eq!(store.get(&task).await.unwrap().unwrap(), record);
    assert_eq!(store.live(), std::slice::from_ref(&record));
    assert_eq!(store.newest(), Timestamp(2_000));
    let arguments = store.arguments(&task).await.unwrap();
    assert_eq!(arguments.as_deref(), Some(&b"{}"[..]));
    let journal = store.journal(&record).await.unwrap();
    assert_eq!(journal.outputs.len(), 1, "the long one lies apart");
    assert_eq!(&*journal.outputs[&at(0, "short")], b"out");
    for (name, output) in [("short", &b"out"[..]), ("long", &long)] {
        let read = store.row_output(&task, &at(0, name)).await.unwrap();
        assert_eq!(read.as_deref(), Some(output), "{name}");
    }
}

#[tokio::test]
async fn an_ended_task_is_read_from_the_disk_and_never_changes() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    store.change(&task, host(Event::Admitted)).await.unwrap();
    let ended = by_attempt(1, returned(b"result"));
    let ended = store.change(&task, ended).await.unwrap();
    assert!(store.live().is_empty());
    assert_eq!(store.get(&task).await.unwrap().unwrap(), ended);
    let output = store.output(&task).await.unwrap();
    assert_eq!(output.as_deref(), Some(&b"result"[..]));
    let refused = store.change(&task, host(Event::Pause)).await;
    let expected = Illegal::Ended(Status::Completed);
    assert!(matches!(refused, Err(Refused::Illegal(illegal)) if illegal == expected));
}

#[tokio::test]
async fn a_late_write_of_an_older_attempt_is_refused() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    store.change(&task, host(Event::Admitted)).await.unwrap();
    store.change(&task, host(Event::Crashed)).await.unwrap();
    store.change(&task, host(Event::Admitted)).await.unwrap();
    let late = store.change(&task, by_attempt(1, done(0, "a", b""))).await;
    let fenced = Illegal::Fenced {
        attempt: 1,
        newest: 2,
    };
    assert!(matches!(late, Err(Refused::Illegal(illegal)) if illegal == fenced));
    let record = store.get(&task).await.unwrap().unwrap();
    let journal = store.journal(&record).await.unwrap();
    assert!(journal.outputs.is_empty());
    let nobody = TaskKey {
        id: TaskId::random(),
        ..task
    };
    let unknown = store.change(&nobody, host(Event::Pause)).await;
    assert!(matches!(unknown, Err(Refused::Unknown(task)) if task == nobody));
}

#[tokio::test]
async fn an_idempotency_key_finds_its_task_for_as_long_as_that_is_kept() {
    let dir = scratch();
    let store = open(dir.path());
    let keyed = |created| Spec {
        key: Some("key".into()),
        ..spec(created)
    };
    let first = store.submit(new_task(keyed(1_000))).await.unwrap();
    let first = first.record().clone();
    let again = store.submit(new_task(keyed(2_000))).await.unwrap();
    assert!(matches!(again, Submitted::Existing(record) if record == first));
    let other = Spec {
        arguments: Digest::of(b"[]"),
        ..keyed(2_000)
    };
    let reused = store.submit(new_task(other.clone())).await;
    assert!(matches!(reused, Err(Refused::KeyReused { task }) if task == first.key()));
    let elsewhere = Spec {
        tool: "other".into(),
        ..other.clone()
    };
    let elsewhere = store.submit(new_task(elsewhere)).await.unwrap();
    assert!(matches!(elsewhere, Submitted::New(_)));

    end(&store, &first.key()).await;
    let expires = first.expires();
    assert!(store.remove(&first.key(), expires).await.unwrap());
    let free = store.submit(new_task(other)).await.unwrap();
    assert!(matches!(free, Submitted::New(_)));
}

#[tokio::test]
async fn what_comes_in_together_is_synced_once() {
    let (_dir, watcher, store, mut feed) = watched();
    let gate = watcher.hold_up();
    let submits: Vec<_> = (0..100)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { submit(&store, n).await })
        })
        .collect();
    // On one thread: once the first is being committed, all of them have had their turn.
    while store.committing_for().is_none() {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    drop(gate);
    for submit in submits {
        submit.await.unwrap();
    }
    assert_eq!(store.committing_for(), None);
    let groups = watcher.groups.load(Ordering::SeqCst);
    assert!(groups <= 2, "{groups} commits for 100 tasks");
    assert_eq!(watcher.requests.load(Ordering::SeqCst), 100);
    for n in 0..100 {
        let commit = feed.next().await.unwrap().unwrap();
        assert_eq!(commit.record.spec.created, Timestamp(n), "in order");
        assert_eq!(commit.from, None);
    }
}

#[tokio::test]
async fn admission_is_not_synced_by_itself() {
    let (_dir, watcher, store, _feed) = watched();
    let task = submit(&store, 1_000).await;
    assert_eq!(watcher.synced.load(Ordering::SeqCst), 1);
    store.change(&task, host(Event::Admitted)).await.unwrap();
    assert_eq!(watcher.synced.load(Ordering::SeqCst), 1);
    let step = by_attempt(1, done(0, "a", b""));
    store.change(&task, step).await.unwrap();
    assert_eq!(watcher.synced.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn lists_are_paged_newest_first() {
    let dir = scratch();
    let store = open(dir.path());
    let mut tasks = Vec::new();
    for created in 0..7 {
        tasks.push(submit(&store, created).await);
    }
    end(&store, &tasks[2]).await;
    let tenant = &tasks[0].tenant;
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .list(tenant, Filter::default(), after, 3)
            .await
            .unwrap();
        pages.push(
            page.records
                .iter()
                .map(|record| record.key())
                .collect::<Vec<_>>(),
        );
        after = page.next.map(|next| next.to_string().parse().unwrap());
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    let newest_first: Vec<_> = tasks.iter().rev().cloned().collect();
    assert_eq!(pages.concat(), newest_first);

    let ended = Filter {
        statuses: Some(vec![Status::Completed]),
        ..Filter::default()
    };
    let page = store.list(tenant, ended, None, 3).await.unwrap();
    assert_eq!(page.records[0].key(), tasks[2]);
    assert_eq!(page.records.len(), 1);
    let stranger = Filter {
        owner: Some(Principal {
            subject: "stranger".into(),
            ..Principal::local()
        }),
        ..Filter::default()
    };
    let page = store.list(tenant, stranger, None, 3).await.unwrap();
    assert!(page.records.is_empty());
    let other = "other".to_owned().try_into().unwrap();
    let page = store
        .list(&other, Filter::default(), None, 3)
        .await
        .unwrap();
    assert!(page.records.is_empty());
}

#[test]
fn whoever_waits_for_the_store_may_change_threads() {
    fn is_send<T: Send>(_: impl FnOnce(&'static Store, &'static TaskKey) -> T) {}
    fn is_shared<T: Clone + Send + Sync>() {}
    is_shared::<Store>();
    is_send(|store, task| store.change(task, host(Event::Pause)));
    is_send(|store, task| store.fork(task, task.id, spec(1), None));
    is_send(|store, task| store.remove(task, Timestamp(1)));
    is_send(Store::sweep);
    is_send(|store, task| store.events(task, 0, 1));
    is_send(|store, task| store.list(&task.tenant, Filter::default(), None, 1));
    is_send(|store, _| store.clone().close());
}
