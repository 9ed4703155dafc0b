//! What a tenant is charged for is what lies on the disk, whatever happens to its tasks.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::id::{CheckpointId, Digest, Principal, TaskId, TaskKey};
use crate::limit::Limits;
use crate::store::keys::{Key, parse_event};
use crate::store::{NewTask, Note, Options, Store};
use crate::task::{
    Change, Ending, Entry, Event, Fenced, Once, Policy, Row, RowKind, Source, Spec, StepKey, Usage,
};

const NOW: Timestamp = Timestamp(1_000);

#[test]
fn fuel_is_of_one_day_and_bytes_are_of_all() {
    let mut account = Account::default();
    let mut add = |day, fuel, stored| {
        account.add(&Delta { day, fuel, stored });
        (account.fuel, account.stored)
    };
    assert_eq!(add(3, 10, 100), (10, 100));
    assert_eq!(add(3, 5, -40), (15, 60));
    assert_eq!(add(4, 0, 0), (15, 60), "nothing was used then");
    assert_eq!(add(5, 7, 0), (7, 60));
    assert_eq!(add(4, 9, 1), (7, 61), "of a day that is over");
    let at = |day: u64| account.at(Timestamp(day * 24 * 3_600_000)).fuel;
    assert_eq!((at(4), at(5), at(6)), (0, 7, 0));
}

fn spec(tool: &str) -> Spec {
    Spec {
        owner: Principal::local(),
        component: Digest::of(b"component"),
        tool: tool.into(),
        arguments: Digest::of(b"{}"),
        key: None,
        limits: Limits {
            client_checkpoints: 1,
            ..Limits::default()
        },
        grants: Vec::new(),
        policy: Policy::Auto,
        created: NOW,
        forked_from: None,
        name: Some(tool.into()),
    }
}

async fn submit(store: &Store, tool: &str) -> TaskKey {
    let new = NewTask {
        id: TaskId::random(),
        spec: spec(tool),
        arguments: vec![1; 3_000].into(),
        answered: None,
    };
    let task = store.submit(new).await.unwrap().record().key();
    change(store, &task, Event::Admitted).await;
    task
}

async fn change(store: &Store, task: &TaskKey, event: Event) -> Arc<Record> {
    let record = store.live_one(task).unwrap();
    let usage = Usage {
        fuel: record.usage.fuel + 10,
        ..Usage::default()
    };
    let fenced = Fenced {
        attempt: record.attempt,
        usage,
        grace_used: 0,
        told: false,
    };
    let attempt = (!matches!(event, Event::Admitted)).then_some(fenced);
    let change = Change {
        attempt,
        ..Change::by_host(NOW, event)
    };
    store.change(task, change).await.unwrap()
}

fn done(record: &Record, name: &str, len: usize, is_once: bool) -> Event {
    let at = StepKey {
        stretch: record.stretch,
        name: name.into(),
    };
    let input = Digest::of(b"input");
    let row = Row {
        at,
        kind: RowKind::Step,
        input,
        place: 0,
        clean_up: false,
    };
    Event::Done {
        once: is_once.then(|| once(record, name, true)),
        row,
        output: vec![2; len].into(),
    }
}

fn once(record: &Record, name: &str, completed: bool) -> Once {
    Once {
        at: StepKey {
            stretch: record.stretch,
            name: name.into(),
        },
        input: Digest::of(b"input"),
        key: "key".into(),
        generation: record.generation,
        place: 0,
        clean_up: false,
        completed,
    }
}

