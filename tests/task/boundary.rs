//! What a boundary refuses: names, steps at work, and work that there is no room for.

use std::sync::Arc;

use stepwell::id::Digest;
use stepwell::limit::{Limits, Name};
use stepwell::task::{Attempt, Begin, Event, Failure, Kind, Record, RowKind, Save, Waited, Wants};

use crate::given::{Task, done, restored, saved};

const WANTS: Wants = Wants {
    pause: false,
    drain: false,
};

fn begin(attempt: &mut Attempt, task: &Task, name: &str, once: bool) -> Result<Begin, Failure> {
    let name: Arc<str> = name.into();
    attempt.begin(&task.record, WANTS, (&name, Digest::of(b"")), once)
}

fn kind<T>(result: Result<T, Failure>) -> Option<Kind> {
    result.err().map(|failure| failure.kind)
}

fn running(limits: Limits) -> (Task, Attempt) {
    let task = Task::accepted(limits).after([Event::Admitted]);
    let attempt = task.attempt();
    (task, attempt)
}

#[test]
fn a_name_is_short_and_plain() {
    let check = |name: &str, expect: Option<Kind>| {
        let (task, mut attempt) = running(Limits::default());
        assert_eq!(
            kind(begin(&mut attempt, &task, name, false)),
            expect,
            "{name:?}"
        );
    };
    check("row", None);
    check("row#2", None);
    check("Zeile \u{e4}", None);
    check(&"x".repeat(256), None);
    for bad in ["", "a@b", "a!b", "a\nb", "a\u{7f}b", &"x".repeat(257)] {
        check(bad, Some(Kind::Misuse));
    }
}

#[test]
fn a_step_at_work_is_alone_with_its_name() {
    let (task, mut attempt) = running(Limits::default());
    assert!(begin(&mut attempt, &task, "a", false).is_ok());
    assert_eq!(
        kind(begin(&mut attempt, &task, "a", false)),
        Some(Kind::Misuse)
    );
    let key = attempt.key("a").cloned();
    assert_eq!(kind(attempt.save(&task.record, WANTS)), Some(Kind::Misuse));
    let names = [(Arc::from("nap"), Digest::of(b""))];
    let slept = attempt.wait(&task.record, WANTS, RowKind::Sleep, &names);
    assert_eq!(kind(slept), Some(Kind::Misuse));
    attempt.abandon("a");
    assert_eq!(
        kind(attempt.complete(&task.record, "a")),
        Some(Kind::Misuse)
    );
    assert_eq!(attempt.save(&task.record, WANTS), Ok(Save::Write));
    assert!(begin(&mut attempt, &task, "a", false).is_ok());
    assert_eq!(attempt.key("a").cloned(), key);
}

#[test]
fn what_suspends_has_recorded_nothing() {
    let (task, mut attempt) = running(Limits::default());
    let drain = Wants {
        drain: true,
        ..WANTS
    };
    let name: Arc<str> = "a".into();
    let begun = attempt.begin(&task.record, drain, (&name, Digest::of(b"")), true);
    assert_eq!(begun, Ok(Begin::Suspend));
    assert_eq!(attempt.at_work(), None);
    assert_eq!(attempt.save(&task.record, drain), Ok(Save::Suspend));
}

#[test]
fn room_is_checked_when_a_step_begins() {
    let small = Limits {
        steps: 2,
        once_steps: 1,
        ..Limits::default()
    };
    let (mut task, mut attempt) = running(small);
    let past = |name| Some(Kind::LimitExceeded(name));
    assert!(begin(&mut attempt, &task, "a", false).is_ok());
    assert!(begin(&mut attempt, &task, "b", false).is_ok());
    assert_eq!(
        kind(begin(&mut attempt, &task, "c", false)),
        past(Name::Steps)
    );
    task.record.once_steps = 1;
    attempt.abandon("b");
    assert_eq!(
        kind(begin(&mut attempt, &task, "b", true)),
        past(Name::OnceSteps)
    );
    task = task.after([done("x", false), done("y", false)]);
    let names = [(Arc::from("nap"), Digest::of(b""))];
    let mut attempt = task.attempt();
    let slept = attempt.wait(&task.record, WANTS, RowKind::Sleep, &names);
    assert_eq!(kind(slept), past(Name::Steps));
}

#[test]
fn room_is_for_the_largest_output_of_every_step_at_work() {
    let limits = Limits {
        step_output: 40_000,
        journal: 100_000,
        ..Limits::default()
    };
    let (mut task, mut attempt) = running(limits);
    task.record.journal = 10_000;
    assert!(begin(&mut attempt, &task, "a", false).is_ok());
    assert!(begin(&mut attempt, &task, "b", false).is_ok());
    let third = kind(begin(&mut attempt, &task, "c", false));
    assert_eq!(third, Some(Kind::LimitExceeded(Name::Journal)));
}

#[test]
fn a_question_has_a_name_of_its_own_outside() {
    let key = |record: &Record| Attempt::question_key(record, "which").to_string();
    let mut task = Task::new().after([Event::Admitted]);
    assert_eq!(key(&task.record), "which");
    task = task.after([saved()]);
    assert_eq!(key(&task.record), "which@1");
    let suspended = Event::Suspended { pause: false };
    task = task.after([suspended, restored(0)]);
    assert_eq!(key(&task.record), "which!1");
    task = task.after([Event::Admitted, saved()]);
    assert_eq!(key(&task.record), "which@1!1");
}

#[test]
fn a_held_back_stop_holds_a_wait() {
    let mut task = Task::new().after([Event::Admitted, done("a", false)]);
    let row = stepwell::task::Row {
        at: stepwell::task::StepKey {
            stretch: 0,
            name: "a".into(),
        },
        kind: RowKind::Step,
        input: Digest::of(b""),
        place: task.record.seq,
        clean_up: false,
    };
    task = task.after([crate::given::graceful()]);
    let journal = stepwell::task::Journal::new(&task.record, [row], []);
    let mut attempt = Attempt::new(&task.record, journal);
    let names = [(Arc::from("nap"), Digest::of(b""))];
    let slept = attempt.wait(&task.record, WANTS, RowKind::Sleep, &names);
    assert_eq!(slept, Ok(Waited::Told));
    assert!(!attempt.is_told());
    assert!(matches!(
        begin(&mut attempt, &task, "a", false),
        Ok(Begin::Replay(_))
    ));
    assert_eq!(begin(&mut attempt, &task, "b", false), Ok(Begin::Stop));
}

#[test]
fn at_the_latest_a_stop_is_delivered_when_half_of_the_grace_is_spent() {
    let mut task = Task::new().after([Event::Admitted, done("a", false)]);
    let row = stepwell::task::Row {
        at: stepwell::task::StepKey {
            stretch: 0,
            name: "a".into(),
        },
        kind: RowKind::Step,
        input: Digest::of(b""),
        place: task.record.seq,
        clean_up: false,
    };
    task = task.after([crate::given::graceful()]);
    let journal = stepwell::task::Journal::new(&task.record, [row], []);
    let mut attempt = Attempt::new(&task.record, journal);
    assert!(matches!(
        begin(&mut attempt, &task, "b", false),
        Ok(Begin::Run { .. })
    ));
    attempt.abandon("b");
    attempt.spend_grace(4_999);
    assert!(matches!(
        begin(&mut attempt, &task, "b", false),
        Ok(Begin::Run { .. })
    ));
    attempt.abandon("b");
    attempt.spend_grace(5_000);
    assert_eq!(begin(&mut attempt, &task, "b", false), Ok(Begin::Stop));
}
