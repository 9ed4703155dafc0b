//! The plain vocabulary, as methods and as tools.

use serde_json::{Value, json};

use stepwell::identity::Role;

use crate::agent::{Agent, Place, id_of, script, somebody, text, with};

/// A word, called as a tool by a client that knows nothing of tasks.
async fn word(agent: &Agent, name: &str, arguments: Value) -> Value {
    let call = json!({"name": name, "arguments": arguments});
    agent.legacy("tools/call", call).await.unwrap()
}

fn create(arguments: Value) -> Value {
    json!({"method": "tools/call", "params": {"name": "script", "arguments": arguments}})
}

#[tokio::test]
async fn a_task_is_made_looked_at_and_fetched() {
    let place = Place::new().await;
    let agent = place.agent();
    let ops = script(json!([{"progress": [3, 7, "counting"]}, {"sleep": "s", "ms": 20}]));
    let made = agent
        .legacy("tasks/create", create(ops.clone()))
        .await
        .unwrap();
    assert_eq!(
        (&made["status"], &made["progress"]),
        (&json!("pending"), &json!(0))
    );
    assert!(made["createdAt"].is_string() && made["pollInterval"].is_u64());
    let wait = json!({"taskId": made["taskId"], "waitMs": 10_000});
    let result = agent.legacy("tasks/getResult", wait).await.unwrap();
    assert_eq!(result["isError"], false);
    let status = agent
        .legacy("tasks/getStatus", json!({"taskId": made}))
        .await
        .unwrap();
    assert_eq!(status["status"], "completed");

    // The same as tools: the bare id is the text, and the whole answer is taken for the id.
    let made = word(&agent, "tasks/create", create(ops)).await;
    assert_eq!(text(&made), made["structuredContent"]["taskId"]);
    let result = word(
        &agent,
        "tasks/getResult",
        json!({"taskId": made, "waitMs": 10_000}),
    )
    .await;
    assert_eq!(result["isError"], false);
    let status = word(&agent, "tasks/getStatus", json!({"taskId": text(&made)})).await;
    assert_eq!(text(&status), "completed");
}

#[tokio::test]
async fn a_result_that_is_not_there_yet_is_no_failure() {
    let place = Place::new().await;
    let agent = place.agent();
    let made = word(
        &agent,
        "tasks/create",
        create(script(json!([{"sleep": "s", "ms": 3_600_000}]))),
    )
    .await;
    let id = text(&made);
    let early = word(&agent, "tasks/getResult", json!({"taskId": id})).await;
    assert_eq!(early["isError"], false);
    assert_eq!(early["structuredContent"]["ready"], false);
    // Whoever cancels blindly gets the same shape each time.
    for _ in 0..2 {
        let cancelled = word(&agent, "tasks/cancel", json!({"taskId": id})).await;
        assert_eq!(cancelled["isError"], false);
        assert_eq!(cancelled["structuredContent"]["cancelled"], true);
    }
    let over = word(
        &agent,
        "tasks/getResult",
        json!({"taskId": id, "waitMs": 10_000}),
    )
    .await;
    assert_eq!(over["isError"], true);
    assert_eq!(over["structuredContent"]["status"], "cancelled");
    assert!(over["structuredContent"]["how"].is_string(), "{over}");
}

#[tokio::test]
async fn a_failure_says_its_kind() {
    let place = Place::new().await;
    let agent = place.agent();
    let made = word(
        &agent,
        "tasks/create",
        create(script(json!([{"trap": true}]))),
    )
    .await;
    let failed = json!({"taskId": text(&made), "waitMs": 10_000});
    let failed = word(&agent, "tasks/getResult", failed).await;
    assert_eq!(failed["isError"], true);
    assert_eq!(failed["structuredContent"]["status"], "failed");
    assert_eq!(failed["structuredContent"]["kind"], "trap");
}

#[tokio::test]
async fn a_call_within_a_call_is_the_call() {
    let place = Place::new().await;
    let agent = place.agent();
    let inner = json!({"name": "greet", "arguments": {"name": "Ada"}});
    assert_eq!(
        text(&word(&agent, "tools/call", inner.clone()).await),
        "Hello, Ada!"
    );
    let modern = agent.call("tools/call", inner).await.unwrap();
    assert_eq!(text(&modern), "Hello, Ada!");
    // But no word of the protocol.
    for name in ["tools/call", "tasks/create"] {
        let call = json!({"name": "tools/call", "arguments": {"name": name}});
        assert_eq!(
            agent.legacy("tools/call", call).await.unwrap_err().code(),
            -32_602
        );
        let task = json!({"method": "tools/call", "params": {"name": name}});
        assert_eq!(
            agent.legacy("tasks/create", task).await.unwrap_err().code(),
            -32_602
        );
    }
}

