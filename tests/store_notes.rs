//! Notes and chosen names: whose they are, how many there may be, and when they go.

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

use stepwell::clock::Timestamp;
use stepwell::id::Principal;
use stepwell::limit::{NOTE_BYTES_MAX, NOTES_BYTES_MAX};
use stepwell::store::{Note, Noted, Refused, Store, Submitted};
use stepwell::task::Spec;

use scratch::scratch;
use tasks::*;

const NOW: Timestamp = Timestamp(1_000);

fn note(name: &str, bytes: &[u8], expires: u64) -> Note {
    Note {
        name: name.into(),
        bytes: bytes.into(),
        expires: Timestamp(expires),
    }
}

fn somebody(subject: &str) -> Principal {
    Principal {
        subject: subject.into(),
        ..Principal::local()
    }
}

async fn get(store: &Store, name: &str, now: Timestamp) -> Option<Note> {
    let me = Principal::local();
    store.note(&me, "session", name, now).await.unwrap()
}

#[tokio::test]
async fn a_note_is_its_owners_and_lasts_until_its_time() {
    let dir = scratch();
    let store = open(dir.path());
    let me = Principal::local();
    let first = note("s-1", b"{}", 2_000);
    let put = store.put_note_if_absent(&me, "session", first.clone(), NOW);
    assert_eq!(put.await.unwrap(), Noted::New);
    let second = note("s-1", b"[]", 3_000);
    let put = store.put_note_if_absent(&me, "session", second.clone(), NOW);
    assert_eq!(put.await.unwrap(), Noted::Existing(first.clone()));
    store.close().await.unwrap();

    let store = open(dir.path());
    assert_eq!(get(&store, "s-1", NOW).await, Some(first));
    assert_eq!(get(&store, "s-1", Timestamp(2_000)).await, None);
    let stranger = somebody("stranger");
    assert_eq!(
        store.note(&stranger, "session", "s-1", NOW).await.unwrap(),
        None
    );
    assert_eq!(store.note(&me, "other", "s-1", NOW).await.unwrap(), None);
    // Its time is over: it is in nobody's way, though it is not removed yet.
    let put = store.put_note_if_absent(&me, "session", second.clone(), Timestamp(2_000));
    assert_eq!(put.await.unwrap(), Noted::New);
    assert_eq!(store.sweep_notes(Timestamp(2_999)).await.unwrap(), 0);
    assert_eq!(get(&store, "s-1", Timestamp(2_999)).await, Some(second));
    assert_eq!(store.sweep_notes(Timestamp(3_000)).await.unwrap(), 1);
    assert_eq!(get(&store, "s-1", NOW).await, None);
    store
        .put_note(&me, "session", note("s-2", b"1", 9_000), NOW)
        .await
        .unwrap();
    store.delete_note(&me, "session", "s-2").await.unwrap();
    store.delete_note(&me, "session", "s-2").await.unwrap();
    assert_eq!(get(&store, "s-2", NOW).await, None);
    assert_eq!(store.sweep_notes(Timestamp(u64::MAX)).await.unwrap(), 0);
    assert_eq!(store.used(&me.tenant, NOW).stored, 0);
}

#[tokio::test]
async fn notes_are_paged_by_name() {
    let dir = scratch();
    let store = open(dir.path());
    let me = Principal::local();
    for name in ["c", "a", "b", "e", "d"] {
        let expires = if name == "b" { 500 } else { 9_000 };
        store
            .put_note(&me, "session", note(name, b"x", expires), NOW)
            .await
            .unwrap();
    }
    store
        .put_note(&me, "sessions", note("z", b"x", 9_000), NOW)
        .await
        .unwrap();
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.notes(&me, "session", after, (2, NOW)).await.unwrap();
        names.extend(page.notes.iter().map(|note| note.name.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "c", "d", "e"]);
}

