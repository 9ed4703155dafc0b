//! Tasks as the extension `io.modelcontextprotocol/tasks` has them.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::config::Mcp;
use stepwell::mcp::Kind;

use crate::agent::{Place, SCRIPT_TASK, everything, id_of, meta, script, text, with};
use crate::common::within;

/// A script that asks for a name.
fn asks() -> Value {
    let schema =
        json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    script(json!([{"ask": [{"name": "who", "message": "Who?", "schema": schema.to_string()}]}]))
}

fn accept(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

#[tokio::test]
async fn a_task_is_durable_before_it_is_answered_and_has_its_result_inlined() {
    let place = Place::new().await;
    let agent = place.agent();
    let task = agent
        .call("slow_compute", json!({"seconds": 0, "label": "x"}))
        .await
        .unwrap();
    assert_eq!(task["resultType"], "task");
    assert_eq!(task["status"], "working");
    assert!(task["ttlMs"].is_u64() && task["pollIntervalMs"].is_u64());
    for absent in [
        "task",
        "result",
        "error",
        "inputRequests",
        "requestState",
        "ttl",
    ] {
        assert!(task.get(absent).is_none(), "{absent}");
    }
    let ended = agent.end(&id_of(&task)).await;
    assert_eq!(ended["status"], "completed");
    assert_eq!(ended["resultType"], "complete");
    // The official client reads it as a result of its own.
    assert_eq!(ended["result"]["resultType"], "complete");
    assert!(ended["result"]["content"].is_array());
    assert!(
        ended["result"]["_meta"]
            .get("io.modelcontextprotocol/related-task")
            .is_none()
    );
}

#[tokio::test]
async fn a_client_that_takes_no_tasks_gets_none() {
    let place = Place::new().await;
    let agent = place.agent();
    let nothing = json!({});
    let call = json!({"name": "failing_job"});
    let error = agent
        .modern_as(&nothing, "tools/call", call)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::MissingCapability);
    let required = error.data.unwrap();
    let extensions = &required["requiredCapabilities"]["extensions"];
    assert_eq!(extensions["io.modelcontextprotocol/tasks"], json!({}));
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        // Before anybody looks whether there is such a task.
        let params = json!({"taskId": "none"});
        let error = agent.modern_as(&nothing, method, params).await.unwrap_err();
        assert_eq!(error.kind, Kind::MissingCapability, "{method}");
    }
    let inline = json!({"name": "script", "arguments": script(json!([{"print": "x"}]))});
    let result = agent
        .modern_as(&nothing, "tools/call", inline)
        .await
        .unwrap();
    assert_eq!(result["resultType"], "complete");
    assert!(result.get("taskId").is_none());
}

#[tokio::test]
async fn failures_of_the_tool_complete_and_others_fail() {
    let place = Place::new().await;
    let agent = place.agent();
    let own = agent.call("failing_job", json!({})).await.unwrap();
    let own = agent.end(&id_of(&own)).await;
    assert_eq!(
        (&own["status"], &own["result"]["isError"]),
        (&json!("completed"), &json!(true))
    );
    let trap = agent
        .call(SCRIPT_TASK, script(json!([{"trap": true}])))
        .await
        .unwrap();
    let trap = agent.end(&id_of(&trap)).await;
    assert_eq!(trap["status"], "failed");
    assert_eq!(trap["error"]["code"], -32_603);
    assert_eq!(trap["error"]["data"]["kind"], "trap");
    assert!(trap.get("result").is_none());
}

