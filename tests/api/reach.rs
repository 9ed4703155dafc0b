//! Who may do what to whose task, by every route; and what of that is in the audit.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::served::Served;

/// Every route that names a task: what it is asked with, and what it does.
const ROUTES: [(&str, &str, &str); 13] = [
    ("GET", "", "see"),
    ("GET", "/events", "see"),
    ("GET", "/result", "see"),
    ("GET", "/checkpoints", "see"),
    ("GET", "/checkpoints/cp-1", "see"),
    ("POST", "/answer", "answer"),
    ("POST", "/checkpoints", "change"),
    ("POST", "/pause", "change"),
    ("POST", "/resume", "change"),
    ("POST", "/restore", "change"),
    ("POST", "/fork", "change"),
    ("POST", "/cancel", "cancel"),
    ("SSE", "/events", "see"),
];

fn ask(client: &Client, (method, rest, _): (&str, &str, &str), task: &str) -> Answer {
    let body = match rest {
        "/answer" => json!({"question": "none", "decline": true}),
        "/checkpoints" => json!({"state": {}}),
        "/restore" => json!({"checkpoint": "cp-999"}),
        _ => json!({}),
    };
    match method {
        "POST" => client.post(&format!("/tasks/{task}{rest}"), &body),
        "SSE" => {
            let line = format!("GET /api/v1/tasks/{task}{rest}?after=1000000");
            client.send(&line, &[("Accept", "text/event-stream")], "")
        }
        _ => client.get(&format!("/tasks/{task}{rest}")),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn a_task_is_there_only_for_who_may_reach_it() {
    let who = [
        ("acme", "alice", "caller", ""),
        ("acme", "bob", "caller", ""),
        ("acme", "carol", "reader", ""),
        ("acme", "root", "administrator", ""),
        ("other", "alice", "administrator", ""),
        ("acme", "gone", "caller", "revoked = true"),
        ("acme", "late", "caller", "expires = 2020-01-01T00:00:00Z"),
    ];
    let (served, keys) = Served::with_keys(who);
    let [alice, bob, carol, root, other, gone, late] = keys.map(|key| served.client.with(&key));
    let ended = alice.script(&json!([]));
    alice.until(&ended, "completed");
    let task = alice.asks();
    for route in ROUTES {
        // A stream of a task that goes on has no end.
        let task = if route.0 == "SSE" { &ended } else { &task };
        let status = |client: &Client| ask(client, route, task);
        for (name, client) in [("bob", &bob), ("another tenant", &other)] {
            let answer = status(client);
            assert_eq!(
                answer.refusal(),
                (404, "unknown-task".into()),
                "{name} {route:?}"
            );
        }
        for stranger in [&served.client, &gone, &late] {
            let answer = status(stranger);
            assert_eq!(
                answer.refusal(),
                (401, "unauthenticated".into()),
                "{route:?}"
            );
            assert!(
                answer.head.contains("www-authenticate: bearer"),
                "{answer:?}"
            );
        }
        let forbidden = |answer: &Answer| answer.status == 403;
        let answer = status(&carol);
        assert_eq!(
            forbidden(&answer),
            route.2 != "see",
            "carol {route:?}: {answer:?}"
        );
        if route.2 == "answer" {
            let answer = status(&root);
            assert!(forbidden(&answer), "root {route:?}: {answer:?}");
        }
    }
    let untouched = alice.get(&format!("/tasks/{task}")).json();
    assert_eq!(untouched["status"], "waiting_input");
    assert_eq!(untouched["checkpoints"], 0);
    let count = |client: &Client| {
        client.get("/tasks").json()["tasks"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        [&alice, &bob, &carol, &root, &other].map(count),
        [2, 0, 2, 2, 0]
    );
    for route in ROUTES {
        let task = if route.0 == "SSE" { &ended } else { &task };
        let answer = ask(&alice, route, task);
        assert!(
            ![401, 403].contains(&answer.status),
            "alice {route:?}: {answer:?}"
        );
    }
    audited(&served, &root, &bob, &other);
    served.end();
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines = answer.body.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What was refused above is in the audit, and who may read it does.
fn audited(served: &Served, root: &Client, bob: &Client, other: &Client) {
    assert_eq!(bob.get("/audit").refusal(), (403, "forbidden".into()));
    let all = lines(&served.by_socket().get("/audit?limit=500"));
    let has = |lines: &[Value], code: &str, by: &str| {
        lines.iter().any(|line| {
            line["act"] == "refused" && line["code"] == code && line["by"].to_string().contains(by)
        })
    };
    assert!(has(&all, "forbidden", "carol"), "{all:?}");
    assert!(has(&all, "unknown-task", "bob"), "{all:?}");
    assert!(has(&all, "unauthenticated", "127.0.0.1"), "{all:?}");
    assert!(has(&all, "revoked-key", "with the key "), "{all:?}");
    assert!(has(&all, "expired-key", "with the key "), "{all:?}");
    let own = lines(&root.get("/audit?limit=500"));
    assert!(has(&own, "forbidden", "carol") && has(&own, "unknown-task", "bob"));
    assert!(own.iter().all(|line| line["tenant"] == "acme"), "{own:?}");
    let theirs = lines(&other.get("/audit?limit=500"));
    assert!(
        theirs.iter().all(|line| line["tenant"] == "other"),
        "{theirs:?}"
    );
}
