//! The rules of steps and boundaries, one test for each sentence of them, on the real runtime.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, hold, me, message, ops, step, step_once, within};
use serde_json::{Value, json};
use stepwell::id::TaskKey;
use stepwell::limit::Limits;
use stepwell::runtime::Cancellation;
use stepwell::task::{Record, Status};

/// An operation that only the n-th attempt runs.
fn on(attempt: u32, ops: impl IntoIterator<Item = Value>) -> Value {
    json!({"on_attempt": attempt, "ops": ops.into_iter().collect::<Vec<_>>()})
}

fn begin(name: &str, input: &str) -> Value {
    json!({"begin": name, "input": input})
}

fn begin_once(name: &str, input: &str) -> Value {
    json!({"begin": name, "input": input, "effect": "once"})
}

fn complete(name: &str) -> Value {
    json!({"complete": name, "output": name})
}

async fn cancel(house: &House, task: &TaskKey) -> std::sync::Arc<Record> {
    let cancel = Cancellation::graceful(me());
    house
        .runtime
        .cancel(task, cancel)
        .await
        .expect("the task is live")
}

/// What the transcript's entries that are objects with `key` hold there.
fn all<'a>(transcript: &'a [Value], key: &str) -> Vec<&'a Value> {
    transcript
        .iter()
        .filter_map(|entry| entry.get(key))
        .collect()
}

#[tokio::test]
async fn a_key_is_the_same_in_every_attempt_and_another_after_a_checkpoint() {
    let house = House::new().await;
    let once = begin("pay", "5");
    let script = ops([
        once.clone(),
        on(1, [json!({"transient": "the line is busy"})]),
        complete("pay"),
        json!({"save": "s"}),
        once,
        complete("pay"),
    ]);
    let mut script = script;
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    assert_eq!(ending(house.end(&task).await), "completed");
    let keys: Vec<Value> = house
        .lines("log")
        .iter()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line).ok()?[1]
                .get("run")
                .cloned()
        })
        .collect();
    let [first, again, later] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    assert_eq!(first, again);
    assert_ne!(first, later);
}

#[tokio::test]
async fn the_input_and_the_task_are_part_of_the_key() {
    let house = House::new().await;
    let script = ops([
        begin("a", "1"),
        complete("a"),
        begin("b", "1"),
        complete("b"),
    ]);
    let one = house.script(script.clone()).await;
    let two = house.script(script).await;
    let (one, two) = (house.transcript(&one).await, house.transcript(&two).await);
    let keys = [all(&one, "run"), all(&two, "run")].concat();
    let distinct: std::collections::BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), 4, "{keys:?}");
}

#[tokio::test]
async fn an_abandoned_name_may_be_begun_again_with_the_same_key() {
    let house = House::new().await;
    let task = house
        .script(ops([
            begin("a", "1"),
            json!({"abandon": "a"}),
            begin("a", "1"),
            json!({"drop": "a"}),
            begin("a", "1"),
            complete("a"),
        ]))
        .await;
    let transcript = house.transcript(&task).await;
    let keys = all(&transcript, "run");
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn an_abandoned_once_step_is_in_doubt_when_it_is_begun_again() {
    let house = House::new().await;
    let again = [
        begin_once("a", "1"),
        json!({"abandon": "a"}),
        begin_once("a", "1"),
        complete("a"),
    ];
    let task = house.script(ops(again)).await;
    let transcript = house.transcript(&task).await;
    let doubt = all(&transcript, "doubt");
    assert_eq!(doubt[0]["key"], *all(&transcript, "run")[0]);
    assert_eq!(doubt[0]["earlier"], Value::Null);
}

#[tokio::test]
async fn beginning_a_step_that_is_at_work_is_misuse() {
    let house = House::new().await;
    let task = house.script(ops([begin("a", ""), begin("a", "")])).await;
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "failed misuse");
    assert!(message(&record).contains("`a`"));
}

#[tokio::test]
async fn a_name_that_is_complete_is_replayed_within_the_attempt() {
    let house = House::new().await;
    let task = house.script(ops([step("a"), step("a")])).await;
    assert_eq!(all(&house.transcript(&task).await, "replay"), [&json!("a")]);
    assert_eq!(house.lines("effects"), ["a"]);
}

#[tokio::test]
async fn names_hold_no_marks_and_are_not_empty() {
    let house = House::new().await;
    for name in ["a@1", "a!1", "", &"n".repeat(257)] {
        let task = house.script(ops([begin(name, "")])).await;
        assert_eq!(ending(house.end(&task).await), "failed misuse", "{name:?}");
    }
}

