//! The rules of checkpoints, restores and forks, one test for each sentence of them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;

use common::{House, ending, hold, me, ops, refused, step, step_once};
use serde_json::{Value, json};
use stepwell::id::{CheckpointId, TaskKey};
use stepwell::limit::Limits;
use stepwell::runtime::Cancellation;
use stepwell::task::{Mark, Origin, Record};

fn save(state: &str) -> Value {
    json!({"save": state})
}

/// Waits for an answer, so that the task can be restored while it does.
fn ask(name: &str) -> Value {
    json!({"ask": [{"name": name, "message": "Go on?"}]})
}

fn load() -> Value {
    json!({"load": true})
}

async fn answer(house: &House, task: &TaskKey, key: &str) {
    let answer = stepwell::runtime::Answer::Decline;
    house
        .runtime
        .answer(task, &me(), key, &answer)
        .await
        .expect("the question is open");
}

async fn checkpoint(house: &House, task: &TaskKey, state: Value) -> CheckpointId {
    house
        .runtime
        .checkpoint(task, &me(), &state)
        .await
        .expect("it is saved")
}

async fn restore(house: &House, task: &TaskKey, to: CheckpointId) -> Arc<Record> {
    house
        .runtime
        .restore(task, &me(), to)
        .await
        .expect("it is restored")
        .record
}

async fn marks(house: &House, task: &TaskKey) -> Vec<Mark> {
    house
        .runtime
        .checkpoints(task)
        .await
        .expect("the task is known")
}

fn loaded(transcript: &[Value]) -> &Value {
    transcript
        .iter()
        .find_map(|entry| entry.get("loaded"))
        .expect("it loads")
}

/// The open question's name outside.
fn open(record: &Record) -> String {
    let Some(stepwell::task::Wait::Input { questions }) = record.state.wait() else {
        panic!("nothing is asked: {}", record.status())
    };
    questions[0].key.to_string()
}

#[tokio::test]
async fn a_tools_checkpoint_begins_a_stretch_and_the_next_attempt_starts_there() {
    let house = House::new().await;
    let script = [load(), step("a"), save("one"), step("a")]
        .into_iter()
        .chain(hold("gate"));
    let task = house.script(ops(script)).await;
    house.at("gate").await;
    let record = house.runtime.record(&task).await.unwrap();
    assert_eq!(
        (record.stretch, record.steps, record.steps_before),
        (1, 1, 1)
    );
    // The name is free again after the checkpoint.
    assert_eq!(house.lines("effects"), ["a", "a"]);
    let house = house.crash().await;
    house.go("gate");
    let transcript = house.transcript(&task).await;
    assert_eq!(loaded(&transcript)["state"], "one");
    assert_eq!(loaded(&transcript)["client"], Value::Null);
    // This script begins with `a` again: in the new stretch that is the one of the new stretch.
    assert!(transcript[1].get("replay").is_some(), "{transcript:?}");
}

#[tokio::test]
async fn a_clients_checkpoint_changes_nothing_for_the_tool() {
    let house = House::new().await;
    let script = [step("a")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("b"), load()]);
    let task = house.script(ops(script)).await;
    house.at("gate").await;
    let id = checkpoint(&house, &task, json!({"page": 3})).await;
    let mark = marks(&house, &task).await.pop().unwrap();
    assert_eq!(
        (mark.id, mark.origin, mark.stretch),
        (id, Origin::Client, 0)
    );
    assert_eq!(mark.steps_done(), 1);
    house.go("gate");
    let transcript = house.transcript(&task).await;
    assert_eq!(loaded(&transcript), &Value::Null);
    assert_eq!(house.lines("effects"), ["a", "b"]);
}

#[tokio::test]
async fn a_restore_forgets_only_what_lies_after_the_checkpoint() {
    let house = House::new().await;
    let script = [
        load(),
        step("a"),
        ask("one"),
        step("b"),
        step_once("c"),
        ask("two"),
        step("d"),
    ];
    let task = house.script(ops(script)).await;
    house.until(&task, "waiting(input)").await;
    let id = checkpoint(&house, &task, json!({"page": 1})).await;
    answer(&house, &task, "one").await;
    let is_two = |record: &Record| {
        record.status().as_str() == "waiting(input)" && open(record).starts_with("two")
    };
    house.runtime.wait_for(&task, is_two).await.unwrap();
    assert_eq!(house.lines("effects"), ["a", "b", "c"]);
    let restored = restore(&house, &task, id).await;
    assert_eq!((restored.generation, restored.steps), (1, 1));
    // What waited is queued, runs again, and asks again: under another name outside.
    let record = house.until(&task, "waiting(input)").await;
    assert_eq!(open(&record), "one!1");
    answer(&house, &task, "one!1").await;
    let is_two =
        |record: &Record| record.status().as_str() == "waiting(input)" && open(record) == "two!1";
    house.runtime.wait_for(&task, is_two).await.unwrap();
    answer(&house, &task, "two!1").await;
    let transcript = house.transcript(&task).await;
    assert_eq!(loaded(&transcript)["client"], json!({"page": 1}));
    // `a` stayed done, `b` was run again; `c` was in doubt, and what it had returned was shown in
    // the attempt after the restore.
    assert_eq!(house.lines("effects"), ["a", "b", "c", "b", "d"]);
}

