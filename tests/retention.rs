//! Retention: a record is kept for its time, and longer while its task has not ended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, hold, step, step_once, within};
use serde_json::{Value, json};
use stepwell::id::TaskKey;
use stepwell::limit::Limits;
use stepwell::runtime::Error;

const SECOND: Duration = Duration::from_secs(1);

fn ops(ops: impl IntoIterator<Item = Value>) -> Value {
    json!({"ops": ops.into_iter().collect::<Vec<_>>()})
}

/// Moves the time on.
fn pass(house: &House, by: Duration) {
    house.hand.as_ref().expect("time stands still").advance(by);
}

#[tokio::test]
async fn a_record_is_kept_for_its_ttl_and_never_while_it_is_live() {
    let house = House::still().await;
    let hours = |ttl: u64| Limits {
        ttl: ttl * 3_600_000,
        deadline: 1_000,
        ..Limits::default()
    };
    let short = house.script_within(hours(2), ops([step("a")])).await;
    let long = house.script_within(hours(4), ops([step_once("b")])).await;
    for task in [&short, &long] {
        assert_eq!(ending(house.end(task).await), "completed");
    }
    let live = Limits {
        ttl: 3 * 3_600_000,
        deadline: 2 * 3_600_000,
        active: 2 * 3_600_000,
        ..Limits::default()
    };
    let live = house.script_within(live, ops(hold("gate"))).await;
    house.at("gate").await;
    pass(&house, SECOND * 3_600);
    assert_eq!(house.runtime.retain().await.unwrap(), 0);
    // At once past the deadline of the one at work and the time that it is kept: it has not ended.
    pass(&house, SECOND * 2 * 3_600);
    is_removed(&house, &short).await;
    assert!(house.events(&short).await.is_empty());
    assert!(house.runtime.output(&short).await.unwrap().is_none());
    assert!(is_kept(&house, &long).await && is_kept(&house, &live).await);
    assert!(house.runtime.output(&long).await.unwrap().is_some());
    house.go("gate");
    house.end(&live).await;
    is_removed(&house, &live).await;
    assert!(is_kept(&house, &long).await);
}

async fn is_kept(house: &House, task: &TaskKey) -> bool {
    match house.runtime.record(task).await {
        Ok(_) => true,
        Err(Error::Unknown(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Returns once the task is removed, here or by the runtime's own rounds.
async fn is_removed(house: &House, task: &TaskKey) {
    within(async {
        while is_kept(house, task).await {
            house.runtime.retain().await.expect("retention works");
        }
    })
    .await;
}