#[tokio::test]
async fn a_journalled_step_with_another_input_ends_the_attempt() {
    let house = House::new().await;
    let script = ops([begin("a", "1"), complete("a"), begin("a", "2")]);
    let record = house.end(&house.script(script).await).await;
    assert_eq!(ending(&record), "failed step-changed");
    assert!(message(&record).contains("`a`"));
}

#[tokio::test]
async fn a_once_step_in_doubt_with_another_input_ends_the_attempt_too() {
    let house = House::new().await;
    let script = ops([
        begin_once("a", "1"),
        json!({"abandon": "a"}),
        begin_once("a", "2"),
    ]);
    let record = house.end(&house.script(script).await).await;
    assert_eq!(ending(&record), "failed step-changed");
}

#[tokio::test]
async fn a_once_step_is_in_doubt_after_a_failed_attempt() {
    let house = House::new().await;
    let script = ops([
        begin_once("a", "1"),
        on(1, [json!({"transient": "the line is busy"})]),
        complete("a"),
    ]);
    let task = house.script(script).await;
    assert_eq!(all(&house.transcript(&task).await, "doubt").len(), 1);
}

#[tokio::test]
async fn a_once_step_is_in_doubt_after_a_crash() {
    let house = House::new().await;
    let script = [begin_once("a", "1")]
        .into_iter()
        .chain(hold("gate"))
        .chain([complete("a")]);
    let task = house.script(ops(script)).await;
    house.at("gate").await;
    let house = house.crash().await;
    house.go("gate");
    assert_eq!(all(&house.transcript(&task).await, "doubt").len(), 1);
}

#[tokio::test]
async fn a_repeatable_step_costs_one_change_and_a_once_step_two() {
    let house = House::new().await;
    let cost = |ops: Value| async {
        let task = house.script(ops).await;
        house.end(&task).await.seq
    };
    let none = cost(ops([])).await;
    assert_eq!(cost(ops([step("a")])).await, none + 1);
    assert_eq!(cost(ops([step_once("a")])).await, none + 2);
}

#[tokio::test]
async fn a_stop_waits_until_everything_done_before_was_shown() {
    let house = House::new().await;
    let script = [step("a"), step_once("b")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("c"), step("d")]);
    let mut script = ops(script);
    script["on_stop"] = json!([step_once("undo b"), step_once("undo a")]);
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    let house = house.crash().await;
    house.go("gate");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    // The second attempt was shown `a` and `b`, then asked to stop where `c` would begin.
    assert_eq!(house.lines("effects"), ["a", "b", "undo b", "undo a"]);
    let second: Vec<String> = house
        .lines("log")
        .into_iter()
        .filter(|line| line.starts_with("[2,"))
        .collect();
    assert!(
        second[0].contains("replay") && second[1].contains("replay"),
        "{second:?}"
    );
    assert_eq!(
        second
            .iter()
            .filter(|line| line.contains("\"stop\""))
            .count(),
        1,
        "{second:?}"
    );
}

#[tokio::test]
async fn a_clean_up_that_crashed_is_told_again() {
    let house = House::new().await;
    let mut script = ops([step_once("a")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("b")]));
    let undo = [step_once("undo a")]
        .into_iter()
        .chain(hold("tidy"))
        .chain([step_once("bye")]);
    script["on_stop"] = json!(undo.collect::<Vec<_>>());
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    house.go("gate");
    house.at("tidy").await;
    let house = house.crash().await;
    house.go("tidy");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    assert_eq!(house.lines("effects"), ["a", "undo a", "bye"]);
    let told = house
        .lines("log")
        .into_iter()
        .filter(|line| line.contains("\"stop\""));
    assert_eq!(told.count(), 2);
}

#[tokio::test]
async fn half_of_the_grace_is_the_longest_that_a_stop_is_held_back() {
    let house = House::still().await;
    // The second attempt takes another way, so `a` is never shown to it.
    let script = [on(1, [step("a")]), on(2, [step("x")])]
        .into_iter()
        .chain([on(1, hold("one"))])
        .chain([on(2, hold("two"))])
        .chain([step("y"), step("z")]);
    let limits = Limits {
        grace: 10_000,
        ..Limits::default()
    };
    let task = house.script_within(limits, ops(script)).await;
    house.at("one").await;
    cancel(&house, &task).await;
    let house = house.crash().await;
    house.at("two").await;
    house.hand.as_ref().unwrap().advance(Duration::from_secs(5));
    house.go("two");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    // `x` was a fresh step, entered because `a` had not been shown; by `y` half was spent.
    assert_eq!(house.lines("effects"), ["a", "x"]);
}

