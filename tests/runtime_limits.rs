//! The limits of the runtime itself: places, slots, time and retries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, hold, message, step, within};
use serde_json::{Value, json};
use stepwell::clock::{Clock, Timestamp};
use stepwell::id::TaskKey;
use stepwell::limit::Limits;
use stepwell::runtime::{Error, Gauges, Request};
use stepwell::task::{Entry, Record};

const SECOND: Duration = Duration::from_secs(1);

/// A house with few slots and places, where time stands still.
async fn small(running_max: usize, queued_max: usize) -> House {
    let (clock, hand) = Clock::manual(Timestamp(1_800_000_000_000));
    let mut house = House::with(|options| {
        options.clock = clock;
        options.running_max = running_max;
        options.queued_max = queued_max;
    })
    .await;
    house.hand = Some(hand);
    house
}

fn ops(ops: impl IntoIterator<Item = Value>) -> Value {
    json!({"ops": ops.into_iter().collect::<Vec<_>>()})
}

/// Moves the time on.
fn pass(house: &House, by: Duration) {
    house.hand.as_ref().expect("time stands still").advance(by);
}

/// Returns once what is held is as `is` wants it.
async fn until(house: &House, is: impl Fn(Gauges) -> bool) {
    within(async {
        while !is(house.runtime.gauges()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn retried(house: &House, task: &TaskKey, times: u32) {
    let is = |record: &Record| record.retries == times && record.status().as_str() == "queued";
    within(house.runtime.wait_for(task, is))
        .await
        .expect("the task is known");
}

#[tokio::test]
async fn past_the_bound_of_the_queue_a_task_is_refused_at_once() {
    let house = small(1, 3).await;
    let first = house.script(ops(hold("gate"))).await;
    house.at("gate").await;
    let mut queued = Vec::new();
    for name in ["a", "b", "c"] {
        queued.push(house.script(ops([step(name)])).await);
    }
    let request = || house.request("script", ops([step("d")]));
    let refused = house.runtime.submit(request()).await;
    assert!(
        matches!(refused, Err(Error::Busy { queued: 3, max: 3 })),
        "{refused:?}"
    );
    // A call that is kept nowhere takes a place as well.
    let refused = house.runtime.call(request(), |_| {}).await;
    assert!(
        matches!(refused, Err(Error::Busy { queued: 3, max: 3 })),
        "{refused:?}"
    );
    // Nothing of what was refused is kept.
    let all = house
        .runtime
        .list(&first.tenant, stepwell::store::Filter::default(), None, 100);
    assert_eq!(all.await.unwrap().records.len(), 4);
    house.go("gate");
    for task in queued.iter().chain([&first]) {
        assert_eq!(ending(house.end(task).await), "completed");
    }
    assert_eq!(house.lines("effects"), ["a", "b", "c"]);
    until(&house, |gauges| gauges == Gauges::default()).await;
    let accepted = house.submit(request()).await;
    assert_eq!(ending(house.end(&accepted).await), "completed");
}

#[tokio::test]
async fn a_submission_that_is_given_up_gives_its_place_back() {
    let house = small(1, 2).await;
    let request = || Request {
        key: Some("the same".into()),
        ..house.request("script", ops([step("a")]))
    };
    let task = house.submit(request()).await;
    house.end(&task).await;
    for turns in (0..30).cycle().take(300) {
        tokio::select! {
            biased;
            _ = house.runtime.submit(request()) => {}
            () = async { for _ in 0..turns { tokio::task::yield_now().await } } => {}
        }
    }
    until(&house, |gauges| gauges == Gauges::default()).await;
    assert_eq!(house.lines("effects"), ["a"]);
}

#[tokio::test]
async fn no_more_guests_are_loaded_than_there_are_slots() {
    let house = small(3, 100).await;
    let mut tasks = Vec::new();
    for number in 0..30 {
        // Each says that it is here, and that it goes.
        let here = json!({"effect": "/world/log", "line": "here"});
        let gone = json!({"effect": "/world/log", "line": "gone"});
        let nap = json!({"sleep_host": number % 4});
        tasks.push(
            house
                .script(ops([here, nap.clone(), step("a"), nap, gone]))
                .await,
        );
    }
    until(&house, |gauges| {
        assert!(gauges.running <= 3, "{gauges:?}");
        gauges == Gauges::default()
    })
    .await;
    for task in &tasks {
        assert_eq!(ending(house.end(task).await), "completed");
    }
    let mut here = 0;
    for line in house.lines("log") {
        here = if line == "here" { here + 1 } else { here - 1 };
        assert!((0..=3).contains(&here), "{here} at once");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_keeps_its_slot_until_its_guest_is_gone() {
    let house = small(1, 100).await;
    for round in 0..20 {
        let gate = format!("gate-{round}");
        let [here, _] = hold(&gate);
        let spins = house.request("script", ops([here, json!({"spin_forever": true})]));
        let runtime = house.runtime.clone();
        let call = tokio::spawn(async move { runtime.call(spins, |_| {}).await.map(drop) });
        house.at(&gate).await;
        // It has closed the file, so nothing but the guest itself has the folder open.
        within(async {
            while !house.open_files().iter().all(|path| path.is_dir()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        call.abort();
        until(&house, |gauges| gauges.running == 0).await;
        assert!(
            house.open_files().is_empty(),
            "the slot is free, and the guest is not gone"
        );
        let task = house.script(ops([step("a")])).await;
        assert_eq!(ending(house.end(&task).await), "completed");
    }
    until(&house, |gauges| gauges == Gauges::default()).await;
}

#[tokio::test]
async fn time_at_work_ends_with_grace() {
    let house = small(4, 100).await;
    let limits = Limits {
        active: 5_000,
        grace: 2_000,
        ..Limits::default()
    };
    // Time that passes in a durable wait is not time at work.
    let [here, wait] = hold("gate");
    let night = json!({"sleep": "night", "ms": 3_600_000});
    let mut script = ops([step("a"), night, here, wait, step("b")]);
    script["on_stop"] = json!([step("undo")]);
    let task = house.script_within(limits.clone(), script).await;
    house.until(&task, "waiting(timer)").await;
    pass(&house, SECOND * 3_600);
    house.at("gate").await;
    pass(&house, SECOND * 5);
    let is_stopped = |record: &Record| record.state.stop().is_some();
    within(house.runtime.wait_for(&task, is_stopped))
        .await
        .unwrap();
    house.go("gate");
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "failed deadline-exceeded clean");
    assert_eq!(message(&record), "active: 5s of 5s");
    assert_eq!(record.usage.active, 5_000);
    assert_eq!(house.lines("effects"), ["a", "undo"]);
}

#[tokio::test]
async fn time_at_work_is_that_of_all_attempts() {
    let house = small(4, 100).await;
    let limits = Limits {
        active: 5_000,
        ..Limits::default()
    };
    let [here, wait] = hold("first");
    let first = json!({"on_attempt": 1, "ops": [here, wait, {"transient": "busy"}]});
    let [here, wait] = hold("second");
    let task = house
        .script_within(limits, ops([first, step("a"), here, wait, step("b")]))
        .await;
    house.at("first").await;
    pass(&house, SECOND * 3);
    house.go("first");
    retried(&house, &task, 1).await;
    pass(&house, SECOND);
    house.at("second").await;
    pass(&house, SECOND * 3);
    let is_stopped = |record: &Record| record.state.stop().is_some();
    within(house.runtime.wait_for(&task, is_stopped))
        .await
        .unwrap();
    house.go("second");
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "failed deadline-exceeded clean");
    assert_eq!(message(&record), "active: 6s of 5s");
    assert_eq!(house.lines("effects"), ["a"]);
}

#[tokio::test]
async fn a_deadline_covers_a_durable_wait() {
    let house = small(4, 100).await;
    let limits = Limits {
        deadline: 60_000,
        ..Limits::default()
    };
    let night = json!({"sleep": "night", "ms": 3_600_000});
    let mut script = ops([step("a"), night.clone(), step("b")]);
    script["on_stop"] = json!([step("undo")]);
    let tidies = house.script_within(limits.clone(), script).await;
    let ask = json!({"ask": [{"name": "sure", "message": "Sure?"}]});
    let asks = house.script_within(limits.clone(), ops([ask])).await;
    let paused = house.script_within(limits, ops([night])).await;
    house.until(&tidies, "waiting(timer)").await;
    house.until(&asks, "waiting(input)").await;
    house.until(&paused, "waiting(timer)").await;
    house.runtime.pause(&paused, &common::me()).await.unwrap();
    pass(&house, SECOND * 60);
    let record = house.end(&tidies).await;
    assert_eq!(ending(&record), "failed deadline-exceeded clean");
    assert_eq!(message(&record), "deadline: 1m have passed");
    assert_eq!(house.lines("effects"), ["a", "undo"]);
    for task in [asks, paused] {
        let record = house.end(&task).await;
        assert_eq!(ending(&record), "failed deadline-exceeded not-started");
    }
    until(&house, |gauges| gauges == Gauges::default()).await;
}

#[tokio::test]
async fn a_deadline_covers_the_queue_and_a_retrys_wait() {
    let house = small(1, 100).await;
    let limits = Limits {
        deadline: 1_000,
        ..Limits::default()
    };
    let busy = json!({"transient": "busy"});
    let retries = house.script_within(limits.clone(), ops([busy])).await;
    retried(&house, &retries, 1).await;
    pass(&house, SECOND / 2);
    // Half a second is over, and the next attempt would come after the deadline.
    let record = house.end(&retries).await;
    assert_eq!(
        (ending(&record).as_str(), record.retries),
        ("failed tool-error", 1)
    );
    let first = house.script(ops(hold("gate"))).await;
    house.at("gate").await;
    let queued = house.script_within(limits, ops([step("a")])).await;
    pass(&house, SECOND);
    let record = house.end(&queued).await;
    assert_eq!(ending(&record), "failed deadline-exceeded not-started");
    house.go("gate");
    assert_eq!(ending(house.end(&first).await), "completed");
    assert!(house.lines("effects").is_empty());
}

#[tokio::test]
async fn a_failure_for_now_is_tried_again_three_times_each_later_than_the_one_before() {
    let house = small(1, 100).await;
    let busy = json!({"transient": "the line is busy"});
    let task = house.script(ops([step("a"), busy])).await;
    for (retries, backoff) in [(1, 500), (2, 1_000), (3, 2_000)] {
        retried(&house, &task, retries).await;
        // Others go first while it waits, and a moment is not enough.
        pass(&house, Duration::from_millis(backoff - 1));
        let other = house.script(ops([])).await;
        assert_eq!(ending(house.end(&other).await), "completed");
        let record = house.runtime.record(&task).await.unwrap();
        assert_eq!(
            (record.status().as_str(), record.attempt),
            ("queued", retries)
        );
        pass(&house, Duration::from_millis(1));
    }
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "failed tool-error");
    assert_eq!(message(&record), "the line is busy");
    assert_eq!((record.attempt, record.retries), (4, 3));
    assert_eq!(house.lines("effects"), ["a"]);
    let events = house.events(&task).await;
    let retried = events
        .iter()
        .filter(|entry| matches!(entry, Entry::Retried { .. }));
    assert_eq!(retried.count(), 3);
}

#[tokio::test]
async fn no_retry_begins_before_its_time() {
    let house = small(1, 100).await;
    for _ in 0..20 {
        let busy = json!({"on_attempt": 1, "ops": [{"transient": "busy"}]});
        let task = house.script(ops([busy])).await;
        retried(&house, &task, 1).await;
        let other = house.script(ops([])).await;
        assert_eq!(ending(house.end(&other).await), "completed");
        assert_eq!(house.runtime.record(&task).await.unwrap().attempt, 1);
        pass(&house, SECOND / 2);
        assert_eq!(ending(house.end(&task).await), "completed");
    }
}

#[tokio::test]
async fn other_failures_are_not_tried_again() {
    let house = small(2, 100).await;
    for (op, expect) in [
        (json!({"trap": true}), "failed trap"),
        (json!({"fail": "no"}), "failed tool-error"),
        (json!({"invalid": "no"}), "failed invalid-arguments"),
        (json!({"in_doubt_error": "?"}), "failed in-doubt"),
    ] {
        let record = house.end(&house.script(ops([op])).await).await;
        assert_eq!(
            (ending(&record).as_str(), record.attempt, record.retries),
            (expect, 1, 0)
        );
    }
}
