//! Tools run against a fake runtime, over several attempts.

use std::cell::Cell;
use std::time::Duration;

use crate::fake::Fake;
use crate::host::Answer as Wire;
use crate::{Answer, Doubt, Error, Once, Question, Result, StopReason};

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
struct Form {
    text: String,
}

#[test]
fn a_finished_step_is_not_run_again() {
    let fake = Fake::default();
    let runs = Cell::new(0);
    for _ in 0..2 {
        let task = fake.task();
        let work = || {
            runs.set(runs.get() + 1);
            Ok(runs.get())
        };
        assert_eq!(task.step("count", work), Ok(1));
        assert_eq!(
            task.step("count", || Ok("two".to_owned())),
            Ok("two".to_owned())
        );
        assert_eq!(fake.record().seen, ["count", "count#2"]);
    }
}

#[test]
fn a_failed_step_stays_undone_and_keeps_its_name_for_its_input() {
    let fake = Fake::default();
    let row =
        |task: &crate::Task, text: &str| task.step_with("row", text, |t| Ok(t.parse::<u8>()?));
    let task = fake.task();
    assert!(row(&task, "x").is_err());
    assert_eq!(row(&task, "2"), Ok(2));
    assert!(row(&task, "x").is_err());
    assert_eq!(fake.record().seen, ["row", "row#2", "row"]);
    assert_eq!(fake.record().rows.len(), 1);
    // The same numbers in the next attempt.
    let task = fake.task();
    assert!(row(&task, "x").is_err());
    assert_eq!(row(&task, "2"), Ok(2));
}

#[test]
fn step_result_journals_the_error() {
    let fake = Fake::default();
    for work in [|(): &()| Err("no".to_owned()), |(): &()| Ok(1)] {
        let found: Result<Result<u8, String>> = fake.task().step_result("find", &(), work);
        assert_eq!(found, Ok(Err("no".to_owned())));
    }
}

#[test]
fn step_once_is_handed_the_key_and_the_doubt() {
    let fake = Fake::default();
    let failing = |once: Once<u8>| {
        assert_eq!(
            once,
            Once {
                key: "key of pay".to_owned(),
                doubt: None
            }
        );
        Err(Error::transient("the line is dead"))
    };
    assert!(fake.task().step_once("pay", &5, failing).is_err());
    let resolving = |once: Once<u8>| {
        assert_eq!(once.doubt, Some(Doubt { earlier: None }));
        Ok(5)
    };
    assert_eq!(fake.task().step_once("pay", &5, resolving), Ok(5));
    fake.record().rows.clear();
    fake.record()
        .earlier
        .insert("pay".to_owned(), b"5".to_vec());
    let restored = |once: Once<u8>| Ok(once.doubt.unwrap().earlier.unwrap());
    assert_eq!(fake.task().step_once("pay", &5, restored), Ok(5));
}

#[test]
fn a_stop_leads_out_and_the_tool_may_tidy_up() {
    fn work(task: &crate::Task) -> Result<()> {
        task.step("one", || Ok(()))?;
        task.step("two", || Ok(()))?;
        Ok(())
    }
    let fake = Fake::default();
    fake.record().stop_after = Some(1);
    let task = fake.task();
    let Err(Error::Stopped(stop)) = work(&task) else {
        panic!("not stopped")
    };
    assert_eq!(stop.reason, StopReason::Cancelled);
    assert_eq!(stop.grace, Duration::from_secs(1));
    assert_eq!(task.step("undo", || Ok(1)), Ok(1));
    // What was stopped may be begun again under its name.
    assert_eq!(task.step("two", || Ok(2)), Ok(2));
    assert_eq!(fake.record().seen, ["one", "two", "undo", "two"]);
}

#[test]
fn steps_overlap() {
    let fake = Fake::default();
    let task = fake.task();
    let one = task.begin::<_, u8>("row", "a").unwrap();
    let two = task.begin::<_, u8>("row", "b").unwrap();
    assert_eq!(
        two.finish(|step| Ok(u8::try_from(step.key().len())?)),
        Ok(12)
    );
    drop(one);
    let again = task.begin::<_, u8>("row", "a").unwrap();
    assert_eq!(again.finish(|_| Ok(1)), Ok(1));
    assert_eq!(fake.record().seen, ["row", "row#2", "row"]);
}

#[test]
fn an_output_that_cannot_be_read_back_is_not_journalled() {
    let fake = Fake::default();
    let error = fake.task().step("ratio", || Ok(f64::NAN)).unwrap_err();
    assert!(error.to_string().contains("step `ratio`"), "{error}");
    assert!(fake.record().rows.is_empty());
    assert_eq!(fake.task().step("ratio", || Ok(0.5)), Ok(0.5));
    let changed: Result<String> = fake.task().step("ratio", || Ok(String::new()));
    assert!(changed.unwrap_err().to_string().contains("another output"));
}

#[test]
fn names_start_anew_at_a_checkpoint() {
    let fake = Fake::default();
    let task = fake.task();
    assert_eq!(task.load::<u8>(), Ok(None));
    task.step("row", || Ok(1)).unwrap();
    assert_eq!(task.save(&7), Ok("checkpoint".to_owned()));
    task.step("row", || Ok(2)).unwrap();
    assert_eq!(fake.record().seen, ["row", "row"]);
    let task = fake.task();
    assert_eq!(task.load(), Ok(Some(7)));
    assert_eq!(task.client_state::<u8>(), Ok(None));
    assert_eq!(task.step("row", || Ok(3)), Ok(2));
}

#[test]
fn sleeps_and_questions_are_numbered_too() {
    let fake = Fake::default();
    let task = fake.task();
    task.sleep("poll", Duration::from_secs(1)).unwrap();
    task.sleep("poll", Duration::from_secs(1)).unwrap();
    fake.record().answers = vec![Wire::Accept(r#"{"text":"yes"}"#.to_owned()), Wire::Decline];
    let form = |name| Question::<Form>::new(name, "?");
    let answers = task.ask((form("poll"), form("other"))).unwrap();
    assert_eq!(
        answers,
        (
            Answer::Accept(Form {
                text: "yes".to_owned()
            }),
            Answer::Decline
        )
    );
    assert_eq!(fake.record().seen, ["poll", "poll#2", "poll#3", "other"]);
}

#[test]
fn a_name_leaves_the_signs_that_have_a_meaning_alone() {
    for name in ["", "a#2", "a@1", "a!1"] {
        assert!(Fake::default().task().step(name, || Ok(())).is_err());
    }
}

#[test]
fn a_task_tells_and_is_told() {
    let fake = Fake::default();
    let task = fake.task();
    task.progress(1_u64, Some(2), "half");
    assert_eq!(fake.record().progress, [(1.0, Some(2.0))]);
    assert_eq!(task.remaining().time, Duration::from_secs(3));
    assert_eq!(task.info().attempt, 1);
    assert_eq!(task.stop_requested(), None);
    fake.record().stop_after = Some(0);
    assert!(task.stop_requested().is_some());
}