#[tokio::test]
async fn stop_requested_is_silent_until_the_attempt_has_caught_up() {
    let house = House::new().await;
    let ask = json!({"stop_requested": true});
    let script = [ask.clone(), step("a"), ask.clone()]
        .into_iter()
        .chain(hold("gate"))
        .chain([begin("b", ""), ask.clone(), complete("b"), ask]);
    let mut script = ops(script);
    script["on_stop"] = json!("ignore");
    let task = house.script(script).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    let house = house.crash().await;
    house.go("gate");
    house.end(&task).await;
    let record = house.runtime.record(&task).await.unwrap();
    assert_eq!(ending(&record), "cancelled clean");
    let transcript = house.transcript(&task).await;
    // Silent at first and after the replay of `a`; the fresh boundary is where it was told.
    assert_eq!(transcript[0], json!({"stop_requested": null}));
    assert_eq!(transcript[2], json!({"stop_requested": null}));
    assert_eq!(all(&transcript[3..], "stop")[0], &json!("cancelled"));
}

#[tokio::test]
async fn the_first_answer_of_stop_requested_is_the_delivery() {
    let house = House::new().await;
    let script = [begin("a", "")].into_iter().chain(hold("gate")).chain([
        json!({"stop_requested": true}),
        complete("a"),
        step("b"),
    ]);
    let mut script = ops(script);
    script["on_stop"] = json!("ignore");
    let task = house.script(script).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    house.go("gate");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    // It was told once, by the poll: `b` was then entered without being told again.
    let transcript = house.transcript(&task).await;
    assert_eq!(all(&transcript, "stop").len(), 1);
    assert_eq!(house.lines("effects"), ["b"]);
}

#[tokio::test]
async fn a_boundary_answered_from_the_journal_or_in_doubt_never_stops() {
    let house = House::new().await;
    let script = [step("a"), begin_once("b", "")]
        .into_iter()
        .chain(hold("gate"))
        .chain([complete("b"), step("c")]);
    let mut script = ops(script);
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    let house = house.crash().await;
    house.go("gate");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    let second: Vec<Value> = house
        .lines("log")
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line[0] == 2)
        .map(|line| line[1].clone())
        .collect();
    assert!(second[0].get("replay").is_some(), "{second:?}");
    assert!(second[1].get("doubt").is_some(), "{second:?}");
    assert!(second.last().unwrap().get("stop").is_some(), "{second:?}");
    assert_eq!(house.lines("effects"), ["a"]);
}

#[tokio::test]
async fn a_boundary_never_stops_while_a_step_is_at_work() {
    let house = House::new().await;
    let script = [begin("a", "")].into_iter().chain(hold("gate")).chain([
        step("b"),
        complete("a"),
        step("c"),
    ]);
    let task = house.script(ops(script)).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    house.go("gate");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    assert_eq!(house.lines("effects"), ["b"]);
}

#[tokio::test]
async fn a_boundary_that_stops_has_recorded_nothing() {
    let house = House::new().await;
    for boundary in [
        step_once("b"),
        json!({"save": "s"}),
        json!({"sleep": "s", "ms": 5_000}),
        json!({"ask": [{"name": "q", "message": "?"}]}),
    ] {
        let gate = format!("gate-{}", house.runtime.clock().now().0);
        let script = [step("a")]
            .into_iter()
            .chain(hold(&gate))
            .chain([boundary.clone()]);
        let task = house.script(ops(script)).await;
        house.at(&gate).await;
        let before = cancel(&house, &task).await;
        house.go(&gate);
        let after = house.end(&task).await;
        assert_eq!(ending(&after), "cancelled clean", "{boundary}");
        // The end itself is the only change.
        assert_eq!(after.seq, before.seq + 1, "{boundary}");
        let counts = |record: &Record| (record.steps, record.once_steps, record.stretch);
        assert_eq!(counts(&after), counts(&before), "{boundary}");
    }
}

#[tokio::test]
async fn saving_sleeping_and_asking_while_a_step_is_at_work_is_misuse() {
    let house = House::new().await;
    for boundary in [
        json!({"save": "s"}),
        json!({"sleep": "s", "ms": 1}),
        json!({"ask": [{"name": "q", "message": "?"}]}),
    ] {
        let task = house
            .script(ops([begin("work", ""), boundary.clone()]))
            .await;
        let record = house.end(&task).await;
        assert_eq!(ending(&record), "failed misuse", "{boundary}");
        assert!(message(&record).contains("`work`"), "{}", message(&record));
    }
}

