//! Tasks as 2025-11-25 has them.

use serde_json::{Value, json};
use stepwell::mcp::{Id, Kind};

use crate::agent::{Agent, Asked, Place, id_of, script, text};

fn asks() -> Value {
    let schema =
        json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    script(json!([{"ask": [
        {"name": "who", "message": "Who?", "schema": schema.to_string()},
        {"name": "whom", "message": "Whom?", "schema": schema.to_string()},
    ]}]))
}

/// Creates a task of `script`.
async fn create(agent: &Agent, arguments: Value) -> String {
    let call = json!({"name": "script", "arguments": arguments, "task": {"ttl": 60_000}});
    let created = agent.legacy("tools/call", call).await.unwrap();
    let task = &created["task"];
    assert_eq!(task["status"], "working");
    assert!(task["ttl"].as_u64() >= Some(60_000) && task["pollInterval"].is_u64());
    id_of(task)
}

/// The next request of the server.
async fn request(asked: &mut Asked) -> Value {
    loop {
        let message = asked.message().await;
        if message.get("id").is_some() {
            return message;
        }
    }
}

#[tokio::test]
async fn the_result_waits_for_the_end() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = create(&agent, script(json!([{"sleep": "short", "ms": 30}]))).await;
    let result = agent
        .legacy("tasks/result", json!({"taskId": id}))
        .await
        .unwrap();
    let related = &result["_meta"]["io.modelcontextprotocol/related-task"];
    assert_eq!(related, &json!({"taskId": id}));
    let task = agent
        .legacy("tasks/get", json!({"taskId": id}))
        .await
        .unwrap();
    assert_eq!(task["status"], "completed");
    assert!(task.get("result").is_none() && task.get("resultType").is_none());
    let list = agent.legacy("tasks/list", json!({})).await.unwrap();
    assert_eq!(list["tasks"][0]["taskId"], json!(id));
}

#[tokio::test]
async fn who_decides_is_the_client_within_what_the_tool_allows() {
    let place = Place::new().await;
    let agent = place.agent();
    let check = async |call: Value| agent.legacy("tools/call", call).await.unwrap_err().kind;
    let never = json!({"name": "greet", "arguments": {"name": "x"}, "task": {}});
    assert_eq!(check(never).await, Kind::MethodNotFound);
    assert_eq!(
        check(json!({"name": "failing_job"})).await,
        Kind::MethodNotFound
    );
}

#[tokio::test]
async fn a_failed_task_says_why_in_its_status() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = create(&agent, script(json!([{"fail": "the file is gone"}]))).await;
    let result = agent
        .legacy("tasks/result", json!({"taskId": id}))
        .await
        .unwrap();
    assert_eq!(result["isError"], true);
    assert_eq!(text(&result), "the file is gone");
    let task = agent
        .legacy("tasks/get", json!({"taskId": id}))
        .await
        .unwrap();
    assert_eq!(task["status"], "failed");
    assert_eq!(task["statusMessage"], "the file is gone");
    let trap = create(&agent, script(json!([{"trap": true}]))).await;
    let error = agent
        .legacy("tasks/result", json!({"taskId": trap}))
        .await
        .unwrap_err();
    assert_eq!(error.data.unwrap()["kind"], "trap");
}

#[tokio::test]
async fn a_cancel_shows_at_once_and_only_once() {
    let place = Place::new().await;
    let agent = place.agent();
    // It holds the stop back: the task is at work long after it was cancelled.
    let arguments = json!({"ops": [
        {"begin": "a", "as": "a"}, {"spin_forever": true},
    ]});
    let id = json!({"taskId": create(&agent, arguments).await});
    let waiting = agent.ask("tasks/result", id.clone());
    let cancelled = agent.legacy("tasks/cancel", id.clone()).await.unwrap();
    assert_eq!(cancelled["status"], "cancelled");
    let error = waiting.answer().await.unwrap_err();
    assert_eq!(error.data.unwrap()["kind"], "cancelled");
    let again = agent.legacy("tasks/cancel", id.clone()).await.unwrap_err();
    assert_eq!(again.code(), -32_602);
    assert_eq!(
        agent.legacy("tasks/get", id).await.unwrap()["status"],
        "cancelled"
    );
}

#[tokio::test]
async fn questions_are_asked_on_the_stream_of_the_result() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = create(&agent, asks()).await;
    let mut waiting = agent.ask("tasks/result", json!({"taskId": id}));
    let (one, two) = (request(&mut waiting).await, request(&mut waiting).await);
    for asked in [&one, &two] {
        assert_eq!(asked["method"], "elicitation/create");
        let related = &asked["params"]["_meta"]["io.modelcontextprotocol/related-task"];
        assert_eq!(related, &json!({"taskId": id}));
    }
    let name = |asked: &Value| Id::Text(asked["id"].as_str().unwrap().to_owned());
    // One answers, and one can't be asked.
    let answer = json!({"action": "accept", "content": {"name": "Ada"}});
    agent
        .server
        .answered(&agent.caller, &name(&one), Ok(answer));
    agent
        .server
        .answered(&agent.caller, &name(&two), Err(json!({"code": -32_601})));
    let result = waiting.answer().await.unwrap();
    let said = result["structuredContent"].to_string();
    assert!(
        said.contains("Ada") && said.contains("unavailable"),
        "{said}"
    );
}

#[tokio::test]
async fn questions_of_a_plain_call_are_asked_on_its_stream() {
    let place = Place::new().await;
    let agent = place.agent();
    let mut call = agent.ask("tools/call", json!({"name": "script", "arguments": asks()}));
    for _ in 0..2 {
        let asked = request(&mut call).await;
        let id = Id::Text(asked["id"].as_str().unwrap().to_owned());
        agent
            .server
            .answered(&agent.caller, &id, Ok(json!({"action": "decline"})));
    }
    let result = call.answer().await.unwrap();
    assert!(
        result["structuredContent"].to_string().contains("decline"),
        "{result}"
    );
}

#[tokio::test]
async fn a_wrong_answer_is_asked_again() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = create(&agent, asks()).await;
    let mut waiting = agent.ask("tasks/result", json!({"taskId": id}));
    let (first, second) = (request(&mut waiting).await, request(&mut waiting).await);
    let name = |asked: &Value| Id::Text(asked["id"].as_str().unwrap().to_owned());
    let wrong = json!({"action": "accept", "content": {"name": 7}});
    agent
        .server
        .answered(&agent.caller, &name(&first), Ok(wrong));
    let again = request(&mut waiting).await;
    assert!(
        again["params"]["message"]
            .as_str()
            .unwrap()
            .contains("/name"),
        "{again}"
    );
    let right = json!({"action": "accept", "content": {"name": "Ada"}});
    for asked in [&again, &second] {
        agent
            .server
            .answered(&agent.caller, &name(asked), Ok(right.clone()));
    }
    waiting.answer().await.unwrap();
}

#[tokio::test]
async fn whoever_stops_waiting_has_not_cancelled() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = create(&agent, asks()).await;
    let mut waiting = agent.ask("tasks/result", json!({"taskId": id}));
    request(&mut waiting).await;
    waiting.gone.cancel();
    assert!(waiting.answer().await.is_err());
    let task = agent
        .legacy("tasks/get", json!({"taskId": id}))
        .await
        .unwrap();
    assert_eq!(task["status"], "input_required");
}
