//! The commands, where a server has the tasks: they find it by themselves, and show the same.

use rustix::process::Signal;
use serde_json::json;

use crate::served::Served;

#[test]
fn what_is_shown_is_the_same_wherever_the_tasks_are() {
    let served = Served::new();
    let task = served
        .client
        .script(&json!([{"step": {"name": "a"}}, {"log": "x"}]));
    served.client.until(&task, "completed");
    let saved = served.client.asks();
    served
        .client
        .post(&format!("/tasks/{saved}/checkpoints"), &json!({"state": 1}));
    served.client.post(
        &format!("/tasks/{saved}/cancel"),
        &json!({"mode": "immediate"}),
    );
    let short = &task[..8];
    let commands: [&[&str]; 11] = [
        &["tasks", "list"],
        &["tasks", "list", "--json"],
        &["tasks", "list", "--status", "cancelled", "--tool", "script"],
        &["tasks", "show", short],
        &["tasks", "show", short, "--json"],
        &["tasks", "show", &saved],
        &["tasks", "events", short],
        &["tasks", "events", short, "--json", "--after", "1"],
        &["tasks", "checkpoints", &saved],
        &["tasks", "export", &saved],
        &["audit", "export"],
    ];
    let url = served.url();
    let by_socket = commands.map(|words| served.house.ran(words));
    let by_port = commands.map(|words| {
        served
            .house
            .ran(&[words, &["--server", &url, "--data-dir", "none"]].concat())
    });
    let wrong = ["tasks", "show", "cp-9", "--server", &url];
    assert_eq!(served.house.ran(&wrong).code, 2);
    let (house, _) = served.end();
    let here = commands.map(|words| house.ran(words));
    for (words, (here, others)) in commands
        .iter()
        .zip(here.iter().zip(by_socket.iter().zip(&by_port)))
    {
        assert_eq!(here.code, 0, "{words:?}: {here:?}");
        assert!(!here.out.is_empty(), "{words:?}");
        // Over the network nobody sees what is of no tenant: how the server was configured.
        let is_tenant_s = |line: &&str| !line.contains("\"act\":\"administered\"");
        let shown = |out: &str| {
            out.lines()
                .filter(is_tenant_s)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        for other in [others.0, others.1] {
            assert_eq!(
                (other.code, shown(&other.out)),
                (0, shown(&here.out)),
                "{words:?}: {other:?}"
            );
        }
    }
}

#[test]
fn a_task_is_followed_answered_and_cancelled_where_it_is() {
    let served = Served::new();
    let house = &served.house;
    let task = served.client.asks();
    let paused = house.json(&["tasks", "pause", &task]);
    assert_eq!(paused["status"], "paused");
    let fork = house.json(&["tasks", "fork", &task, "--fuel", "5G"]);
    assert_eq!(fork["limits"]["fuel"], 5_000_000_000_u64);
    let left = house.ran(&["tasks", "resume", &task]);
    assert_eq!(left.code, 5, "it asks, and nobody is there: {left:?}");
    assert!(left.err.contains("nobody is here to ask"), "{left:?}");

    let mut watch = house.start(&["tasks", "watch", &task, "--all", "--json"]);
    watch.until("asks: Sure?");
    watch.signal(Signal::INT);
    let watched = watch.end();
    assert_eq!(watched.code, 130, "{watched:?}");
    assert!(watched.err.contains("the task goes on"), "{watched:?}");
    assert_eq!(
        served.client.until(&task, "waiting_input")["stop"],
        json!(null)
    );

    let watch = house.start(&["tasks", "watch", &task, "--json"]);
    let answer = [
        "tasks", "answer", &task, "sure", "--accept", "{}", "--quiet",
    ];
    assert_eq!(house.ran(&answer).code, 0);
    let watched = watch.end();
    assert_eq!(
        (watched.code, &watched.json()["status"]),
        (0, &json!("completed"))
    );

    let task = served.client.asks();
    let cancelled = house.json(&["tasks", "cancel", &task, "--why", "enough"]);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["stop"]["cancel"]["why"], "enough");
    let again = house.ran(&["tasks", "cancel", &task]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(
        again
            .err
            .contains("error: the task has ended: it is cancelled"),
        "{again:?}"
    );
    let unknown = house.ran(&["tasks", "show", "00000000-0000-4000-8000-000000000000"]);
    assert!(
        unknown.err.contains("hint: `stepwell tasks list`"),
        "{unknown:?}"
    );
    served.end();
}

#[test]
fn a_watch_outlives_its_server() {
    let served = Served::new();
    let task = served.client.asks();
    let mut watch = served
        .house
        .start(&["tasks", "watch", &task, "--all", "--json"]);
    watch.until("asks: Sure?");
    let served = Served::start(served.crash());
    let answer = json!({"question": "sure", "accept": {}});
    served
        .client
        .post(&format!("/tasks/{task}/answer"), &answer);
    let watched = watch.end();
    assert_eq!(watched.code, 0, "{watched:?}");
    assert_eq!(watched.json()["status"], "completed");
    served.end();
}

#[test]
fn a_server_that_can_not_be_asked_is_told() {
    let (served, [key, reader]) = Served::with_keys([
        ("acme", "alice", "caller", ""),
        ("acme", "carol", "reader", ""),
    ]);
    let url = served.url();
    let task = served.client.with(&key).asks();
    let check = |words: &[&str], code: i32, says: &str| {
        let ran = served.house.ran(words);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        assert!((ran.err + &ran.out).contains(says), "{words:?}");
    };
    let list = ["tasks", "list", "--server"];
    let with = |more: &[&'static str]| [&list[..], more].concat();
    check(
        &with(&["https://127.0.0.1:1"]),
        2,
        "https is not spoken here",
    );
    check(&with(&["127.0.0.1:1"]), 2, "http://");
    check(&with(&["http://127.0.0.1:1"]), 4, "can't be asked");
    check(
        &[&list[..], &[&url]].concat(),
        2,
        "hint: --key or STEPWELL_KEY",
    );
    check(&[&list[..], &[&url, "--key", &key]].concat(), 0, "script");
    let pause = ["tasks", "pause", &task, "--server", &url, "--key", &reader];
    check(&pause, 2, "the role `reader` may not do this");
    let audit = ["audit", "tail", "--server", &url, "--key", &key];
    check(&audit, 2, "the role `caller` may not do this");
    let mut command = served.house.command(&["tasks", "list", "--json"]);
    command
        .env("STEPWELL_SERVER", &url)
        .env("STEPWELL_KEY", &key);
    let ran = crate::house::Ran::of(&mut command);
    assert_eq!(ran.json()["task"], json!(task));
    served.end();
}
