//! The audit: what is in it, when it is on the disk, and how long it stays.

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
use std::sync::atomic::Ordering;

use stepwell::audit::{Act, Entry, Numbered, Request, Who};
use stepwell::clock::Timestamp;
use stepwell::id::{Principal, TenantId};
use stepwell::store::Store;
use stepwell::task::{Actor, Change, Event, Status};

use scratch::scratch;
use tasks::*;

async fn all(store: &Store) -> Vec<Numbered> {
    store.audit_after(0, 1_024, None).await.unwrap().entries
}

fn words(entry: &Numbered) -> (Option<Status>, Status) {
    match &entry.entry.act {
        Act::Changed(changed) => (changed.from, changed.to),
        act => panic!("{act:?}"),
    }
}

fn act(at: u64, tenant: Option<&str>) -> Entry {
    let tenant = tenant.map(|tenant| tenant.to_owned().try_into().unwrap());
    let entry = Entry::administered(Timestamp(at), Who::Host, "component.add", "x");
    Entry { tenant, ..entry }
}

#[tokio::test]
async fn a_step_is_not_in_it_and_every_transition_is() {
    let dir = scratch();
    let store = open(dir.path());
    let task = submit(&store, 1_000).await;
    let record = write_rows(&store, &task, 0..50).await;
    let me = Arc::new(Principal::local());
    let saved = Change {
        by: Actor::Principal(me.clone()),
        ..host(Event::ClientSaved {
            state: b"{}"[..].into(),
        })
    };
    let mark = store.change(&task, saved).await.unwrap().marks[0].id;
    let ended = by_attempt(record.attempt, returned(b"x"));
    let ended = Change {
        by: Actor::Tool,
        ..ended
    };
    store.change(&task, ended).await.unwrap();
    let entries = all(&store).await;
    let (queued, running) = (Status::Queued, Status::Running);
    let expected = [
        (None, queued),
        (Some(queued), running),
        (Some(running), running),
        (Some(running), Status::Completed),
    ];
    assert_eq!(entries.iter().map(words).collect::<Vec<_>>(), expected);
    let who: Vec<_> = entries.iter().map(|it| it.entry.by.clone()).collect();
    let me = Who::Principal(me);
    assert_eq!(who, [me.clone(), Who::Host, me, Who::Tool]);
    let Act::Changed(changed) = &entries[2].entry.act else {
        panic!()
    };
    assert_eq!(changed.request, Some(Request::Checkpoint { id: mark }));
    assert_eq!((changed.task, &*changed.tool), (task.id, "convert"));
}

#[tokio::test]
async fn a_step_costs_the_rows_that_it_always_did() {
    let (_dir, watcher, store, _feed) = watched();
    let task = submit(&store, 1_000).await;
    write_rows(&store, &task, 0..1).await;
    let before = (
        watcher.bytes.load(Ordering::SeqCst),
        all(&store).await.len(),
    );
    write_rows_again(&store, &task, 1..101).await;
    let bytes = watcher.bytes.load(Ordering::SeqCst) - before.0;
    assert_eq!(all(&store).await.len(), before.1);
    // A row of 2,000 bytes, its event, and the head: nothing else, whatever is charged for.
    assert!(
        bytes / 100 < 2_000 + 350,
        "{} bytes for a step",
        bytes / 100
    );
}

async fn write_rows_again(
    store: &Store,
    task: &stepwell::id::TaskKey,
    names: std::ops::Range<u32>,
) {
    for name in names {
        let step = by_attempt(1, done(0, &name.to_string(), &[1; 2_000]));
        store.change(task, step).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_refused_costs_no_sync_and_an_act_is_on_the_disk() {
    let (_dir, watcher, store, _feed) = watched();
    store.audit_synced(act(1, None)).await.unwrap();
    assert_eq!(watcher.synced.load(Ordering::SeqCst), 1);
    let me = Principal::local();
    let mut commits = store.commits();
    for n in 0..100 {
        let refused = Entry::refused(Timestamp(n), &me, "submit", "busy");
        store.audit(refused);
    }
    // Whoever follows it is told when there is more.
    while all(&store).await.len() < 11 {
        commits.changed().await.unwrap();
    }
    assert_eq!(watcher.synced.load(Ordering::SeqCst), 1);
    store.clone().close().await.unwrap();
    let store = open(store.dir());
    let entries = all(&store).await;
    assert_eq!(entries.len(), 12);
    assert_eq!(entries[11].entry.act, Act::Dropped { count: 90 });
    let numbers: Vec<_> = entries.iter().map(|it| it.number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    store.audit_synced(act(2, None)).await.unwrap();
    assert_eq!(all(&store).await[12].number, 13);
}

#[tokio::test]
async fn a_number_is_reserved_on_the_disk_before_anybody_reads_it() {
    let (_dir, watcher, store, _feed) = watched();
    let mut commits = store.commits();
    for n in 1..=5 {
        let me = Principal::local();
        store.audit(Entry::refused(Timestamp(1), &me, "submit", "busy"));
        while all(&store).await.len() < n {
            commits.changed().await.unwrap();
        }
        assert_eq!(
            watcher.synced.load(Ordering::SeqCst),
            1,
            "a block of them is synced"
        );
    }
}

#[tokio::test]
async fn it_is_read_in_pages_and_by_tenant() {
    let dir = scratch();
    let store = open(dir.path());
    for n in 0..10 {
        let tenant = ["acme", "other"][usize::from(n % 3 == 0)];
        store.audit_synced(act(n, Some(tenant))).await.unwrap();
    }
    let acme: TenantId = "acme".to_owned().try_into().unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store
            .audit_after(after, 4, Some(acme.clone()))
            .await
            .unwrap();
        seen.extend(page.entries.iter().map(|it| it.entry.at.0));
        after = page.after;
        if !page.is_more {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 4, 5, 7, 8]);
    assert_eq!(after, 10);
}

#[tokio::test]
async fn the_oldest_go_by_age_and_by_number_and_numbers_stay() {
    let dir = scratch();
    let store = open(dir.path());
    for n in 0..600 {
        let store = store.clone();
        store.audit(act(n, None));
    }
    store.audit_synced(act(600, None)).await.unwrap();
    let first = async |store: &Store| all(store).await.first().map(|it| it.number);
    assert_eq!(store.sweep_audit(Timestamp(300), 1_000).await.unwrap(), 300);
    assert_eq!(first(&store).await, Some(301));
    assert_eq!(store.sweep_audit(Timestamp(0), 10).await.unwrap(), 291);
    assert_eq!(first(&store).await, Some(592));
    assert_eq!(store.sweep_audit(Timestamp(1_000), 10).await.unwrap(), 10);
    assert_eq!(first(&store).await, None);
    store.close().await.unwrap();
    let store = open(dir.path());
    store.audit_synced(act(1, None)).await.unwrap();
    assert_eq!(first(&store).await, Some(602), "a number never comes back");
}