#[tokio::test]
async fn a_once_step_after_the_checkpoint_is_in_doubt_with_its_old_key_and_output() {
    let house = House::new().await;
    let mut script = ops([step("a"), ask("one"), step_once("c"), ask("two")]);
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    house.until(&task, "waiting(input)").await;
    let id = checkpoint(&house, &task, json!({})).await;
    answer(&house, &task, "one").await;
    house
        .runtime
        .wait_for(&task, |record| {
            record.once_steps == 1 && record.steps == 3 && record.state.wait().is_some()
        })
        .await
        .unwrap();
    restore(&house, &task, id).await;
    house.until(&task, "waiting(input)").await;
    answer(&house, &task, "one!1").await;
    let again = |record: &Record| record.steps == 3 && record.state.wait().is_some();
    house.runtime.wait_for(&task, again).await.unwrap();
    let log: Vec<Value> = house
        .lines("log")
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let ran = log
        .iter()
        .filter_map(|line| line[1].get("run"))
        .next_back()
        .unwrap();
    let doubt = log.iter().find_map(|line| line[1].get("doubt")).unwrap();
    assert_eq!((&doubt["key"], &doubt["earlier"]), (ran, &json!("c")));
    assert_eq!(house.lines("effects"), ["a", "c"]);
}

#[tokio::test]
async fn after_a_restore_another_input_makes_a_step_of_its_own() {
    let house = House::new().await;
    let once = |input: &str| {
        json!({"step": {"name": "c", "input": input, "effect": "once", "output": input,
            "effect_line": {"path": "/world/effects", "line": format!("c {input}")}}})
    };
    // Which input it is given depends on what the client saved.
    let script = json!({"ops": [
        ask("one"), {"on_attempt": 2, "ops": [once("1")]}, {"on_attempt": 4, "ops": [once("2")]},
        ask("two")]});
    let task = house.script(script).await;
    house.until(&task, "waiting(input)").await;
    let id = checkpoint(&house, &task, json!({})).await;
    answer(&house, &task, "one").await;
    let two = |record: &Record| record.state.wait().is_some() && open(record).starts_with("two");
    house.runtime.wait_for(&task, two).await.unwrap();
    restore(&house, &task, id).await;
    house.until(&task, "waiting(input)").await;
    answer(&house, &task, "one!1").await;
    house
        .runtime
        .wait_for(&task, |record| two(record) && record.generation == 1)
        .await
        .unwrap();
    assert_eq!(house.lines("effects"), ["c 1", "c 2"]);
}

#[tokio::test]
async fn a_running_task_is_paused_first_and_queued_again() {
    let house = House::new().await;
    let script = [step("a"), save("one"), step("b")]
        .into_iter()
        .chain(hold("gate"));
    // Many boundaries, so that it is still at work when the pause is asked for.
    let steps = json!({"repeat": 2_000, "ops": [{"step": {"name": "c{i}"}}]});
    let task = house.script(ops(script.chain([steps, load()]))).await;
    house.at("gate").await;
    let start = marks(&house, &task).await[0].id;
    let runtime = house.runtime.clone();
    let restoring = {
        let task = task.clone();
        tokio::spawn(async move { runtime.restore(&task, &me(), start).await })
    };
    house.go("gate");
    let restored = common::within(restoring).await.unwrap().unwrap().record;
    assert_eq!(
        (restored.generation, restored.status().as_str()),
        (1, "queued")
    );
    let transcript = house.transcript(&task).await;
    assert_eq!(loaded(&transcript)["state"], "one");
}

