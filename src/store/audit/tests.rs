//! Refusals are bounded, and nobody's are hidden behind another's.

use super::*;
use crate::clock::Timestamp;
use crate::id::Principal;

fn refused(subject: &str, client: &str) -> Entry {
    let by = Principal {
        subject: subject.into(),
        client: client.into(),
        ..Principal::local()
    };
    Entry::refused(Timestamp(5), &by, "submit", "busy")
}

fn is_dropped(entry: &Entry) -> Option<(u64, String)> {
    match (&entry.act, &entry.by) {
        (Act::Dropped { count }, Who::Principal(by)) => Some((*count, by.subject.to_string())),
        _ => None,
    }
}

#[test]
fn of_one_asker_a_few_are_written_and_then_how_many_there_were() {
    let mut buffer = Buffer::default();
    for n in 0..1_000 {
        // A client can call itself what it likes.
        let wakes = buffer.add(refused("mallory", &n.to_string()));
        assert_eq!(wakes, n == 0 || n == 10, "{n}");
    }
    buffer.add(refused("alice", "cli"));
    let taken = buffer.take(false);
    assert_eq!(taken.len(), 11);
    assert!(taken.iter().all(|entry| is_dropped(entry).is_none()));
    assert!(buffer.is_holding());
    buffer.add(refused("mallory", "again"));
    let taken = buffer.take(true);
    assert_eq!(
        taken.iter().map(is_dropped).collect::<Vec<_>>(),
        [Some((991, "mallory".into()))]
    );
    assert!(!buffer.is_holding() && buffer.take(true).is_empty());
}

#[test]
fn many_askers_are_one_past_a_number() {
    let mut buffer = Buffer::default();
    for n in 0..10_000 {
        buffer.add(refused(&n.to_string(), "cli"));
    }
    assert!(buffer.windows.len() <= ASKERS_MAX + 1);
    let written = buffer.take(false).len();
    assert!(written <= ASKERS_MAX + REFUSALS_MAX as usize, "{written}");
}

#[test]
fn what_waits_is_bounded() {
    let mut buffer = Buffer::default();
    for _ in 0..2 * WAITING_MAX {
        buffer.add(Entry::administered(Timestamp(1), Who::Host, "a", "b"));
    }
    assert_eq!(buffer.take(false).len(), WAITING_MAX);
}