#[tokio::test]
async fn a_checkpoint_is_saved_and_restored_to() {
    let place = Place::new().await;
    let agent = place.agent();
    let ops = script(json!([
        {"step": {"name": "a", "output": "1"}},
        {"sleep": "s", "ms": 3_600_000},
    ]));
    let made = agent.legacy("tasks/create", create(ops)).await.unwrap();
    let task = agent.key(&id_of(&made));
    place.house.until(&task, "waiting(timer)").await;
    let state = json!({"currentStep": 3, "processedRows": 15_000});
    let save = json!({"taskId": made, "state": state});
    let saved = agent.legacy("sessions/saveCheckpoint", save).await.unwrap();
    assert!(
        saved["checkpointId"].as_str().unwrap().starts_with("cp-"),
        "{saved}"
    );
    let restore = json!({"taskId": made["taskId"], "checkpointId": saved});
    let restored = agent
        .legacy("sessions/restoreCheckpoint", restore)
        .await
        .unwrap();
    assert_eq!(restored["state"], state);
    assert_eq!(restored["skippedSteps"], 1);
    assert_eq!(restored["resumed"], true);
}

#[tokio::test]
async fn a_task_may_have_a_name_of_its_owner_s() {
    let place = Place::new().await;
    let agent = place.agent_of(somebody("acme", "alice", Role::Caller));
    let bob = place.agent_of(somebody("acme", "bob", Role::Caller));
    let named = |arguments| with(create(arguments), json!({"taskId": "nightly"}));
    let made = agent
        .legacy("tasks/create", named(script(json!([]))))
        .await
        .unwrap();
    // Not the task's own id, which nobody can guess.
    assert_ne!(made["taskId"], "nightly");
    let wait = json!({"taskId": "nightly", "waitMs": 10_000});
    assert_eq!(
        agent.legacy("tasks/getResult", wait).await.unwrap()["isError"],
        false
    );
    let again = agent
        .legacy("tasks/create", named(script(json!([{"print": "x"}]))))
        .await;
    assert_eq!(again.unwrap_err().data.unwrap()["kind"], "name-taken");
    // It is the owner's: somebody else's is another.
    let status = json!({"taskId": "nightly"});
    assert_eq!(
        bob.legacy("tasks/getStatus", status)
            .await
            .unwrap_err()
            .code(),
        -32_602
    );
    bob.legacy("tasks/create", named(script(json!([]))))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_session_needs_no_task() {
    let place = Place::new().await;
    let agent = place.agent_of(somebody("acme", "alice", Role::Caller));
    let state = json!({"currentStep": 2, "resolvedIssues": ["issue-1", "issue-2"]});
    let mut saved = Vec::new();
    for step in 0..12 {
        let state = with(state.clone(), json!({"currentStep": step}));
        let save = json!({"taskId": "support-task-123", "state": state});
        saved.push(word(&agent, "sessions/saveCheckpoint", save).await);
    }
    assert!(text(&saved[0]).starts_with("cp-"));
    let restore = async |agent: &Agent, checkpoint: &Value| {
        let restore = json!({"taskId": "support-task-123", "checkpointId": checkpoint});
        agent.legacy("sessions/restoreCheckpoint", restore).await
    };
    let restored = restore(&agent, &saved[11]).await.unwrap();
    assert_eq!(restored["state"]["currentStep"], 11);
    assert_eq!(
        (&restored["resumed"], &restored["skippedSteps"]),
        (&json!(false), &json!(0))
    );
    assert!(restored["reason"].is_string());
    // The newest ten are kept, and they are nobody else's.
    assert!(restore(&agent, &saved[2]).await.is_ok());
    assert_eq!(
        restore(&agent, &saved[1]).await.unwrap_err().code(),
        -32_602
    );
    let bob = place.agent_of(somebody("acme", "bob", Role::Caller));
    assert_eq!(restore(&bob, &saved[11]).await.unwrap_err().code(), -32_602);
}

#[tokio::test]
async fn what_is_done_at_once_becomes_a_task_that_has_completed() {
    let place = Place::new().await;
    let agent = place.agent();
    let greet = json!({"name": "greet", "arguments": {"name": "Ada"}});
    let call = json!({"method": "tools/call", "params": greet});
    let made = agent.legacy("tasks/create", call.clone()).await.unwrap();
    assert_eq!(made["status"], "completed");
    let result = agent
        .legacy("tasks/getResult", json!({"taskId": made}))
        .await
        .unwrap();
    assert_eq!(text(&result), "Hello, Ada!");
    // It takes no key, as the call itself takes none.
    let keyed = with(call, json!({"key": "k"}));
    let error = agent.legacy("tasks/create", keyed).await.unwrap_err();
    assert_eq!(error.data.unwrap()["kind"], "nothing-kept");
    // What fails at once is told at once.
    let fails = json!({"method": "tools/call", "params": {"name": "test_error_handling"}});
    let error = agent.legacy("tasks/create", fails).await.unwrap_err();
    assert!(error.message.contains("intentionally"), "{}", error.message);
    let list = json!({"method": "tools/list"});
    for made in [
        agent.legacy("tasks/create", list.clone()).await.unwrap(),
        agent.modern("tasks/create", list).await.unwrap(),
    ] {
        let task = agent
            .modern("tasks/get", json!({"taskId": made["taskId"]}))
            .await
            .unwrap();
        assert_eq!(task["status"], "completed");
        assert_eq!(task["result"]["resultType"], "complete");
        assert!(task["result"]["tools"].is_array());
        // As a tool it is the result of a tool.
        let result = word(&agent, "tasks/getResult", json!({"taskId": made})).await;
        assert!(result["content"].is_array() && result["structuredContent"]["tools"].is_array());
    }
    // What is wrong with the request is told, and no task is made of it.
    let wrong = json!({"method": "tasks/get", "params": {"taskId": "x"}});
    assert_eq!(
        agent
            .legacy("tasks/create", wrong)
            .await
            .unwrap_err()
            .code(),
        -32_602
    );
}

#[tokio::test]
async fn hosts_without_tasks_have_tools_for_them() {
    let settings = stepwell::config::Mcp {
        task_tools: true,
        ..stepwell::config::Mcp::default()
    };
    let place = Place::with(settings).await;
    let agent = place.agent();
    let list = agent.legacy("tools/list", json!({})).await.unwrap();
    let names: Vec<_> = list["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert!(names.contains(&&json!("task_start")) && names.contains(&&json!("task_cancel")));
    let start = json!({"tool": "script", "arguments": script(json!([{"print": "x"}]))});
    let started = word(&agent, "task_start", start).await;
    let id = text(&started);
    let result = word(
        &agent,
        "task_result",
        json!({"task": id, "wait_ms": 10_000}),
    )
    .await;
    assert_eq!(result["isError"], false);
    assert_eq!(
        text(&word(&agent, "task_status", json!({"task": id})).await),
        "completed"
    );
    let cancelled = word(&agent, "task_cancel", json!({"task": id})).await;
    assert_eq!(cancelled["structuredContent"]["cancelled"], false);
    // Where they are not wanted they are not there.
    let without = Place::new().await;
    let call = json!({"name": "task_status", "arguments": {"task": id}});
    let error = without
        .agent()
        .legacy("tools/call", call)
        .await
        .unwrap_err();
    assert!(
        error.message.starts_with("params.name"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn state_is_saved_beside_a_task_that_has_ended() {
    let place = Place::new().await;
    let agent = place.agent();
    let made = agent
        .legacy("tasks/create", create(script(json!([]))))
        .await
        .unwrap();
    agent.end(&id_of(&made)).await;
    let save = json!({"taskId": made, "state": {"read": true}});
    let saved = agent.legacy("sessions/saveCheckpoint", save).await.unwrap();
    let restore = json!({"taskId": made, "checkpointId": saved});
    let restored = agent
        .legacy("sessions/restoreCheckpoint", restore.clone())
        .await
        .unwrap();
    assert_eq!(restored["state"], json!({"read": true}));
    assert_eq!(restored["resumed"], false);
    let fork = with(restore, json!({"fork": true}));
    assert_eq!(
        agent
            .legacy("sessions/restoreCheckpoint", fork)
            .await
            .unwrap_err()
            .code(),
        -32_602
    );
}

#[tokio::test]
async fn a_task_that_is_being_cancelled_does_not_go_back_to_pending() {
    let place = Place::new().await;
    let agent = place.agent();
    let ops = script(json!([
        {"step": {"name": "a", "output": "1"}},
        {"sleep": "s", "ms": 3_600_000},
    ]));
    let made = agent.legacy("tasks/create", create(ops)).await.unwrap();
    place
        .house
        .until(&agent.key(&id_of(&made)), "waiting(timer)")
        .await;
    let cancelled = word(&agent, "tasks/cancel", json!({"taskId": made})).await;
    assert_ne!(cancelled["structuredContent"]["status"], "pending");
}
