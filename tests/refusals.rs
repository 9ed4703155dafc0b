//! What is refused, and what whoever waits is told when there is nothing more to wait for.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, me, refused, within};
use serde_json::json;
use stepwell::limit::Limits;
use stepwell::runtime::{Cancellation, Error, Request};
use stepwell_guest_examples as examples;

fn ask() -> serde_json::Value {
    json!({"ops": [{"ask": [{"name": "q", "message": "?"}]}]})
}

#[tokio::test]
async fn who_waits_is_told_that_the_runtime_ends() {
    let house = House::new().await;
    let task = house.script(ask()).await;
    house.until(&task, "waiting(input)").await;
    let (runtime, waited) = (house.runtime.clone(), task.clone());
    let waits = tokio::spawn(async move { runtime.wait(&waited).await });
    // The wait is under way once somebody follows the task: the watch is taken before this one.
    let watch = house.runtime.watch(&task).await.unwrap();
    house.runtime.drain(Duration::from_secs(5)).await;
    assert!(matches!(within(waits).await.unwrap(), Err(Error::Draining)));
    drop(watch);
    assert!(matches!(
        house.runtime.watch(&task).await,
        Err(Error::Draining)
    ));
    let request = house.request("echo", json!({}));
    assert!(matches!(
        house.runtime.submit(request).await,
        Err(Error::Draining)
    ));
}

#[tokio::test]
async fn a_tool_that_keeps_nothing_is_no_task() {
    let house = House::new().await;
    let added = house.runtime.add(examples::NOTIFY.to_vec()).await.unwrap();
    let arguments = json!({"message": "done", "severity": "info"});
    let request = Request::new(added.manifest.component, "notify", arguments);
    let error = refused(house.runtime.submit(request).await);
    assert!(error.contains("can't be run as a task"), "{error}");
}

#[tokio::test]
async fn an_idempotency_key_is_a_short_plain_text() {
    let house = House::new().await;
    for key in ["", "a\nb", "\u{1b}[31m", &"k".repeat(257)] {
        let request = Request {
            key: Some(key.into()),
            ..house.request("echo", json!({}))
        };
        let error = refused(house.runtime.submit(request).await);
        assert!(error.contains("1 to 256 bytes"), "{key:?}: {error}");
    }
}

#[tokio::test]
async fn two_folders_for_one_place_are_refused() {
    let house = House::new().await;
    let mut request = house.request("echo", json!({}));
    let again = request.grants[0].clone();
    request.grants.push(again);
    let error = refused(house.runtime.submit(request).await);
    assert!(error.contains("/world"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_gone_leaves_the_task_as_it_is() {
    let house = House::new().await;
    let task = house.script(ask()).await;
    house.until(&task, "waiting(input)").await;
    house.runtime.abandon().await;
    let (options, dir) = house.dismantle();
    let world = dir.path().join("world");
    std::fs::rename(&world, dir.path().join("elsewhere")).unwrap();
    let options = stepwell::runtime::Options {
        run_found: false,
        ..options
    };
    let runtime = stepwell::runtime::Runtime::start(options).await.unwrap();
    let error = refused(runtime.adopt(&task).await);
    assert!(error.contains("world"), "{error}");
    assert_eq!(
        runtime.record(&task).await.unwrap().status().as_str(),
        "waiting(input)"
    );
    std::fs::rename(dir.path().join("elsewhere"), &world).unwrap();
    runtime.adopt(&task).await.unwrap();
    runtime.abandon().await;
}

#[tokio::test]
async fn a_question_has_a_flat_schema() {
    let house = House::new().await;
    let nested = json!({"type": "object", "properties": {"a": {"type": "object"}}});
    let ask = json!({"ask": [{"name": "deep", "message": "?", "schema": nested}]});
    let record = house.end(&house.script(json!({"ops": [ask]})).await).await;
    assert_eq!(ending(&record), "failed misuse");
    assert!(
        common::message(&record).contains("`deep`"),
        "{}",
        common::message(&record)
    );
}

#[tokio::test]
async fn fuel_that_runs_out_is_told_within_a_long_step() {
    let house = House::new().await;
    let limits = Limits {
        fuel: 100_000_000,
        ..Limits::default()
    };
    let round = json!({"repeat": 10_000, "ops": [{"spin": 100_000}, {"stop_requested": true}]});
    let script = json!({"ops": [{"begin": "long", "input": ""}, round], "on_stop_return": "ok"});
    let task = house.script_within(limits, script).await;
    assert_eq!(ending(house.end(&task).await), "failed out-of-fuel clean");
}

#[tokio::test]
async fn no_guest_is_promised_more_grace_than_the_process_gives() {
    let house = House::still_with(|options| options.grace_max = Duration::from_secs(7)).await;
    let limits = Limits {
        grace: 600_000,
        deadline: 60_000,
        ..Limits::default()
    };
    let mut script = json!({"ops": [common::step("a"), {"sleep": "s", "ms": 90_000}]});
    script["on_stop"] = json!([]);
    script["transcript_file"] = json!("/world/log");
    let task = house.script_within(limits, script).await;
    house.until(&task, "waiting(timer)").await;
    house
        .hand
        .as_ref()
        .unwrap()
        .advance(Duration::from_secs(60));
    assert_eq!(
        ending(house.end(&task).await),
        "failed deadline-exceeded clean"
    );
    let told = house
        .lines("log")
        .into_iter()
        .find(|line| line.contains("\"stop\""));
    assert!(
        told.as_ref().is_some_and(|told| told.contains("7000")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_fork_is_new_work() {
    let house = House::with(|options| options.queued_max = 1).await;
    let task = house.script(json!({"ops": [{"fail": "no"}]})).await;
    house.end(&task).await;
    // One waits in the queue for good: nothing is started any more once the slots are taken.
    let cancel = Cancellation::immediate(me());
    let held: Vec<_> = common::hold("gate").into();
    let mut running = Vec::new();
    for _ in 0..16 {
        running.push(house.script(json!({"ops": held})).await);
        let last = running.last().unwrap();
        house.until(last, "running").await;
    }
    let queued = house.script(json!({"ops": []})).await;
    assert!(matches!(
        house.runtime.fork(&task, &me(), None, None).await,
        Err(Error::Busy { .. })
    ));
    // The queued one first: it would run as soon as there is a slot.
    for task in [&queued].into_iter().chain(&running) {
        house.runtime.cancel(task, cancel.clone()).await.unwrap();
    }
    within(async {
        while house.runtime.gauges().queued > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(house.runtime.fork(&task, &me(), None, None).await.is_ok());
}
