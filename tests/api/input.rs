//! What is wrong with a request is said, with the status that fits, and changes nothing.

use serde_json::json;

use crate::served::Served;

#[test]
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn wrong_input_is_refused_with_what_is_wrong() {
    let served = Served::new();
    let client = &served.client;
    let task = client.asks();
    let json = [("Content-Type", "application/json")];
    let check = |line: &str, body: &str, status: u16, code: &str, says: &str| {
        let line = line.replace("TASK", &format!("/api/v1/tasks/{task}"));
        let answer = client.send(&line, &json, body);
        assert_eq!(
            answer.refusal(),
            (status, code.to_owned()),
            "{line} {body}: {answer:?}"
        );
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(says), "{line} {body}: {message}");
    };
    let bad = |line: &str, body: &str, says: &str| check(line, body, 400, "invalid-request", says);
    bad("POST TASK/cancel", "{", "the body is not JSON");
    bad(
        "POST TASK/cancel",
        r#"{"mode":"hard"}"#,
        "mode: unknown variant",
    );
    bad(
        "POST TASK/cancel",
        r#"{"grace":-1}"#,
        "grace: invalid value",
    );
    bad(
        "POST TASK/cancel",
        r#"{"reason":"x"}"#,
        "unknown field `reason`",
    );
    bad("POST TASK/pause", r#"{"now":true}"#, "unknown field `now`");
    bad("POST TASK/answer", "{}", "missing field `question`");
    bad(
        "POST TASK/answer",
        r#"{"question":"sure"}"#,
        "one of `accept`",
    );
    let both = r#"{"question":"sure","accept":{},"decline":true}"#;
    bad("POST TASK/answer", both, "one of `accept`");
    bad("POST TASK/checkpoints", "{}", "missing field `state`");
    bad(
        "POST TASK/restore",
        r#"{"checkpoint":"17"}"#,
        "`17` is not a checkpoint id",
    );
    bad(
        "POST TASK/fork",
        r#"{"limits":{"fule":1}}"#,
        "unknown variant `fule`",
    );
    bad("GET TASK/checkpoints/17", "", "not a checkpoint id");
    bad("GET TASK/events?after=x", "", "after");
    bad(
        "GET /api/v1/tasks?stats=paused",
        "",
        "unknown field `stats`",
    );
    bad(
        "GET /api/v1/tasks?status=asleep",
        "",
        "unknown variant `asleep`",
    );
    bad("GET /api/v1/tasks?cursor=1", "", "not a cursor");
    bad("GET /api/v1/tasks?limit=0", "", "at least 1");
    let no_question = r#"{"question":"q","decline":true}"#;
    check("POST TASK/answer", no_question, 404, "no-question", "`q`");
    let nowhere = r#"{"checkpoint":"cp-999"}"#;
    check("POST TASK/restore", nowhere, 404, "no-checkpoint", "cp-999");
    check(
        "GET TASK/checkpoints/cp-999",
        "",
        404,
        "no-checkpoint",
        "cp-999",
    );
    check("POST TASK/fork", "{}", 409, "cannot-fork", "paused");
    check("POST TASK/resume", "", 409, "not-now", "");
    check("GET TASK/nothing", "", 404, "unknown-route", "docs/api.md");
    check("DELETE TASK", "", 405, "unknown-method", "Allow");
    check(
        "GET /api/v1/tasks/x",
        "",
        404,
        "unknown-task",
        "there is no task x",
    );
    let unknown = "GET /api/v1/tasks/00000000-0000-4000-8000-000000000000/result";
    check(unknown, "", 404, "unknown-task", "there is no task");
    let large = json!({"state": "x".repeat(80_000)}).to_string();
    check("POST TASK/checkpoints", &large, 413, "too-large", "");
    let paused = client.post(&format!("/tasks/{task}/pause"), &json!({}));
    assert_eq!(paused.status, 200);
    check(
        "POST TASK/fork",
        r#"{"limits":{"fuel":1}}"#,
        422,
        "limit",
        "fuel must be between",
    );
    let still = client.get(&format!("/tasks/{task}")).json();
    assert_eq!(
        (&still["status"], &still["checkpoints"]),
        (&json!("paused"), &json!(0))
    );
    served.end();
}

#[test]
fn what_comes_from_elsewhere_is_refused() {
    let served = Served::new();
    let send = |headers: &[(&str, &str)], body: &str| {
        let line = match body {
            "" => "GET /api/v1/tasks".to_owned(),
            _ => "POST /api/v1/tasks/x/cancel".to_owned(),
        };
        served.client.send(&line, headers, body).status
    };
    assert_eq!(send(&[], ""), 200);
    assert_eq!(send(&[("Host", "evil.example")], ""), 403);
    assert_eq!(send(&[("Origin", "http://evil.example")], ""), 403);
    assert_eq!(send(&[("Origin", "http://localhost:3000")], ""), 200);
    assert_eq!(send(&[("Content-Type", "text/plain")], "{}"), 415);
    assert_eq!(send(&[("Content-Type", "application/json")], "{}"), 404);
    let last = [("Accept", "text/event-stream"), ("Last-Event-ID", "x")];
    let task = served.client.asks();
    let line = format!("GET /api/v1/tasks/{task}/events");
    let answer = served.client.send(&line, &last, "");
    assert_eq!(answer.refusal(), (400, "invalid-request".into()));
    served.end();
}