#[tokio::test]
async fn what_one_principal_keeps_is_bounded() {
    let dir = scratch();
    let store = open(dir.path());
    let me = Principal::local();
    let put = async |n: u64, bytes: usize| {
        let note = note(&n.to_string(), &vec![0; bytes], 9_000);
        store.put_note(&me, "session", note, NOW).await
    };
    let long = put(0, NOTE_BYTES_MAX + 1).await.unwrap_err().to_string();
    assert_eq!(
        long,
        "bytes of a note: 1048577, and at most 1048576 are kept"
    );
    let fit = NOTES_BYTES_MAX / NOTE_BYTES_MAX as u64;
    for n in 0..fit - 1 {
        put(n, NOTE_BYTES_MAX).await.unwrap();
    }
    let full = put(fit, NOTE_BYTES_MAX).await.unwrap_err();
    assert!(
        matches!(
            full,
            Refused::TooMuchNoted {
                max: NOTES_BYTES_MAX,
                ..
            }
        ),
        "{full}"
    );
    put(0, NOTE_BYTES_MAX).await.unwrap();
    put(1, 10).await.unwrap();
    put(fit, NOTE_BYTES_MAX - 10).await.unwrap();
    let bytes: Arc<[u8]> = vec![0; NOTE_BYTES_MAX].into();
    let other = Note {
        bytes,
        ..note("0", b"", 9_000)
    };
    store
        .put_note(&somebody("other"), "session", other, NOW)
        .await
        .unwrap();
    for (kind, name) in [
        ("", "x"),
        ("x", ""),
        ("x", "a\nb"),
        ("task", "mine"),
        (&*"k".repeat(33), "x"),
    ] {
        let refused = store.put_note(&me, kind, note(name, b"", 9_000), NOW).await;
        assert!(
            matches!(refused, Err(Refused::InvalidNote { .. })),
            "{kind} {name}"
        );
    }
}

#[tokio::test]
async fn a_principal_keeps_so_many_notes() {
    let dir = scratch();
    let store = open(dir.path());
    let me = Principal::local();
    let max = stepwell::limit::NOTES_MAX;
    let puts: Vec<_> = (0..=max)
        .map(|n| {
            let (store, me) = (store.clone(), me.clone());
            let note = note(&n.to_string(), b"", 9_000);
            tokio::spawn(async move { store.put_note(&me, "n", note, NOW).await.is_ok() })
        })
        .collect();
    let mut kept = 0;
    for put in puts {
        kept += usize::from(put.await.unwrap());
    }
    assert_eq!(kept, max);
    let named = Spec {
        name: Some("one-more".into()),
        ..spec(1_000)
    };
    let full = store.submit(new_task(named)).await.unwrap_err();
    assert_eq!(
        full.to_string(),
        "notes of one principal: 10000, and at most 10000 are kept"
    );
    drop(store);
    // Counted anew from the disk.
    let store = open(dir.path());
    assert!(
        store
            .put_note(&me, "n", note("more", b"", 1), NOW)
            .await
            .is_err()
    );
    assert_eq!(store.sweep_notes(Timestamp(9_000)).await.unwrap(), max);
    store
        .put_note(&me, "n", note("more", b"", 1), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_name_is_one_tasks_for_as_long_as_that_is_kept() {
    let dir = scratch();
    let store = open(dir.path());
    let named = |key: Option<&str>, created| Spec {
        name: Some("nightly".into()),
        key: key.map(Into::into),
        ..spec(created)
    };
    let first = store
        .submit(new_task(named(Some("k"), 1_000)))
        .await
        .unwrap();
    let first = first.record().key();
    let me = Principal::local();
    assert_eq!(
        store.named(&me, "nightly").await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(
        store.named(&somebody("other"), "nightly").await.unwrap(),
        None
    );
    let taken = store.submit(new_task(named(None, 2_000))).await;
    assert!(matches!(taken, Err(Refused::NameTaken(task)) if task == first));
    let again = store
        .submit(new_task(named(Some("k"), 2_000)))
        .await
        .unwrap();
    assert!(matches!(again, Submitted::Existing(record) if record.key() == first));
    let nameless = Spec {
        name: Some("".into()),
        ..spec(1)
    };
    let refused = store.submit(new_task(nameless)).await;
    assert!(matches!(refused, Err(Refused::InvalidNote { .. })));
    assert_eq!(
        store.live().len(),
        1,
        "what is refused is not accepted in part"
    );

    end(&store, &first).await;
    let expires = store.get(&first).await.unwrap().unwrap().expires();
    assert!(store.remove(&first, expires).await.unwrap());
    assert_eq!(store.named(&me, "nightly").await.unwrap(), None);
    let next = store.submit(new_task(named(None, 2_000))).await.unwrap();
    assert!(matches!(next, Submitted::New(_)));
    let page = store.notes(&me, "task", None, (10, NOW)).await.unwrap();
    assert_eq!(page.notes[0].bytes[..], *next.record().id.as_bytes());
}
