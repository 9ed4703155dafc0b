//! Every kind of value survives its bytes, and the bytes stay what they are.

use std::fmt::Write as _;

use super::*;
use crate::id::Principal;
use crate::limit::{Limits, Name};
use crate::store::account::Delta;
use crate::store::audit::StoredEntry;
use crate::store::disk::Space;
use crate::store::notes::StoredNote;
use crate::task::{
    Actor, Cancel, Failure, How, Kind, Mode, Origin, Outcome, Policy, Question, Reason, RowKind,
    Source, Status, StepKey, Stop, Wait,
};

/// A task that was just accepted.
pub(in crate::store) fn record() -> Record {
    Record::accepted(TaskId::random(), spec())
}

fn spec() -> Spec {
    Spec {
        owner: Principal::local(),
        component: Digest([1; 32]),
        tool: "convert".into(),
        arguments: Digest([2; 32]),
        key: Some("k".into()),
        limits: Limits::default(),
        grants: vec!["./data:ro".into()],
        policy: Policy::Auto,
        created: Timestamp(1_000),
        forked_from: Some((TaskId::from_bytes([3; 16]), Some(CheckpointId(4)))),
        name: Some("nightly".into()),
    }
}

fn states() -> Vec<State> {
    let stop = Stop {
        reason: Reason::Cancelled,
        at: Timestamp(5),
        grace: 6,
        grace_used: 7,
        cancel: Some(Cancel {
            by: Actor::Principal(Arc::new(Principal::local())),
            at: Timestamp(5),
            why: Some("enough".into()),
            grace: 6,
            mode: Mode::Immediate,
        }),
    };
    let failure = Failure {
        kind: Kind::LimitExceeded(Name::Output),
        message: "output".into(),
        data: Some("{}".into()),
    };
    let question = Question {
        name: "q".into(),
        key: "q@1!2".into(),
        message: "sure?".into(),
        schema: "{}".into(),
    };
    let wait = Wait::Timer {
        name: "nap".into(),
        until: Timestamp(9),
    };
    let input = Wait::Input {
        questions: vec![question],
    };
    let finished = |outcome| State::Finished {
        outcome,
        stop: Some(stop.clone()),
        at: Timestamp(10),
        doubts: ["pay".into()].into(),
    };
    let how = How::Failed {
        failure: failure.clone(),
        told: true,
    };
    vec![
        State::Queued {
            not_before: Some(Timestamp(8)),
            stop: Some(stop.clone()),
        },
        State::Running { stop: None },
        State::Waiting(wait.clone()),
        State::Waiting(input),
        State::Paused { wait: Some(wait) },
        finished(Outcome::Completed),
        finished(Outcome::Failed {
            failure,
            how: Some(how),
        }),
        finished(Outcome::Cancelled {
            how: How::Forced {
                step: Some("pay".into()),
            },
        }),
    ]
}

fn entries() -> Vec<Entry> {
    let id = TaskId::from_bytes([3; 16]);
    let checkpoint = CheckpointId(4);
    vec![
        Entry::Status {
            from: None,
            to: Status::Queued,
        },
        Entry::OnceBegun { name: "pay".into() },
        Entry::StepDone { name: "pay".into() },
        Entry::CheckpointSaved {
            id: checkpoint,
            origin: Origin::Client,
        },
        Entry::StopRequested {
            reason: Reason::OutOfFuel,
            why: None,
        },
        Entry::Retried {
            message: "busy".into(),
        },
        Entry::Crashed,
        Entry::Answered { key: "q".into() },
        Entry::Restored { checkpoint },
        Entry::Forked { child: id },
        Entry::Progress {
            done: 0.5,
            total: Some(1.0),
            message: "half".into(),
        },
        Entry::Line {
            source: Source::Stderr,
            text: "oh".into(),
        },
    ]
}

fn mark() -> Mark {
    Mark {
        id: CheckpointId(4),
        origin: Origin::Client,
        stretch: 2,
        start: Some(CheckpointId(3)),
        steps: 1,
        journal: 5,
        steps_before: 6,
        at: Timestamp(7),
        bytes: 2,
    }
}

fn at() -> StepKey {
    StepKey {
        stretch: 1,
        name: "pay".into(),
    }
}

