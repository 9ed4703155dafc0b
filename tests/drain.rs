//! The orderly end of a runtime: who is refused, who is waited for, and who is cut off.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, hold, ops, step, within};
use serde_json::{Value, json};
use stepwell::runtime::{Called, Error, Gauges, Request};
use stepwell::task::Kind;
use tokio::task::{JoinHandle, yield_now};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

fn script(house: &House, operations: impl IntoIterator<Item = Value>) -> Request {
    house.request("script", ops(operations))
}

/// A call of which nothing is kept.
fn call(house: &House, request: Request) -> JoinHandle<Result<Called, Error>> {
    let runtime = house.runtime.clone();
    tokio::spawn(async move { runtime.call(request, |_| {}).await })
}

fn drain(house: &House, patience: Duration) -> JoinHandle<()> {
    let runtime = house.runtime.clone();
    tokio::spawn(async move { runtime.drain(patience).await })
}

fn cut_off(called: Called) {
    let failure = called.result.unwrap_err();
    let expect = "the runtime ended while the tool was at work, and cut it off";
    assert_eq!((failure.kind, &*failure.message), (Kind::Host, expect));
}

#[tokio::test]
async fn who_waits_in_line_learns_of_a_drain_at_once() {
    let house = House::with(|options| options.running_max = 1).await;
    let runs = house.submit(script(&house, hold("gate"))).await;
    house.at("gate").await;
    let queued = house.submit(script(&house, [step("a")])).await;
    let call = call(&house, script(&house, [step("b")]));
    let wait = |task: &stepwell::id::TaskKey| {
        let (runtime, task) = (house.runtime.clone(), task.clone());
        tokio::spawn(async move { runtime.wait(&task).await })
    };
    let (for_runs, for_queued) = (wait(&runs), wait(&queued));
    within(async {
        while house.runtime.gauges().queued < 2 {
            yield_now().await;
        }
    })
    .await;
    let drain = drain(&house, LONG);
    let called = within(call).await.unwrap();
    assert!(matches!(called, Err(Error::Draining)), "{called:?}");
    let waited = within(for_queued).await.unwrap();
    assert!(matches!(waited, Err(Error::Draining)), "{waited:?}");
    assert!(!drain.is_finished(), "a guest is at work");
    house.go("gate");
    // One that is at work has the time to come to its end.
    let ended = within(for_runs).await.unwrap().unwrap();
    assert_eq!(ending(ended), "completed");
    within(drain).await.unwrap();
    assert!(house.lines("effects").is_empty());
    let house = house.crash().await;
    assert_eq!(ending(house.end(&queued).await), "completed");
    assert_eq!(house.lines("effects"), ["a"]);
}

#[tokio::test]
async fn a_drain_waits_for_a_call_of_which_nothing_is_kept() {
    let house = House::new().await;
    let [here, wait] = hold("gate");
    // Time enough for a drain that does not wait.
    let late = [here, wait, json!({"sleep_host": 200}), step("late")];
    let called = call(&house, script(&house, late));
    house.at("gate").await;
    let drain = drain(&house, LONG);
    within(async {
        let refused = || house.runtime.call(script(&house, []), |_| {});
        while !matches!(refused().await, Err(Error::Draining)) {}
    })
    .await;
    house.go("gate");
    within(drain).await.unwrap();
    assert_eq!(house.lines("effects"), ["late"]);
    assert_eq!(house.runtime.gauges(), Gauges::default());
    assert!(within(called).await.unwrap().unwrap().result.is_ok());
}

#[tokio::test]
async fn when_its_patience_ends_a_drain_cuts_calls_off() {
    for ends_in_order in [true, false] {
        let house = House::new().await;
        let ends_late = |gate, last| {
            let [here, _] = hold(gate);
            script(&house, [here, last])
        };
        let spins = call(&house, ends_late("spins", json!({"spin_forever": true})));
        let sleeps = call(&house, ends_late("sleeps", json!({"sleep_host": 600_000})));
        let idle = ends_late("idle", json!({"spin_forever": true}));
        let mut idle = Box::pin(house.runtime.call(idle, |_| {}));
        tokio::select! {
            _ = &mut idle => panic!("it has ended"),
            () = async { for gate in ["spins", "sleeps", "idle"] { house.at(gate).await } } => {}
        }
        // Nobody has to poll the caller's side for that.
        if ends_in_order {
            within(house.runtime.drain(Duration::ZERO)).await;
        } else {
            within(house.runtime.abandon()).await;
        }
        assert_eq!(house.runtime.gauges(), Gauges::default());
        assert!(house.open_files().is_empty());
        for called in [spins, sleeps] {
            cut_off(within(called).await.unwrap().unwrap());
        }
        cut_off(within(idle).await.unwrap());
    }
}
