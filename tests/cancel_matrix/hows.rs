//! How a cancelled task came to its end: every word for it, with what is told beside it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::id::TaskKey;
use stepwell::limit::Limits;
use stepwell::runtime::{Cancellation, Request};
use stepwell::task::{Failure, How, Kind, Mode, Record};

use crate::case::{Case, Expect, ends};
use crate::common::{House, me};

fn failed(kind: Kind, message: &str, told: bool) -> How {
    let failure = Failure::new(kind, message);
    How::Failed { failure, told }
}

/// Cancels a script that is held after its first step `a`, lets it go on with `then`, and with
/// `on_stop` once it is told.
async fn held(case: &Case<'_>, then: Vec<Value>, on_stop: Value) -> TaskKey {
    let [here, wait] = case.hold("gate");
    let ops = [case.step("a"), here, wait].into_iter().chain(then);
    let mut request = case.request(ops);
    request.arguments["on_stop"] = on_stop;
    held_request(case, request).await
}

async fn held_request(case: &Case<'_>, request: Request) -> TaskKey {
    let task = case.house.submit(request).await;
    case.at("gate").await;
    case.cancel(&task).await;
    case.go("gate");
    task
}

async fn ends_as(case: &Case<'_>, task: &TaskKey, how: How, effects: &[&str]) -> Arc<Record> {
    let doubts = &[][..];
    let expect = Expect {
        how,
        effects,
        doubts,
    };
    case.ends(task, expect).await
}

#[tokio::test]
async fn failed_after_it_was_told() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let task = held(
        &case,
        vec![case.step("b")],
        json!([{"fail": "it can't be undone"}]),
    )
    .await;
    let how = failed(Kind::ToolError, "it can't be undone", true);
    ends_as(&case, &task, how, &["a"]).await;
}

#[tokio::test]
async fn failed_for_now_after_it_was_told_is_not_tried_again() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let task = held(&case, vec![case.step("b")], json!([{"transient": "busy"}])).await;
    let how = failed(Kind::ToolError, "busy", true);
    let record = ends_as(&case, &task, how, &["a"]).await;
    assert_eq!((record.attempt, record.retries), (1, 0));
}

#[tokio::test]
async fn failed_for_now_before_it_was_told_is_tried_again_so_that_it_can_be() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let then = json!({"on_attempt": 1, "ops": [{"transient": "busy"}]});
    let task = held(
        &case,
        vec![then, case.step("b")],
        json!([case.step("undo")]),
    )
    .await;
    let record = ends_as(&case, &task, How::Clean, &["a", "undo"]).await;
    assert_eq!((record.attempt, record.retries), (2, 1));
}

#[tokio::test]
async fn failed_before_it_was_told() {
    let house = House::new().await;
    let check = async |then: Value, how: How| {
        let case = Case::new(&house, Mode::Graceful);
        let task = held(&case, vec![then], json!([case.step("undo")])).await;
        ends_as(&case, &task, how, &["a"]).await;
    };
    check(json!({"fail": "no"}), failed(Kind::ToolError, "no", false)).await;
    check(
        json!({"in_doubt_error": "?"}),
        failed(Kind::InDoubt, "?", false),
    )
    .await;
    let misuse = "returned `stopped` before it was asked to";
    check(
        json!({"return_stopped": true}),
        failed(Kind::Misuse, misuse, false),
    )
    .await;
}

#[tokio::test]
async fn trapped_before_it_was_told() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let task = held(&case, vec![json!({"trap": true})], json!([])).await;
    let record = house.end(&task).await;
    assert_eq!(crate::common::ending(&record), "cancelled failed(trap)");
    let told = format!("{:?}", record.state).contains("told: false");
    assert!(told, "{:?}", record.state);
}

#[tokio::test]
async fn out_of_fuel_while_it_tidied_up() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let [here, wait] = case.hold("gate");
    let mut request = case.request([case.step("a"), here, wait, case.step("b")]);
    request.arguments["on_stop"] = json!([case.step("undo"), {"spin_forever": true}]);
    request.limits = Limits {
        fuel: 200_000_000,
        ..Limits::default()
    };
    let task = held_request(&case, request).await;
    let how = failed(Kind::OutOfFuel, "fuel: 200000000 of 200000000 used", true);
    let record = ends_as(&case, &task, how, &["a", "undo"]).await;
    assert_eq!(record.usage.fuel, 200_000_000);
}

#[tokio::test]
async fn forced_out_of_a_step() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let [here, wait] = case.hold("gate");
    let begin = json!({"begin": "pay", "effect": "once"});
    let mut request = case.request([case.step("a"), begin, here, wait]);
    request.limits = Limits {
        grace: 20,
        ..Limits::default()
    };
    let task = house.submit(request).await;
    case.at("gate").await;
    case.cancel(&task).await;
    let step = Some("pay".into());
    let expect = Expect {
        how: How::Forced { step },
        effects: &["a"],
        doubts: &["pay"],
    };
    case.ends(&task, expect).await;
}

