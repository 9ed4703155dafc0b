//! Calls of which nothing is kept: what runs, what is denied, and what they may use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, refused, step, step_once, within};
use serde_json::{Value, json};
use stepwell::limit::Limits;
use stepwell::runtime::{Called, Gauges, Request};
use stepwell::task::Kind;
use stepwell::tool::Content;
use stepwell_guest_examples::NOTIFY;

async fn call(house: &House, ops: Value) -> Called {
    let request = house.request("script", json!({"ops": ops}));
    within(house.runtime.call(request, |_| {}))
        .await
        .expect("it is called")
}

async fn denied(house: &House, op: Value) -> String {
    let called = call(house, json!([op])).await;
    let failure = called.result.expect_err("it is denied");
    assert_eq!(failure.kind, Kind::Denied, "{failure}");
    failure.message.to_string()
}

#[tokio::test]
async fn an_example_that_keeps_nothing_is_answered_at_once() {
    let house = House::new().await;
    let notify = house.runtime.add(NOTIFY.to_vec()).await.unwrap();
    let component = notify.manifest.component;
    let request = || Request::new(component, "notify", json!({"message": "the disk is full"}));
    let called = within(house.runtime.call(request(), |_| {})).await.unwrap();
    let output = called.result.unwrap();
    assert_eq!(output.structured.unwrap()["message"], "the disk is full");
    assert!(called.usage.fuel > 0 && called.usage.memory_peak > 0);
    let keyed = Request {
        key: Some("order-7".into()),
        ..request()
    };
    let expect = "the tool `notify` keeps nothing of its calls, so it takes no idempotency key";
    assert_eq!(
        refused(house.runtime.call(keyed.clone(), |_| {}).await),
        expect
    );
    assert_eq!(refused(house.runtime.submit(keyed).await), expect);
    let all = stepwell::store::Filter::default();
    let tenant = common::me().tenant;
    let page = house.runtime.list(&tenant, all, None, 10).await.unwrap();
    assert!(page.records.is_empty(), "nothing is kept");
}

#[tokio::test]
async fn a_step_always_runs_and_nothing_of_it_is_kept() {
    let house = House::new().await;
    let nap = json!({"sleep": "nap", "ms": 1});
    let again = json!([step("a"), step("a"), nap, {"load": true}, {"stop_requested": true}]);
    for _ in 0..2 {
        let output = call(&house, again.clone()).await.result.unwrap();
        let transcript = output.structured.unwrap()["transcript"].clone();
        assert!(transcript[0]["run"].is_string() && transcript[1]["run"].is_string());
        let rest: Vec<_> = transcript.as_array().unwrap().iter().skip(2).collect();
        let expect = [
            json!({"slept": "nap"}),
            json!({"loaded": null}),
            json!({"stop_requested": null}),
        ];
        assert_eq!(rest, expect.iter().collect::<Vec<_>>());
    }
    assert_eq!(house.lines("effects"), ["a"; 4]);
}

#[tokio::test]
async fn what_needs_a_journal_is_denied() {
    let house = House::new().await;
    let ask = json!({"ask": [{"name": "sure", "message": "Sure?"}]});
    for (op, what) in [
        (step_once("a"), "once"),
        (json!({"save": "x"}), "save"),
        (ask, "ask"),
        (json!({"sleep": "night", "ms": 8 * 3_600_000}), "sleep"),
    ] {
        let expect = format!("`{what}` needs a journal, and nothing of this call is kept");
        assert_eq!(denied(&house, op).await, expect);
    }
    assert!(house.lines("effects").is_empty());
}

#[tokio::test]
async fn a_call_is_held_to_its_limits() {
    let house = House::new().await;
    let spin = |limits: Limits| Request {
        limits,
        ..house.request("spin", json!({}))
    };
    let fuel = Limits {
        fuel: 10_000_000,
        ..Limits::default()
    };
    let called = within(house.runtime.call(spin(fuel), |_| {}))
        .await
        .unwrap();
    let failure = called.result.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "out-of-fuel: fuel: 10000000 of 10000000 used"
    );
    assert_eq!(called.usage.fuel, 10_000_000);
    for limits in [
        Limits {
            deadline: 20,
            ..Limits::default()
        },
        Limits {
            active: 20,
            ..Limits::default()
        },
    ] {
        let called = within(house.runtime.call(spin(limits), |_| {}))
            .await
            .unwrap();
        let failure = called.result.unwrap_err();
        assert_eq!(failure.kind, Kind::DeadlineExceeded, "{failure}");
    }
    settled(&house).await;
}

#[tokio::test]
async fn a_call_that_is_dropped_gives_everything_back() {
    let house = House::with(|options| options.running_max = 1).await;
    for _ in 0..5 {
        let calls = (0..3).map(|_| {
            let (runtime, request) = (house.runtime.clone(), house.request("spin", json!({})));
            tokio::spawn(async move { runtime.call(request, |_| {}).await.map(drop) })
        });
        let calls: Vec<_> = calls.collect();
        within(async {
            while house.runtime.gauges().running == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        settled(&house).await;
    }
    let output = call(&house, json!([{"sleep_host": 1}]))
        .await
        .result
        .unwrap();
    assert!(matches!(output.content.first(), Some(Content::Text { .. })));
    tokio::time::timeout(
        Duration::from_secs(60),
        house.runtime.drain(Duration::from_secs(1)),
    )
    .await
    .expect("nothing is left to wait for");
}

async fn settled(house: &House) {
    within(async {
        while house.runtime.gauges() != Gauges::default() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
