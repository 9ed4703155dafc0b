//! Tasks that run to their end, and go on after a crash, a drain and a wait.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use common::{House, ending, hold, me, step, step_once};
use serde_json::json;
use stepwell::runtime::Answer;

#[tokio::test]
async fn a_task_runs_to_its_end() {
    let house = House::new().await;
    let task = house
        .script(json!({"ops": [step("a"), step_once("b")]}))
        .await;
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "completed");
    assert_eq!(house.lines("effects"), ["a", "b"]);
    assert_eq!(record.steps, 2);
    assert!(record.usage.fuel > 0);
}

#[tokio::test]
async fn a_finished_step_is_not_repeated_after_a_crash() {
    let house = House::new().await;
    let ops = [step("a"), step("b")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("c")]);
    let task = house.script(json!({"ops": ops.collect::<Vec<_>>()})).await;
    house.at("gate").await;
    let house = house.crash().await;
    house.go("gate");
    let record = house.end(&task).await;
    assert_eq!((ending(&record).as_str(), record.attempt), ("completed", 2));
    assert_eq!(house.lines("effects"), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_long_sleep_unloads_the_guest_and_outlives_the_process() {
    let house = House::still().await;
    let ops = json!({"ops": [step("a"), {"sleep": "night", "ms": 8 * 3_600_000}, step("b")]});
    let task = house.script(ops).await;
    house.until(&task, "waiting(timer)").await;
    common::within(async {
        while house.runtime.gauges().running > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let house = house.reopen().await;
    assert_eq!(
        house.runtime.record(&task).await.unwrap().status().as_str(),
        "waiting(timer)"
    );
    house
        .hand
        .as_ref()
        .unwrap()
        .advance(std::time::Duration::from_secs(8 * 3600));
    assert_eq!(ending(&house.end(&task).await), "completed");
    assert_eq!(house.lines("effects"), ["a", "b"]);
}

#[tokio::test]
async fn questions_are_answered_and_the_tool_goes_on() {
    let house = House::new().await;
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let ask = json!({"ask": [{"name": "one", "message": "How many?", "schema": schema},
        {"name": "two", "message": "Sure?"}]});
    let task = house.script(json!({"ops": [step("a"), ask]})).await;
    house.until(&task, "waiting(input)").await;
    let answer = |key: &'static str, answer| {
        let (runtime, task) = (house.runtime.clone(), task.clone());
        async move { runtime.answer(&task, &me(), key, &answer).await }
    };
    let wrong = answer("one", Answer::Accept(json!({"n": "x"}))).await;
    assert!(common::refused(wrong).contains("/n"));
    answer("two", Answer::Decline).await.unwrap();
    answer("one", Answer::Accept(json!({"n": 3})))
        .await
        .unwrap();
    let transcript = house.transcript(&task).await;
    assert_eq!(transcript[0], json!({"replay": "a"}));
    assert_eq!(
        transcript[1],
        json!({"answers": [{"accept": {"n": 3}}, "decline"]})
    );
}

#[tokio::test]
async fn a_drained_task_goes_on_at_the_next_start() {
    let house = House::new().await;
    let ops: Vec<_> = [step("a")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("b")])
        .collect();
    let task = house.script(json!({"ops": ops})).await;
    house.at("gate").await;
    house.go("gate");
    let house = house.reopen().await;
    assert_eq!(ending(&house.end(&task).await), "completed");
    assert_eq!(house.lines("effects"), ["a", "b"]);
}

#[tokio::test]
async fn a_component_that_takes_the_process_with_it_is_quarantined() {
    let mut house = House::new().await;
    let task = house.script(json!({"ops": hold("gate")})).await;
    for attempt in 1..=3 {
        house.at("gate").await;
        std::fs::remove_file(house.world("gate.here")).unwrap();
        let record = house.runtime.record(&task).await.unwrap();
        assert_eq!((record.attempt, record.barren), (attempt, attempt));
        house = house.crash().await;
    }
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "failed host");
    let request = house.request("script", json!({"ops": []}));
    let error = common::refused(house.runtime.submit(request).await);
    assert!(error.contains("quarantined"), "{error}");
}

#[tokio::test]
async fn an_attempt_that_wrote_something_is_no_reason_for_quarantine() {
    let mut house = House::new().await;
    let steps = (0..4).flat_map(|n| {
        let [here, wait] = hold(&format!("gate{n}"));
        [step(&format!("s{n}")), here, wait]
    });
    let task = house
        .script(json!({"ops": steps.collect::<Vec<_>>()}))
        .await;
    for n in 0..4 {
        house.at(&format!("gate{n}")).await;
        house = house.crash().await;
        house.go(&format!("gate{n}"));
    }
    assert_eq!(ending(house.end(&task).await), "completed");
    assert_eq!(house.lines("effects"), ["s0", "s1", "s2", "s3"]);
}

#[tokio::test]
async fn the_reserve_of_fuel_is_there_to_tidy_up_with() {
    let house = House::new().await;
    let limits = stepwell::limit::Limits {
        fuel: 100_000_000,
        ..stepwell::limit::Limits::default()
    };
    // Round after round of work, until the boundary asks to stop.
    let rounds = json!({"repeat": 10_000, "ops": [{"spin": 100_000}, {"step": {"name": "s{i}"}}]});
    let script = json!({"ops": [rounds], "on_stop": [step("undo")]});
    let record = house
        .end(&house.script_within(limits.clone(), script).await)
        .await;
    assert_eq!(ending(&record), "failed out-of-fuel clean");
    assert_eq!(house.lines("effects"), ["undo"]);
    let fuel = record.usage.fuel;
    assert!((95_000_000..100_000_000).contains(&fuel), "{fuel}");
    assert!(
        common::message(&record).contains("of 100000000"),
        "{}",
        common::message(&record)
    );
}

#[tokio::test]
async fn the_same_key_finds_the_same_task() {
    let house = House::new().await;
    let keyed = |arguments| stepwell::runtime::Request {
        key: Some("monday".into()),
        ..house.request("echo", arguments)
    };
    let first = house.runtime.submit(keyed(json!({"n": 1}))).await.unwrap();
    house.end(&first.record.key()).await;
    let again = house.runtime.submit(keyed(json!({"n": 1}))).await.unwrap();
    assert_eq!((again.is_new, again.record.id), (false, first.record.id));
    assert_eq!(ending(&again.record), "completed");
    let other = house.runtime.submit(keyed(json!({"n": 2}))).await;
    let error = common::refused(other);
    assert!(error.contains(&first.record.id.to_string()), "{error}");
}