#[tokio::test]
async fn a_paused_task_stays_paused_and_goes_on_when_resumed() {
    let house = House::new().await;
    let task = house.script(ops([step("a"), ask("one"), step("b")])).await;
    house.until(&task, "waiting(input)").await;
    let id = checkpoint(&house, &task, json!({})).await;
    assert_eq!(
        house
            .runtime
            .pause(&task, &me())
            .await
            .unwrap()
            .status()
            .as_str(),
        "paused"
    );
    assert_eq!(restore(&house, &task, id).await.status().as_str(), "paused");
    house.runtime.resume(&task, &me()).await.unwrap();
    house.until(&task, "waiting(input)").await;
    answer(&house, &task, "one!1").await;
    assert_eq!(ending(house.end(&task).await), "completed");
    assert_eq!(house.lines("effects"), ["a", "b"]);
}

#[tokio::test]
async fn a_paused_wait_goes_on_when_it_is_resumed_and_takes_answers_meanwhile() {
    let house = House::new().await;
    let task = house.script(ops([step("a"), ask("one"), step("b")])).await;
    house.until(&task, "waiting(input)").await;
    house.runtime.pause(&task, &me()).await.unwrap();
    let resumed = house.runtime.resume(&task, &me()).await.unwrap();
    assert_eq!(resumed.status().as_str(), "waiting(input)");
    house.runtime.pause(&task, &me()).await.unwrap();
    answer(&house, &task, "one").await;
    assert_eq!(
        house.runtime.record(&task).await.unwrap().status().as_str(),
        "paused"
    );
    house.runtime.resume(&task, &me()).await.unwrap();
    assert_eq!(ending(house.end(&task).await), "completed");
}

#[tokio::test]
async fn an_ended_task_is_not_restored_but_a_fork_goes_on_from_it() {
    let house = House::new().await;
    let fail = json!({"fail": "the day is over"});
    let mut script = ops([step("a"), ask("one"), step_once("b"), load(), fail]);
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    house.until(&task, "waiting(input)").await;
    let id = checkpoint(&house, &task, json!({"page": 1})).await;
    answer(&house, &task, "one").await;
    let ended = house.end(&task).await;
    assert_eq!(ending(&ended), "failed tool-error");
    let restored = house.runtime.restore(&task, &me(), id).await.unwrap();
    let reason = restored.not_resumed.expect("an ended task is not resumed");
    assert!(reason.to_string().contains("ended"), "{reason}");
    assert_eq!(restored.state.unwrap().state, json!({"page": 1}));
    assert_eq!(house.runtime.record(&task).await.unwrap().seq, ended.seq);
    // Its state can be read all the same.
    let envelope = house.runtime.export(&task, id).await.unwrap();
    assert_eq!(envelope.format, "stepwell.checkpoint/1");
    assert_eq!(envelope.state, json!({"page": 1}));
    let fork = house
        .runtime
        .fork(&task, &me(), Some(id), None)
        .await
        .unwrap();
    let key = fork.key();
    house.until(&key, "waiting(input)").await;
    answer(&house, &key, "one!1").await;
    let forked = house.end(&key).await;
    assert_eq!(forked.spec.forked_from, Some((task.id, Some(id))));
    // `a` stayed done; `b` was in doubt, under the old task's key.
    assert_eq!(house.lines("effects"), ["a", "b"]);
    let log = house.lines("log");
    let entries = log
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let entries: Vec<Value> = entries.map(|line| line[1].clone()).collect();
    let mut ran = entries.iter().filter_map(|entry| entry.get("run"));
    let doubt = entries.iter().find_map(|entry| entry.get("doubt")).unwrap();
    assert_eq!(Some(&doubt["key"]), ran.next_back());
    let mut loads = entries.iter().filter_map(|entry| entry.get("loaded"));
    assert_eq!(loads.next_back().unwrap()["client"], json!({"page": 1}));
}

#[tokio::test]
async fn the_first_fork_of_an_ended_task_has_its_keys_and_later_ones_their_own() {
    let house = House::new().await;
    let mut script = ops([
        step("a"),
        save("one"),
        json!({"begin": "b", "input": "1"}),
        json!({"fail": "no"}),
    ]);
    script["transcript_file"] = json!("/world/log");
    let task = house.script(script).await;
    house.end(&task).await;
    let id = marks(&house, &task).await[0].id;
    for _ in 0..2 {
        let fork = house
            .runtime
            .fork(&task, &me(), Some(id), None)
            .await
            .unwrap();
        house.end(&fork.key()).await;
    }
    // The script begins with `a` anew in the fork; `b` is the step of the second stretch.
    let keys: Vec<Value> = house
        .lines("log")
        .iter()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line).ok()?[1]
                .get("run")
                .cloned()
        })
        .collect();
    assert_eq!(keys.len(), 6, "{keys:?}");
    let distinct: std::collections::BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
    assert!(distinct.len() >= 5, "{keys:?}");
    assert_ne!(keys[2], keys[4], "the second fork has keys of its own");
}

