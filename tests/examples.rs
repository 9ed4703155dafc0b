//! The guest examples on the real runtime: killed, stopped, asked and restored.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{House, ending, me, within};
use serde_json::{Value, json};
use stepwell::id::{Digest, TaskKey};
use stepwell::limit::Limits;
use stepwell::runtime::{Answer, Cancellation, Request};
use stepwell::task::Record;
use stepwell_guest_examples as examples;

async fn add(house: &House, component: &[u8]) -> Digest {
    let registered = house.runtime.add(component.to_vec()).await;
    registered
        .expect("an example is a component")
        .manifest
        .component
}

/// A call of an example's tool, which may write in `/world`.
async fn call(house: &House, component: &[u8], tool: &str, arguments: Value) -> TaskKey {
    let component = add(house, component).await;
    let limits = Limits {
        deadline: 10 * 86_400_000,
        ..Limits::default()
    };
    let request = house.request(tool, arguments);
    house
        .submit(Request {
            component,
            limits: limits.with_room_for_deadline(),
            ..request
        })
        .await
}

/// Rows of which some are to be rejected, in three files.
fn sales(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for file in 0..3 {
        let mut text = String::from("region,product,amount\n");
        for row in 0..400 {
            let region = ["north", "south", " east ", ""][(row + file) % 4];
            let _ = writeln!(text, "{region},p{},{}.5", row % 7, row * 3);
        }
        fs::write(folder.join(format!("{file}.csv")), text).unwrap();
    }
}

fn etl() -> Value {
    json!({"input": "/world/in", "output": "/world/out", "chunk_records": 50,
        "group_by": "region", "measure": "amount", "required": ["region"]})
}

fn outputs(house: &House) -> Vec<Vec<u8>> {
    let files = ["cleaned.csv", "rejected.csv", "summary.csv"];
    files
        .map(|file| fs::read(house.world("out").join(file)).expect(file))
        .to_vec()
}

#[tokio::test]
async fn an_interrupted_etl_writes_the_same_bytes() {
    let whole = House::new().await;
    sales(&whole.world("in"));
    fs::create_dir_all(whole.world("out")).unwrap();
    let task = call(&whole, examples::ETL_PIPELINE, "etl_pipeline", etl()).await;
    let uninterrupted = whole.end(&task).await;
    assert_eq!(ending(&uninterrupted), "completed");
    let chunks = uninterrupted.stretch;
    let steps = |record: &Record| (record.stretch, record.steps_before + record.steps);
    assert!(chunks >= 20, "{chunks} chunks");

    let mut house = House::new().await;
    sales(&house.world("in"));
    fs::create_dir_all(house.world("out")).unwrap();
    let task = call(&house, examples::ETL_PIPELINE, "etl_pipeline", etl()).await;
    for stretch in [2, 3, 7, 8, 15, 19] {
        let is_there = |record: &Record| record.stretch >= stretch || record.state.is_terminal();
        within(house.runtime.wait_for(&task, is_there))
            .await
            .unwrap();
        house = house.crash().await;
    }
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "completed");
    assert_eq!(outputs(&house), outputs(&whole));
    // Each chunk was journalled once: the steps of both runs are as many.
    assert_eq!(steps(&record), steps(&uninterrupted));
    assert!(record.attempt > 1, "it was interrupted");
}

fn trade() -> Value {
    json!({"account": "acme", "symbol": "WASM", "side": "buy", "quantity": 3,
        "price_cents": 1250, "exchange": "/world", "fill": "external", "poll_ms": 60_000})
}