/// The bytes on the disk of what is charged for, of all tenants: there is one.
async fn on_the_disk(store: &Store) -> u64 {
    let count = |disk: &Disk| {
        let mut bytes = 0;
        for space in Space::ALL.into_iter().filter(|space| is_charged(*space)) {
            let all = Key {
                space,
                bytes: Vec::new(),
            };
            disk.scan(&all, None, |key, value| {
                let is_free = space == Space::Events && parse_event(&key.bytes) == Some(0);
                if !is_free {
                    bytes += (key.bytes.len() + value.len()) as u64;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(bytes)
    };
    store.0.read(count).await.unwrap()
}

async fn check(store: &Store, what: &str) {
    let used = store.used(&TenantId::local(), NOW);
    assert_eq!(used.stored, on_the_disk(store).await, "{what}");
}

#[tokio::test]
async fn what_is_charged_for_is_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap().0;
    let task = submit(&store, "one").await;
    check(&store, "accepted").await;
    let record = store.live_one(&task).unwrap();
    for (name, len, is_once) in [("a", 9, false), ("b", 5_000, false), ("c", 5_000, true)] {
        if is_once {
            change(&store, &task, Event::OnceBegun(once(&record, name, false))).await;
            check(&store, "a once step begun").await;
            change(&store, &task, Event::OnceBegun(once(&record, name, false))).await;
            check(&store, "a once step begun again").await;
        }
        change(&store, &task, done(&record, name, len, is_once)).await;
        check(&store, name).await;
    }
    let client = || Event::ClientSaved {
        state: vec![3; 6_000].into(),
    };
    change(&store, &task, client()).await;
    let mark = change(&store, &task, client())
        .await
        .marks
        .last()
        .unwrap()
        .id;
    check(&store, "one checkpoint forgotten for another").await;
    for entry in [
        Entry::Line {
            source: Source::Stdout,
            text: "a line".into(),
        },
        Entry::Progress {
            done: 1.0,
            total: None,
            message: "half".into(),
        },
    ] {
        store.log(&task, 1, NOW, entry);
        store.audit_synced(audited()).await.unwrap();
        check(&store, "logged").await;
    }
    let record = store.live_one(&task).unwrap();
    change(&store, &task, done(&record, "d", 5_000, true)).await;
    change(&store, &task, done(&record, "e", 10, false)).await;
    change(&store, &task, Event::Suspended { pause: true }).await;
    restore(&store, &task, mark).await;
    check(&store, "restored").await;
    change(&store, &task, Event::Admitted).await;
    let record = store.live_one(&task).unwrap();
    change(&store, &task, done(&record, "d", 7, true)).await;
    change(&store, &task, done(&record, "e", 2_000, false)).await;
    check(&store, "written anew at the same names").await;
    assert!(store.sweep(&task).await.unwrap() > 0);
    check(&store, "swept").await;
    // A line alone writes no head: it is on the account when the store is closed.
    let text = "the last line".into();
    let source = Source::Stdout;
    store.log(&task, 1, NOW, Entry::Line { source, text });
    drop(store);
    let store = Store::open(dir.path(), Options::default()).unwrap().0;
    check(&store, "opened again").await;
    assert_eq!(
        store.used(&TenantId::local(), NOW).fuel,
        store.live_one(&task).unwrap().usage.fuel
    );
    end_all(&store, &task).await;
}

async fn end_all(store: &Store, task: &TaskKey) {
    let ending = Ending::Returned;
    let output = Some(vec![4; 5_000].into());
    let ended = change(store, task, Event::Ended { ending, output }).await;
    check(store, "ended").await;
    let child = TaskId::random();
    store
        .fork(
            task,
            child,
            Spec {
                name: None,
                ..spec("two")
            },
            None,
        )
        .await
        .unwrap();
    check(store, "forked").await;
    let child = TaskKey {
        id: child,
        ..task.clone()
    };
    change(store, &child, Event::Admitted).await;
    let (ending, output) = (Ending::Returned, None);
    change(store, &child, Event::Ended { ending, output }).await;
    let note = Note {
        name: "note".into(),
        bytes: vec![5; 5_000].into(),
        expires: NOW,
    };
    store
        .put_note(&Principal::local(), "session", note.clone(), NOW)
        .await
        .unwrap();
    store
        .put_note(&Principal::local(), "session", note, NOW)
        .await
        .unwrap();
    check(store, "noted").await;
    let fuel = store.used(&TenantId::local(), NOW).fuel;
    for task in [task, &child] {
        assert!(store.remove(task, ended.expires()).await.unwrap());
        check(store, "removed").await;
    }
    assert_eq!(store.sweep_notes(NOW).await.unwrap(), 1);
    let used = store.used(&TenantId::local(), NOW);
    assert_eq!(used, Used { fuel, stored: 0 });
}

async fn restore(store: &Store, task: &TaskKey, checkpoint: CheckpointId) {
    let go_on = true;
    let restored = Event::Restored { checkpoint, go_on };
    let restored = Change::by_host(NOW, restored);
    store.change(task, restored).await.unwrap();
}

fn audited() -> crate::audit::Entry {
    crate::audit::Entry::administered(NOW, crate::audit::Who::Host, "a", "b")
}