#[tokio::test]
async fn forced_out_of_its_clean_up() {
    let house = House::new().await;
    let check = async |step: Option<&str>| {
        let case = Case::new(&house, Mode::Graceful);
        let [here, wait] = case.hold("gate");
        let mut request = case.request([case.step("a"), here, wait, case.step("b")]);
        let never = json!({"sleep_host": 3_600_000});
        request.arguments["on_stop"] = match step {
            Some(step) => json!([case.step("undo"), {"begin": step}, never]),
            None => json!([case.step("undo"), never]),
        };
        request.limits = Limits {
            grace: 200,
            ..Limits::default()
        };
        let task = held_request(&case, request).await;
        let step = step.map(Into::into);
        ends_as(&case, &task, How::Forced { step }, &["a", "undo"]).await;
    };
    check(None).await;
    check(Some("undo more")).await;
}

#[tokio::test]
async fn told_at_the_first_boundary_even_where_no_grace_is_given() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let [here, wait] = case.hold("gate");
    let task = case
        .script([case.step("a"), here, wait, case.step("b")])
        .await;
    case.at("gate").await;
    let cancel = Cancellation {
        grace: Some(Duration::ZERO),
        ..Cancellation::graceful(me())
    };
    house
        .runtime
        .cancel(&task, cancel)
        .await
        .expect("it is live");
    case.go("gate");
    let record = house.end(&task).await;
    // Whether it is told and cut off at once, or is quick enough to end by itself.
    let ending = crate::common::ending(&record);
    assert!(
        ending == "cancelled forced" || ending == "cancelled clean",
        "{ending}"
    );
    assert!(!case.effects().contains(&"b".to_owned()));
}

#[tokio::test]
async fn finished_with_a_result_before_it_was_told() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let task = held(&case, Vec::new(), json!([case.step("undo")])).await;
    ends_as(&case, &task, How::Finished, &["a"]).await;
    let output = house.runtime.output(&task).await.unwrap();
    assert!(output.is_some(), "the result is kept");
}

#[tokio::test]
async fn clean_with_a_result() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let [here, wait] = case.hold("gate");
    let mut request = case.request([case.step("a"), here, wait, case.step("b")]);
    request.arguments["on_stop_return"] = json!("ok");
    let task = held_request(&case, request).await;
    ends_as(&case, &task, How::Clean, &["a", "undo"]).await;
    let output = house.runtime.output(&task).await.unwrap();
    assert!(output.is_some(), "the result is kept");
}

#[tokio::test]
async fn a_cancel_outlives_the_process() {
    let house = House::new().await;
    let (task, folder) = {
        let case = Case::new(&house, Mode::Graceful);
        let [here, wait] = case.hold("gate");
        let first = json!({"on_attempt": 1, "ops": [here, wait]});
        let task = case.script([case.step("a"), first, case.step("b")]).await;
        case.at("gate").await;
        case.cancel(&task).await;
        (task, case.folder())
    };
    let house = house.crash().await;
    let record = ends(&house, &task, How::Clean, &[]).await;
    assert_eq!(record.attempt, 2);
    assert_eq!(house.lines(&format!("{folder}/effects")), ["a", "undo"]);
}

/// A script whose clean-up is held after its row `undo`, and whose second attempt runs `again`.
async fn crashed_in_its_clean_up(again: impl Fn(&Case<'_>) -> Value) -> Arc<Record> {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let [here, wait] = case.hold("gate");
    let first = json!({"on_attempt": 1, "ops": [here, wait, case.step("b")]});
    let mut request = case.request([case.step("a"), first, again(&case)]);
    let [tidies, waits] = case.hold("tidies");
    let held = json!({"on_attempt": 1, "ops": [tidies, waits]});
    request.arguments["on_stop"] = json!([case.step("undo"), held]);
    let task = held_request(&case, request).await;
    case.at("tidies").await;
    let effects = case.effects();
    let house = house.crash().await;
    let record = house.end(&task).await;
    assert_eq!(effects, ["a", "undo"]);
    record
}

#[tokio::test]
async fn a_clean_up_that_crashed_is_told_again() {
    let record = crashed_in_its_clean_up(|case| case.step("b")).await;
    assert_eq!(crate::common::ending(&record), "cancelled clean");
    assert_eq!((record.attempt, record.steps), (2, 2));
}

#[tokio::test]
async fn a_clean_up_that_was_begun_and_not_gone_on_with_is_in_doubt() {
    let record = crashed_in_its_clean_up(|_| json!({"print": "done"})).await;
    assert_eq!(crate::common::ending(&record), "cancelled failed(in-doubt)");
}

#[tokio::test]
async fn once_steps_that_nobody_asked_for_again_are_listed() {
    let house = House::new().await;
    let check = async |mode: Mode, how: How| {
        let case = Case::new(&house, mode);
        let begin = json!({"begin": "pay", "effect": "once"});
        let first = json!({"on_attempt": 1, "ops": [begin, {"transient": "busy"}]});
        let task = case.script([first, case.step("other")]).await;
        let waits = |record: &Record| record.retries == 1;
        house.runtime.wait_for(&task, waits).await.unwrap();
        case.cancel(&task).await;
        ends(&house, &task, how, &["pay"]).await;
    };
    check(Mode::Immediate, How::Immediate).await;
    // The stop is held back until the tool has asked, which it never does.
    check(Mode::Graceful, How::Finished).await;
}