/// The kinds of the exchange's entries, in order.
fn ledger(house: &House) -> Vec<String> {
    let lines = house.lines("ledger.ndjson");
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_trade_that_is_stopped_undoes_what_it_did() {
    let house = House::still().await;
    let task = call(
        &house,
        examples::TRADE_EXECUTION,
        "trade_execution",
        trade(),
    )
    .await;
    house.until(&task, "waiting(timer)").await;
    let done = ledger(&house);
    let house = house.reopen().await;
    house
        .runtime
        .cancel(&task, Cancellation::graceful(me()))
        .await
        .unwrap();
    let record = house.end(&task).await;
    assert_eq!(ending(&record), "cancelled clean");
    let all = ledger(&house);
    assert_eq!(all[..done.len()], done[..]);
    assert_eq!(all.len(), 2 * done.len(), "each was undone once: {all:?}");
    assert_eq!(record.clean_up.len(), done.len());
}

#[tokio::test]
async fn a_trade_is_filled_after_a_crash_and_settled_once() {
    let house = House::still().await;
    let task = call(
        &house,
        examples::TRADE_EXECUTION,
        "trade_execution",
        trade(),
    )
    .await;
    house.until(&task, "waiting(timer)").await;
    let house = house.crash().await;
    let order = house.lines("ledger.ndjson");
    let order: Value = serde_json::from_str(order.last().unwrap()).unwrap();
    let fill = json!({"key": "fill-1", "refusal": null, "kind": "fill", "subject": "exchange",
        "about": order["key"]});
    let mut book = fs::read_to_string(house.world("ledger.ndjson")).unwrap();
    let _ = writeln!(book, "{fill}");
    fs::write(house.world("ledger.ndjson"), book).unwrap();
    house
        .hand
        .as_ref()
        .unwrap()
        .advance(Duration::from_secs(60));
    assert_eq!(ending(house.end(&task).await), "completed");
    let kinds = ledger(&house);
    let distinct: std::collections::BTreeSet<_> = kinds.iter().collect();
    assert_eq!(
        distinct.len(),
        kinds.len(),
        "nothing was done twice: {kinds:?}"
    );
}

async fn answer(house: &House, task: &TaskKey, key: &str, value: Value) {
    let asks = |record: &Record| match record.state.wait() {
        Some(stepwell::task::Wait::Input { questions }) => {
            questions.iter().any(|question| *question.key == *key)
        }
        _ => false,
    };
    within(house.runtime.wait_for(task, asks)).await.unwrap();
    let answer = Answer::Accept(value);
    house
        .runtime
        .answer(task, &me(), key, &answer)
        .await
        .expect(key);
}

fn support() -> Value {
    json!({"customer": "Ada", "issues": [
        {"id": "i1", "kind": "billing", "text": "charged twice"},
        {"id": "i2", "kind": "delivery", "text": "late"}]})
}

#[tokio::test]
async fn a_support_session_goes_on_after_days() {
    let house = House::still().await;
    let task = call(
        &house,
        examples::SUPPORT_SESSION,
        "support_session",
        support(),
    )
    .await;
    answer(
        &house,
        &task,
        "contact",
        json!({"email": "ada@example.org"}),
    )
    .await;
    answer(&house, &task, "manner", json!({"tone": "friendly"})).await;
    answer(&house, &task, "solved/i1", json!({"solved": true})).await;
    let house = house.crash().await;
    answer(&house, &task, "solved/i2", json!({"solved": false})).await;
    house.until(&task, "waiting(timer)").await;
    let house = house.reopen().await;
    house
        .hand
        .as_ref()
        .unwrap()
        .advance(Duration::from_secs(2 * 86_400));
    answer(&house, &task, "rating@1", json!({"stars": 4})).await;
    assert_eq!(ending(house.end(&task).await), "completed");
    let output = house
        .runtime
        .output(&task)
        .await
        .unwrap()
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(output["resolved"], json!(["i1"]));
    assert_eq!(output["stars"], json!(4));
    assert_eq!(output["tickets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_support_session_is_restored_to_what_a_client_saved() {
    let house = House::still().await;
    let task = call(
        &house,
        examples::SUPPORT_SESSION,
        "support_session",
        support(),
    )
    .await;
    house.until(&task, "waiting(input)").await;
    let state = json!({"currentStep": 3, "resolvedIssues": ["i1"],
        "customerContext": {"email": "ada@example.org"}});
    let saved = house
        .runtime
        .checkpoint(&task, &me(), &state)
        .await
        .unwrap();
    house.runtime.restore(&task, &me(), saved).await.unwrap();
    // It asks neither who the customer is nor about what is resolved.
    answer(&house, &task, "solved/i2!1", json!({"solved": true})).await;
    house.until(&task, "waiting(timer)").await;
    house
        .hand
        .as_ref()
        .unwrap()
        .advance(Duration::from_secs(2 * 86_400));
    answer(&house, &task, "rating@1!1", json!({"stars": 5})).await;
    assert_eq!(ending(house.end(&task).await), "completed");
    let output = house
        .runtime
        .output(&task)
        .await
        .unwrap()
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(
        (&output["restored"], &output["resolved"]),
        (&json!(true), &json!(["i1", "i2"]))
    );
}

#[tokio::test]
async fn a_small_tool_is_called_and_nothing_is_kept() {
    let house = House::new().await;
    let component = add(&house, examples::NOTIFY).await;
    let arguments = json!({"message": "the job is done", "severity": "info"});
    let request = Request::new(component, "notify", arguments);
    let called = house
        .runtime
        .call(request.clone(), |_| {})
        .await
        .expect("it is called");
    assert!(called.result.is_ok(), "{:?}", called.result);
    let keyed = Request {
        key: Some("k".into()),
        ..request
    };
    let error = common::refused(house.runtime.call(keyed, |_| {}).await);
    assert!(error.contains("takes no idempotency key"), "{error}");
    let filter = stepwell::store::Filter::default();
    let tenant = me().tenant;
    let page = house.runtime.list(&tenant, filter, None, 10).await.unwrap();
    assert!(page.records.is_empty());
}