/// With numbers up to 257, and charged for something.
fn tally() -> Tally {
    let mut tally = Tally::from_end(257);
    tally.account.add(&Delta {
        day: 20_000,
        fuel: 1_000_000,
        stored: 5_000,
    });
    tally
}

/// Notes the bytes of a value, once it was seen to come back from them.
fn pin<T: Serialize + DeserializeOwned>(pinned: &mut String, kind: &str, value: &T, tail: &[u8]) {
    let bytes = encode(value, tail).unwrap();
    let key = Key {
        space: Space::Meta,
        bytes: vec![1],
    };
    let (back, rest) = decode_with_tail::<T>(&key, &bytes).unwrap();
    assert_eq!(rest, tail, "{kind}");
    assert_eq!(encode(&back, tail).unwrap(), bytes, "{kind}");
    let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(pinned, "{kind}: {}", hex.concat()).unwrap();
}

fn pin_heads(pinned: &mut String, record: &Record) {
    for state in states() {
        let record = Record {
            state,
            ..record.clone()
        };
        let head = Head::of(&record, &tally());
        pin(pinned, "head", &head, &[]);
        let facts = Facts {
            spec: record.spec.clone(),
            marks: record.marks.clone(),
            holes: record.holes.clone(),
        };
        assert_eq!(head.with(record.id, facts), record);
    }
}

#[test]
fn the_bytes_of_every_kind_of_value_are_those_of_the_format() {
    let mut pinned = String::new();
    let record = Record {
        id: TaskId::from_bytes([9; 16]),
        base: TaskId::from_bytes([9; 16]),
        clean_up: ["undo".into()].into(),
        ..record()
    };
    pin_heads(&mut pinned, &record);
    pin(&mut pinned, "spec", &spec(), &[]);
    pin(&mut pinned, "marks", &vec![mark()], &[]);
    let hole = Hole { after: 1, upto: 2 };
    pin(&mut pinned, "holes", &vec![hole], &[]);
    let row = Row {
        at: at(),
        kind: RowKind::Answer,
        input: Digest([5; 32]),
        place: 3,
        clean_up: true,
    };
    let output = Kept::Inline;
    pin(&mut pinned, "row", &StoredRow { row, output }, b"out");
    let once = Once {
        at: at(),
        input: Digest([5; 32]),
        key: "key".into(),
        generation: 1,
        place: 3,
        clean_up: false,
        completed: true,
    };
    let output = Some(Kept::Apart);
    pin(&mut pinned, "once", &StoredOnce { once, output }, &[]);
    pin(&mut pinned, "checkpoint", &mark(), b"{}");
    for entry in entries() {
        let event = StoredEvent {
            at: Timestamp(1),
            attempt: 2,
            entry,
        };
        pin(&mut pinned, "event", &event, &[]);
    }
    let event = StoredEvent {
        at: Timestamp(1),
        attempt: 2,
        entry: Entry::Crashed,
    };
    pin(
        &mut pinned,
        "progress",
        &StoredProgress { number: 3, event },
        &[],
    );
    let owner = owner(&Principal::local());
    pin(&mut pinned, "listed", &Listed { status: 1, owner }, &[]);
    let holder = KeyHolder {
        task: record.id,
        arguments: Digest([2; 32]),
    };
    pin(&mut pinned, "idempotency key", &holder, &[]);
    pin(&mut pinned, "newest", &Timestamp(1_000), &[]);
    pin(&mut pinned, "account", &tally().account, &[]);
    let expires = Timestamp(1_000);
    pin(&mut pinned, "note", &StoredNote { expires }, b"{}");
    for entry in crate::audit::every_kind() {
        let stored = StoredEntry { chain: None, entry };
        pin(&mut pinned, "audit", &stored, &[]);
    }
    insta::assert_snapshot!(pinned);
}

#[test]
fn damage_is_named_by_its_place() {
    let key = Key {
        space: Space::Heads,
        bytes: vec![0xab, 1],
    };
    let check = |bytes: &[u8], expect: &str| {
        let error = decode::<Timestamp>(&key, bytes).unwrap_err().to_string();
        assert!(error.contains("heads/ab01"), "{error}");
        assert!(error.contains(expect), "{error}");
    };
    check(&[], "nothing, where a value was expected");
    check(&[1, 0], "format 1, where this version reads format 2");
    check(&[2], "Hit the end of buffer");
    check(&[2, 0, 0], "1 bytes too many");
}