#[tokio::test]
async fn a_task_whose_clean_up_has_begun_is_neither_restored_nor_forked() {
    let house = House::new().await;
    let mut script = ops([step_once("a"), save("one")]
        .into_iter()
        .chain(hold("gate"))
        .chain([step("b")]));
    script["on_stop"] = json!([step_once("undo a")]);
    let task = house.script(script).await;
    house.at("gate").await;
    let id = marks(&house, &task).await[0].id;
    house
        .runtime
        .cancel(&task, Cancellation::graceful(me()))
        .await
        .unwrap();
    house.go("gate");
    assert_eq!(ending(house.end(&task).await), "cancelled clean");
    let error = refused(house.runtime.fork(&task, &me(), Some(id), None).await);
    assert!(error.contains("`undo a`"), "{error}");
    // The checkpoint's state can still be read.
    assert_eq!(house.runtime.export(&task, id).await.unwrap().steps_done, 1);
}

#[tokio::test]
async fn the_newest_and_ten_older_checkpoints_are_kept_and_a_number_of_the_clients_own() {
    let house = House::new().await;
    let limits = Limits {
        client_checkpoints: 2,
        ..Limits::default()
    };
    let script = [
        json!({"repeat": 15, "ops": [step("a"), save("s{i}")]}),
        ask("one"),
    ];
    let task = house.script_within(limits, ops(script)).await;
    house.until(&task, "waiting(input)").await;
    for page in 0..4 {
        checkpoint(&house, &task, json!({"page": page})).await;
    }
    let marks = marks(&house, &task).await;
    let of = |origin| marks.iter().filter(move |mark| mark.origin == origin);
    assert_eq!(of(Origin::Tool).count(), 11);
    assert_eq!(of(Origin::Client).count(), 2);
    let newest = of(Origin::Tool).next_back().unwrap();
    let state = house.runtime.export(&task, newest.id).await.unwrap().state;
    assert_eq!(
        state,
        json!("733134"),
        "the bytes of `s14`, which are no JSON"
    );
    let gone = CheckpointId(marks[0].id.0 - 2);
    assert!(refused(house.runtime.export(&task, gone).await).contains("no checkpoint"));
}

#[tokio::test]
async fn rows_of_a_past_stretch_stay_while_a_clients_checkpoint_lies_in_it() {
    let house = House::new().await;
    let script = [
        step("a"),
        ask("one"),
        step("b"),
        save("later"),
        step("c"),
        ask("two"),
    ];
    let task = house.script(ops(script)).await;
    house.until(&task, "waiting(input)").await;
    let id = checkpoint(&house, &task, json!({})).await;
    answer(&house, &task, "one").await;
    let later = |record: &Record| record.stretch == 1 && record.state.wait().is_some();
    house.runtime.wait_for(&task, later).await.unwrap();
    let restored = restore(&house, &task, id).await;
    assert_eq!((restored.stretch, restored.steps), (0, 1));
    let record = house.until(&task, "waiting(input)").await;
    // `a` was replayed: it was not performed again.
    assert_eq!(house.lines("effects"), ["a", "b", "c"]);
    assert_eq!(open(&record), "one!1");
}

#[tokio::test]
async fn every_task_can_be_restored_to_its_beginning() {
    let house = House::new().await;
    let task = house
        .script(ops([step("a"), save("one"), ask("one")]))
        .await;
    house.until(&task, "waiting(input)").await;
    let restored = restore(&house, &task, Mark::BEGINNING.id).await;
    assert_eq!((restored.stretch, restored.start), (0, None));
    house.until(&task, "waiting(input)").await;
    assert_eq!(house.lines("effects"), ["a", "a"]);
}

#[tokio::test]
async fn a_state_past_the_limit_is_refused() {
    let house = House::new().await;
    let limits = Limits {
        checkpoint: 1 << 10,
        ..Limits::default()
    };
    let task = house
        .script_within(limits.clone(), ops([save(&"x".repeat(1025))]))
        .await;
    assert_eq!(
        ending(house.end(&task).await),
        "failed limit-exceeded(checkpoint)"
    );
    let task = house.script_within(limits, ops([ask("one")])).await;
    house.until(&task, "waiting(input)").await;
    let big = json!("x".repeat(1025));
    let error = refused(house.runtime.checkpoint(&task, &me(), &big).await);
    assert!(error.contains("1024"), "{error}");
}
