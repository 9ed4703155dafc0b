//! The places of a task's life at which it is cancelled while it is unloaded: it waits, or is paused.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::id::TaskKey;
use stepwell::runtime::Answer;
use stepwell::task::{Mode, Record};

use crate::case::{Case, settled};
use crate::common::{House, me, refused, within};
use crate::places::{HOUR, night, not_started, tidied_or_cut};

/// A task that waits after its first step, as `status` says.
async fn waits(case: &Case<'_>, wait: Value, status: &str) -> TaskKey {
    let task = case.script([case.step("a"), wait, case.step("b")]).await;
    case.house.until(&task, status).await;
    settled(case.house).await;
    task
}

pub(crate) async fn in_a_sleep(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let task = waits(&case, night(), "waiting(timer)").await;
    case.cancel(&task).await;
    tidied_or_cut(&case, &task, &["a"], &[]).await;
    // Its alarm finds nothing to wake any more.
    case.pass(Duration::from_millis(HOUR));
    tidied_or_cut(&case, &task, &["a"], &[]).await;
}

pub(crate) async fn in_a_sleep_before_any_step(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let task = case.script([night(), case.step("b")]).await;
    house.until(&task, "waiting(timer)").await;
    case.cancel(&task).await;
    not_started(&case, &task).await;
}

pub(crate) async fn while_asking(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let ask = json!({"ask": [{"name": "sure", "message": "Sure?"}]});
    let task = waits(&case, ask, "waiting(input)").await;
    case.cancel(&task).await;
    tidied_or_cut(&case, &task, &["a"], &[]).await;
    let answer = Answer::Decline;
    let late = house.runtime.answer(&task, &me(), "sure", &answer).await;
    assert_eq!(refused(late), "the task has ended: it is cancelled");
}

pub(crate) async fn before_a_retry(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let busy = json!({"on_attempt": 1, "ops": [{"transient": "the line is busy"}]});
    let task = case.script([case.step("a"), busy, case.step("b")]).await;
    let waits = |record: &Record| record.retries == 1;
    house.runtime.wait_for(&task, waits).await.unwrap();
    case.cancel(&task).await;
    // It tidies up at once: time stands still.
    tidied_or_cut(&case, &task, &["a"], &[]).await;
}

/// Pauses a task that is held at `gate`.
async fn pause(case: &Case<'_>, task: &TaskKey) {
    case.at("gate").await;
    let (runtime, task) = (case.house.runtime.clone(), task.clone());
    let paused = tokio::spawn(async move { runtime.pause(&task, &me()).await });
    tokio::task::yield_now().await;
    case.go("gate");
    within(paused).await.unwrap().expect("it is paused");
    settled(case.house).await;
}

pub(crate) async fn while_paused(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let [here, wait] = case.hold("gate");
    // Boundaries without end, so that it is paused at one of them.
    let on = json!({"repeat": 1_000_000, "ops": [{"save": "x"}]});
    let task = case.script([case.step("a"), here, wait, on]).await;
    pause(&case, &task).await;
    case.cancel(&task).await;
    tidied_or_cut(&case, &task, &["a"], &[]).await;
}

pub(crate) async fn while_paused_before_any_step(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let [here, wait] = case.hold("gate");
    let task = case.script([here, wait, night(), case.step("a")]).await;
    case.at("gate").await;
    case.go("gate");
    house.until(&task, "waiting(timer)").await;
    house
        .runtime
        .pause(&task, &me())
        .await
        .expect("it is paused");
    case.cancel(&task).await;
    not_started(&case, &task).await;
}

pub(crate) async fn while_paused_in_a_sleep(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let task = waits(&case, night(), "waiting(timer)").await;
    house
        .runtime
        .pause(&task, &me())
        .await
        .expect("it is paused");
    case.cancel(&task).await;
    tidied_or_cut(&case, &task, &["a"], &[]).await;
}