#[tokio::test]
async fn only_the_end_of_grace_interrupts_a_step() {
    let house = House::still().await;
    let script = [begin("work", "")]
        .into_iter()
        .chain(hold("gate"))
        .chain([complete("work")]);
    let limits = Limits {
        grace: 2_000,
        ..Limits::default()
    };
    let task = house.script_within(limits, ops(script)).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    let hand = house.hand.clone().unwrap();
    hand.advance(Duration::from_millis(1_900));
    assert_eq!(
        house.runtime.record(&task).await.unwrap().status(),
        Status::Running
    );
    hand.advance(Duration::from_millis(200));
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "cancelled forced");
    let forced = format!("{:?}", record.state);
    assert!(forced.contains("work"), "{forced}");
}

#[tokio::test]
async fn a_drain_lets_the_step_at_work_end_and_takes_the_guest_at_the_next_boundary() {
    let house = House::new().await;
    let script = [begin("a", "")]
        .into_iter()
        .chain(hold("gate"))
        .chain([complete("a"), step("b")]);
    let task = house.script(ops(script)).await;
    house.at("gate").await;
    let (runtime, record) = (
        house.runtime.clone(),
        house.runtime.record(&task).await.unwrap(),
    );
    assert_eq!(record.steps, 0);
    let drain = tokio::spawn(async move { runtime.drain(Duration::from_secs(30)).await });
    house.go("gate");
    within(drain).await.unwrap();
    let house = house.crash().await;
    assert_eq!(ending(house.end(&task).await), "completed");
    let transcript = house.transcript(&task).await;
    assert!(transcript[0].get("replay").is_some(), "{transcript:?}");
    assert_eq!(house.lines("effects"), ["b"]);
}

#[tokio::test]
async fn after_a_stop_nobody_is_asked_and_a_sleep_stays_loaded() {
    // Grace is long, since the hand turns on until the sleep, whenever it begins, is over.
    let long = Duration::from_secs(600);
    let house = House::still_with(|options| options.grace_max = long).await;
    let mut script = ops([step("a")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("b")]));
    let sleep = json!({"sleep": "nap", "ms": 3_000});
    script["on_stop"] = json!([{"ask": [{"name": "q", "message": "?"}]}, step("asked"), sleep]);
    script["on_stop_return"] = json!("ok");
    let limits = Limits {
        grace: 600_000,
        ..Limits::default()
    };
    let task = house.script_within(limits, script).await;
    house.at("gate").await;
    cancel(&house, &task).await;
    house.go("gate");
    within(async {
        while !house.lines("effects").contains(&"asked".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let hand = house.hand.clone().unwrap();
    let ended = house.end(&task);
    tokio::pin!(ended);
    // The sleep begins at its own time; it is over once the hand has moved past it.
    let record = loop {
        tokio::select! {
            record = &mut ended => break record,
            () = tokio::task::yield_now() => hand.advance(Duration::from_millis(1)),
        }
    };
    assert_eq!(
        (ending(&record).as_str(), record.attempt),
        ("cancelled clean", 1)
    );
    let transcript = house.transcript(&task).await;
    assert!(
        transcript.contains(&json!({"answers": ["unavailable"]})),
        "{transcript:?}"
    );
    assert!(
        transcript.contains(&json!({"slept": "nap"})),
        "{transcript:?}"
    );
}

#[tokio::test]
async fn room_is_checked_when_a_step_begins() {
    let house = House::new().await;
    let limits = Limits {
        journal: 64 << 10,
        step_output: 40 << 10,
        ..Limits::default()
    };
    let big = |name| json!({"step": {"name": name, "output_bytes": 30 << 10}});
    let task = house.script_within(limits, ops([big("a"), big("b")])).await;
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "failed limit-exceeded(journal)");
    assert_eq!(record.steps, 1);
    let limits = Limits {
        steps: 2,
        ..Limits::default()
    };
    let task = house
        .script_within(limits, ops([step("a"), step("b"), step("c")]))
        .await;
    assert_eq!(
        ending(house.end(&task).await),
        "failed limit-exceeded(steps)"
    );
    assert_eq!(house.lines("effects"), ["a", "b"]);
}

#[tokio::test]
async fn a_replay_is_not_paid_twice() {
    let house = House::new().await;
    let spin = json!({"step": {"name": "a", "output": "a"}});
    let script = [json!({"spin": 3_000_000}), spin]
        .into_iter()
        .chain(hold("gate"));
    let task = house.script(ops(script)).await;
    house.at("gate").await;
    let first = house.runtime.record(&task).await.unwrap().usage.fuel;
    let house = house.crash().await;
    house.go("gate");
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "completed");
    // The second attempt spun as much as the first; only what came after the row was added.
    assert!(
        record.usage.fuel < first + first / 2,
        "{first} then {}",
        record.usage.fuel
    );
}