#[tokio::test]
async fn questions_of_a_task_are_answered_one_by_one() {
    let place = Place::new().await;
    let agent = place.agent();
    let task = agent.call("multi_input", json!({})).await.unwrap();
    let id = id_of(&task);
    let asked = agent.until(&id, &["input_required"]).await;
    let requests = asked["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 2);
    let keys: Vec<_> = requests.keys().cloned().collect();
    assert_eq!(requests[&keys[0]]["method"], "elicitation/create");
    let update = async |responses: Value| {
        let params = json!({"taskId": id, "inputResponses": responses});
        agent.modern("tasks/update", params).await
    };
    // Keys that nobody asked for are ignored, whatever they say.
    let ack = update(json!({"x": {"ignored": true}})).await.unwrap();
    assert_eq!(ack["resultType"], "complete");
    assert!(ack.get("taskId").is_none() && ack.get("status").is_none());
    let answer = accept(json!({"name": "n", "confirm": true}));
    update(json!({&keys[0]: answer})).await.unwrap();
    let half = agent
        .modern("tasks/get", json!({"taskId": id}))
        .await
        .unwrap();
    assert_eq!(half["status"], "input_required");
    let open: Vec<_> = half["inputRequests"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(open, keys[1..]);
    update(json!({&keys[1]: answer})).await.unwrap();
    assert_eq!(agent.end(&id).await["status"], "completed");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_changes_nothing() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = id_of(&agent.call(SCRIPT_TASK, asks()).await.unwrap());
    agent.until(&id, &["input_required"]).await;
    let params = json!({"taskId": id, "inputResponses": {"who": accept(json!({"name": 7}))}});
    let error = agent.modern("tasks/update", params).await.unwrap_err();
    assert_eq!(error.code(), -32_602);
    assert!(error.message.contains("/name"), "{}", error.message);
    let params = json!({"taskId": id, "inputResponses": {"who": {"action": "shrug"}}});
    let error = agent.modern("tasks/update", params).await.unwrap_err();
    assert!(
        error.message.starts_with("params.inputResponses.who"),
        "{}",
        error.message
    );
    let task = agent
        .modern("tasks/get", json!({"taskId": id}))
        .await
        .unwrap();
    assert_eq!(task["status"], "input_required");
}

#[tokio::test]
async fn a_cancel_is_acknowledged_and_can_be_repeated() {
    let place = Place::new().await;
    let agent = place.agent();
    let task = agent
        .call("slow_compute", json!({"seconds": 3_600, "label": "x"}))
        .await
        .unwrap();
    let id = json!({"taskId": id_of(&task)});
    for _ in 0..2 {
        let ack = agent.modern("tasks/cancel", id.clone()).await.unwrap();
        assert_eq!(ack["resultType"], "complete");
        assert!(ack.get("status").is_none());
    }
    let ended = agent.end(&id_of(&task)).await;
    assert_eq!(ended["status"], "cancelled");
    assert!(agent.modern("tasks/cancel", id).await.is_ok());
}

#[tokio::test]
async fn a_call_that_asks_goes_on_with_the_state_that_it_was_given() {
    let place = Place::new().await;
    let agent = place.agent();
    let call = json!({"name": "script", "arguments": asks()});
    let asked = agent.modern("tools/call", call.clone()).await.unwrap();
    assert_eq!(asked["resultType"], "input_required");
    assert!(asked.get("taskId").is_none());
    let state = asked["requestState"].as_str().unwrap();
    let answered = |state: &str| {
        let responses = json!({"who": accept(json!({"name": "Ada"}))});
        with(
            call.clone(),
            json!({"inputResponses": responses, "requestState": state}),
        )
    };
    let refused = async |params: Value| agent.modern("tools/call", params).await.unwrap_err();
    assert_eq!(
        refused(answered(&format!("{state}-TAMPERED"))).await.code(),
        -32_602
    );
    let other = with(answered(state), json!({"arguments": script(json!([]))}));
    assert_eq!(refused(other).await.code(), -32_602);
    let null = with(answered(state), json!({"inputResponses": null}));
    assert_eq!(refused(null).await.code(), -32_602);
    // Without an answer the question is asked again.
    let again = with(call.clone(), json!({"requestState": state}));
    let again = agent.modern("tools/call", again).await.unwrap();
    assert_eq!(again["resultType"], "input_required");
    let result = agent.modern("tools/call", answered(state)).await.unwrap();
    assert_eq!(result["resultType"], "complete");
    assert!(
        text(&result).contains("Ada") || result["structuredContent"].to_string().contains("Ada")
    );
}

#[tokio::test]
async fn answers_may_come_along_with_the_call() {
    let place = Place::new().await;
    let agent = place.agent();
    let responses = json!({"who": accept(json!({"name": "Ada"})), "nobody": {"action": "decline"}});
    let call = json!({"name": "script", "arguments": asks(), "inputResponses": responses});
    let result = agent.modern("tools/call", call).await.unwrap();
    assert_eq!(result["resultType"], "complete");
    assert!(
        result["structuredContent"].to_string().contains("Ada"),
        "{result}"
    );
}

#[tokio::test]
async fn who_can_t_be_asked_is_unavailable() {
    let place = Place::new().await;
    let agent = place.agent();
    let call = json!({"name": "script", "arguments": asks()});
    for capabilities in [json!({}), json!({"elicitation": {"url": {}}})] {
        let result = agent
            .modern_as(&capabilities, "tools/call", call.clone())
            .await
            .unwrap();
        assert!(
            result["structuredContent"]
                .to_string()
                .contains("unavailable"),
            "{result}"
        );
    }
}

#[tokio::test]
async fn a_call_whose_client_goes_is_cancelled_unless_it_can_be_found_again() {
    let place = Place::new().await;
    let agent = place.agent();
    let call = |key: Option<&str>| {
        let ops = script(json!([{"sleep": "long", "ms": 3_600_000}]));
        let key = key.map(|key| json!({"stepwell/idempotencyKey": key}));
        let meta = with(meta(&json!({})), key.unwrap_or_else(|| json!({})));
        json!({"name": "script", "arguments": ops, "_meta": meta})
    };
    for key in [None, Some("k")] {
        let asked = agent.ask("tools/call", call(key));
        let waits = within(place.waiting()).await;
        asked.gone.cancel();
        assert!(asked.answer().await.is_err());
        let record = place.runtime().record(&waits).await.unwrap();
        assert_eq!(
            record.status().is_terminal() || record.state.stop().is_some(),
            key.is_none()
        );
        if key.is_none() {
            place.house.end(&waits).await;
        }
    }
    // The same call again is the same task, and its client may still change its mind.
    let again = agent.ask("tools/call", call(Some("k")));
    let task = within(place.waiting()).await;
    again.cancelled.cancel();
    assert!(again.answer().await.is_err());
    let ended = place.house.end(&task).await;
    assert_eq!(ended.status().as_str(), "cancelled");
}

#[tokio::test]
async fn a_subscription_tells_of_a_task_until_its_end() {
    let place = Place::new().await;
    let agent = place.agent();
    let id = id_of(&agent.call(SCRIPT_TASK, asks()).await.unwrap());
    agent.until(&id, &["input_required"]).await;
    let unknown = "11111111-1111-4111-8111-111111111111";
    let params = json!({
        "notifications": {"taskIds": [id, unknown, "x"], "promptsListChanged": true},
        "_meta": meta(&everything()),
    });
    let mut listening = agent.ask("subscriptions/listen", params);
    let first = listening.message().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["notifications"], json!({"taskIds": [id]}));
    let tag = "io.modelcontextprotocol/subscriptionId";
    assert_eq!(first["params"]["_meta"][tag], "1");
    // How it is now, then what happens to it.
    let now = listening.message().await;
    assert_eq!(now["method"], "notifications/tasks");
    assert_eq!(now["params"]["status"], "input_required");
    assert_eq!(now["params"]["_meta"][tag], "1");
    let responses = json!({"who": accept(json!({"name": "Ada"}))});
    let update = json!({"taskId": id, "inputResponses": responses});
    agent.modern("tasks/update", update).await.unwrap();
    loop {
        let told = listening.message().await;
        if told["params"]["status"] == "completed" {
            assert_eq!(told["params"]["result"]["resultType"], "complete");
            break;
        }
    }
    place.server.close();
    assert!(listening.answer().await.is_ok());
}

#[tokio::test]
async fn a_subscription_tells_of_other_tools() {
    let place = Place::new().await;
    let agent = place.agent();
    let params = json!({"notifications": {"toolsListChanged": true}, "_meta": meta(&json!({}))});
    let mut listening = agent.ask("subscriptions/listen", params);
    let first = listening.message().await;
    assert_eq!(
        first["params"]["notifications"],
        json!({"toolsListChanged": true})
    );
    place
        .offers
        .replace(stepwell::catalogue::Catalogue::default());
    let told = listening.message().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    listening.gone.cancel();
    assert!(listening.answer().await.is_ok());
}

#[tokio::test]
async fn subscriptions_are_bounded_for_each_principal() {
    let place = Place::with(Mcp {
        principal_subscriptions_max: 1,
        ..Mcp::default()
    })
    .await;
    let agent = place.agent();
    let params = json!({"notifications": {}, "_meta": meta(&json!({}))});
    let mut first = agent.ask("subscriptions/listen", params.clone());
    first.message().await;
    let error = agent
        .ask("subscriptions/listen", params.clone())
        .answer()
        .await
        .unwrap_err();
    assert_eq!(error.data.unwrap()["kind"], "busy");
    first.gone.cancel();
    first.answer().await.unwrap();
    let mut next = agent.ask("subscriptions/listen", params);
    next.message().await;
}

#[tokio::test]
async fn a_call_that_takes_longer_than_its_client_waits_is_told_where_to_find_it() {
    let place = Place::with(Mcp {
        patience: Duration::ZERO,
        ..Mcp::default()
    })
    .await;
    let agent = place.agent();
    let ops = script(json!([{"sleep": "long", "ms": 3_600_000}]));
    let call = json!({"name": "script", "arguments": ops});
    for answer in [
        agent
            .modern_as(&json!({}), "tools/call", call.clone())
            .await,
        agent.legacy("tools/call", call).await,
    ] {
        let result = answer.unwrap();
        let id = result["_meta"]["stepwell/task"].as_str().unwrap();
        assert!(text(&result).contains(id), "{result}");
        assert_eq!(
            agent
                .modern("tasks/get", json!({"taskId": id}))
                .await
                .unwrap()["status"],
            "working"
        );
    }
}
