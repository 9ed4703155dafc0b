//! Who did what to a task, as whoever reads the audit is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::sync::Arc;

use common::{House, hold, me, ops, step};
use serde_json::{Value, json};
use stepwell::audit::{Numbered, Who};
use stepwell::id::{CheckpointId, TaskId, TaskKey};
use stepwell::runtime::{Answer, Cancellation};

async fn lines(house: &House) -> Vec<Value> {
    let page = house.runtime.audit_after(0, 1_000, None).await.unwrap();
    let lines = page.entries.iter().map(Numbered::line);
    lines
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

fn short(line: &Value) -> String {
    let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
    let who = line["by"]["subject"]
        .as_str()
        .unwrap_or(line["by"]["kind"].as_str().unwrap());
    format!("{who} {} {} {}", word("act"), word("from"), word("to"))
}

#[tokio::test]
async fn what_is_done_to_a_task_says_by_whom() {
    let house = House::still().await;
    let ask = json!({"ask": [{"name": "sure", "message": "Sure?"}]});
    let task = house
        .script(ops([step("a"), ask]
            .into_iter()
            .chain(hold("gate"))
            .chain([step("b")])))
        .await;
    house.until(&task, "waiting(input)").await;
    let answer = Answer::Accept(json!({}));
    house
        .runtime
        .answer(&task, &me(), "sure", &answer)
        .await
        .unwrap();
    house.at("gate").await;
    let saved = house
        .runtime
        .checkpoint(&task, &me(), &json!({"x": 1}))
        .await
        .unwrap();
    let cancel = Cancellation {
        why: Some("enough".into()),
        ..Cancellation::graceful(me())
    };
    house.runtime.cancel(&task, cancel).await.unwrap();
    house.go("gate");
    house.end(&task).await;
    let lines = lines(&house).await;
    let expected = [
        "user transition - queued",
        "host transition queued running",
        "tool transition running waiting(input)",
        "user answer waiting(input) queued",
        "host transition queued running",
        "user checkpoint running running",
        "user stop running running",
        "tool transition running cancelled",
    ];
    assert_eq!(lines.iter().map(short).collect::<Vec<_>>(), expected);
    assert_eq!(lines[3]["question"], "sure");
    assert_eq!(lines[5]["checkpoint"], saved.to_string());
    let stop = (&lines[6]["reason"], &lines[6]["mode"], &lines[6]["why"]);
    assert_eq!(
        stop,
        (&json!("cancelled"), &json!("graceful"), &json!("enough"))
    );
    assert!(lines.iter().all(|line| line["task"] == task.id.to_string()));
    assert!(
        lines
            .iter()
            .all(|line| line["tool"] == "script" && line["tenant"] == "local")
    );
}

#[tokio::test]
async fn what_is_refused_and_what_administrators_do_is_there_too() {
    let house = House::still().await;
    let nobody = TaskKey {
        tenant: me().tenant,
        id: TaskId::random(),
    };
    let paused = house.runtime.pause(&nobody, &me()).await;
    assert_eq!(paused.unwrap_err().code(), "unknown-task");
    let restored = house.runtime.restore(&nobody, &me(), CheckpointId(1)).await;
    restored.unwrap_err();
    house
        .runtime
        .audit_refusal(&me(), "tools/call", "unauthorized");
    let by = Who::Principal(Arc::new(me()));
    house
        .runtime
        .audit_act(by, "quarantine.lift", "sha256:ab")
        .await
        .unwrap();
    let lines = lines(&house).await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["what"].as_str().unwrap(), line["code"].as_str()))
        .collect();
    let expected = [
        ("pause", Some("unknown-task")),
        ("restore", Some("unknown-task")),
        ("tools/call", Some("unauthorized")),
        ("quarantine.lift", None),
    ];
    assert_eq!(told, expected);
    assert_eq!(lines[0]["task"], nobody.id.to_string());
    assert_eq!(lines[3]["subject"], "sha256:ab");
}

#[tokio::test]
async fn it_goes_with_its_age() {
    let house = House::still_with(|options| options.audit_max = 2).await;
    for n in 0..5 {
        let n = n.to_string();
        house
            .runtime
            .audit_act(Who::Host, "key.add", &n)
            .await
            .unwrap();
    }
    house.runtime.retain().await.unwrap();
    let subjects = async || {
        let lines = lines(&house).await;
        lines
            .iter()
            .map(|line| line["subject"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(subjects().await, ["3", "4"]);
    let day = std::time::Duration::from_secs(24 * 3_600);
    house.hand.as_ref().unwrap().advance(day * 89);
    house.runtime.retain().await.unwrap();
    assert_eq!(subjects().await.len(), 2);
    house.hand.as_ref().unwrap().advance(day * 2);
    house.runtime.retain().await.unwrap();
    assert!(subjects().await.is_empty());
}
