//! Who may do what to whose task: every method, for every kind of caller.

use serde_json::{Value, json};
use stepwell::identity::{Act, Role};
use stepwell::mcp::Error;

use crate::agent::{Agent, Place, everything, id_of, meta, script, somebody, with};

/// What a caller is told of somebody's task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// It is done.
    Done,
    /// There is no such task.
    Unknown,
    /// Such callers do not do this at all.
    Forbidden,
}

fn told(answer: &Result<Value, Error>) -> Told {
    match answer {
        Ok(_) => Told::Done,
        Err(error) if error.message.starts_with("there is no task") => Told::Unknown,
        Err(error) if error.data == Some(json!({"kind": "forbidden"})) => Told::Forbidden,
        Err(error) => panic!("{error:?}"),
    }
}

/// Every method that names a task: whether it is of the modern era, and what it does to one.
const METHODS: [(&str, bool, Act); 11] = [
    ("tasks/get", true, Act::See),
    ("tasks/update", true, Act::Answer),
    ("tasks/get", false, Act::See),
    ("tasks/result", false, Act::See),
    ("tasks/getStatus", true, Act::See),
    ("tasks/getResult", false, Act::See),
    ("sessions/saveCheckpoint", true, Act::Change),
    ("sessions/saveCheckpoint", false, Act::Change),
    ("sessions/restoreCheckpoint", false, Act::Change),
    ("tasks/cancel", false, Act::Cancel),
    ("tasks/cancel", true, Act::Cancel),
];

async fn ask(agent: &Agent, method: &str, is_modern: bool, id: &str) -> Result<Value, Error> {
    let params = json!({"taskId": id, "state": {}, "checkpointId": "cp-0"});
    let params = match is_modern {
        true => with(params, json!({"_meta": meta(&everything())})),
        false => params,
    };
    agent.ask(method, params).answer().await
}

#[tokio::test]
async fn a_task_is_there_only_for_who_may_reach_it() {
    let place = Place::new().await;
    let owner = place.agent_of(somebody("acme", "alice", Role::Caller));
    let others = [
        ("another caller", somebody("acme", "bob", Role::Caller)),
        ("another tenant", somebody("other", "alice", Role::Caller)),
        (
            "its administrator",
            somebody("other", "root", Role::Administrator),
        ),
        ("a reader", somebody("acme", "carol", Role::Reader)),
        (
            "the administrator",
            somebody("acme", "root", Role::Administrator),
        ),
        ("the owner", somebody("acme", "alice", Role::Caller)),
    ];
    for (method, is_modern, act) in METHODS {
        for (who, caller) in &others {
            let expected = match *who {
                "another caller" | "another tenant" | "its administrator" => Told::Unknown,
                "a reader" if act != Act::See => Told::Forbidden,
                "the administrator" if act == Act::Answer => Told::Forbidden,
                _ => Told::Done,
            };
            let task = owner
                .call("slow_compute", json!({"seconds": 0, "label": "x"}))
                .await;
            let id = id_of(&task.unwrap());
            if method == "sessions/restoreCheckpoint" {
                // What it returns of a task that has ended is the same whatever it finds.
                owner.end(&id).await;
            }
            let agent = place.agent_of(caller.clone());
            let answer = ask(&agent, method, is_modern, &id).await;
            if method == "sessions/saveCheckpoint" && expected == Told::Unknown {
                // For them it is a name that no task has: they keep state of their own under it,
                // and the task has nothing of it.
                assert_eq!(told(&answer), Told::Done, "{who}: {method}");
                let key = owner.key(&id);
                let kept = place.runtime().checkpoints(&key).await.unwrap();
                assert!(kept.is_empty(), "{who}: {kept:?}");
                continue;
            }
            assert_eq!(
                told(&answer),
                expected,
                "{who}: {method}, modern: {is_modern}"
            );
        }
    }
}

#[tokio::test]
async fn a_list_has_what_its_caller_may_see() {
    let place = Place::new().await;
    let alice = place.agent_of(somebody("acme", "alice", Role::Caller));
    let bob = place.agent_of(somebody("acme", "bob", Role::Caller));
    for agent in [&alice, &bob] {
        let call = json!({"name": "script", "arguments": script(json!([])), "task": {}});
        agent.legacy("tools/call", call).await.unwrap();
    }
    let count = async |tenant: &str, subject: &str, role| {
        let agent = place.agent_of(somebody(tenant, subject, role));
        let list = agent.legacy("tasks/list", json!({})).await.unwrap();
        list["tasks"].as_array().unwrap().len()
    };
    assert_eq!(count("acme", "alice", Role::Caller).await, 1);
    assert_eq!(count("acme", "carol", Role::Caller).await, 0);
    assert_eq!(count("acme", "carol", Role::Reader).await, 2);
    assert_eq!(count("acme", "root", Role::Administrator).await, 2);
    assert_eq!(count("other", "root", Role::Administrator).await, 0);
}

#[tokio::test]
async fn a_reader_starts_nothing() {
    let place = Place::new().await;
    let reader = place.agent_of(somebody("acme", "carol", Role::Reader));
    let arguments = json!({"name": "x"});
    assert_eq!(
        told(&reader.call("greet", arguments).await),
        Told::Forbidden
    );
    assert_eq!(
        told(&reader.call("script", script(json!([]))).await),
        Told::Forbidden
    );
    let create = json!({"method": "tools/call", "params": {"name": "script"}});
    assert_eq!(
        told(&reader.legacy("tasks/create", create).await),
        Told::Forbidden
    );
}

#[tokio::test]
async fn a_state_is_good_only_for_whom_it_was_given_to() {
    let place = Place::new().await;
    let alice = place.agent_of(somebody("acme", "alice", Role::Caller));
    let schema = json!({"type": "object", "properties": {}});
    let asks = script(json!([{"ask": [
        {"name": "q", "message": "?", "schema": schema.to_string()},
    ]}]));
    let call = json!({"name": "script", "arguments": asks});
    let asked = alice.modern("tools/call", call.clone()).await.unwrap();
    let retry = with(
        call,
        json!({
            "requestState": asked["requestState"],
            "inputResponses": {"q": {"action": "decline"}},
        }),
    );
    let bob = place.agent_of(somebody("acme", "bob", Role::Administrator));
    assert_eq!(
        bob.modern("tools/call", retry.clone())
            .await
            .unwrap_err()
            .code(),
        -32_602
    );
    assert!(alice.modern("tools/call", retry).await.is_ok());
}
