//! The process is killed, at the worst moments; after its next start every client gets its result,
//! and what was done is not done again.

use serde_json::{Value, json};

use crate::agent::Request;
use crate::house::{House, gate, gated, step};
use crate::wire::Wire;

const RELATED: &str = "io.modelcontextprotocol/related-task";

#[test]
fn between_the_create_and_the_first_get() {
    let house = House::with(
        &[
            crate::house::GUEST,
            "[components.tools.script]\npolicy = \"always\"\n",
        ]
        .concat(),
    );
    let server = house.serve();
    let agent = server.agent();
    let arguments = json!({"ops": [step("a"), step("b")], "returns": "outputs"});
    let call = json!({"name": "script", "arguments": arguments});
    let created = agent.modern("tools/call", call).unwrap();
    server.kill();
    assert_eq!(created["resultType"], "task", "{created}");

    let server = house.serve();
    let id = created["taskId"].as_str().unwrap();
    let task = agent.at(server.address).completed(id);
    assert_eq!(task["result"]["isError"], json!(false), "{task}");
    assert_eq!(house.effects(), ["a", "b"]);
    server.end();
}

#[test]
fn while_a_client_polls() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let id = agent.task(&gated());
    let before = agent.at_the_gate(&id);
    assert_eq!(before["status"], "working");
    server.kill();
    assert_eq!(house.effects(), ["before"]);

    house.open_gate();
    let server = house.serve();
    let agent = agent.at(server.address);
    let after = agent.completed(&id);
    assert_eq!(after["createdAt"], before["createdAt"]);
    assert_eq!(house.effects(), ["before", "after"]);
    // By every other name as well.
    let plain = json!({"taskId": id});
    assert_eq!(
        agent.legacy("tasks/getStatus", &plain).unwrap()["status"],
        "completed"
    );
    server.end();
}

#[test]
fn while_somebody_waits_for_a_result() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent().shaken_hands();
    let id = agent.task(&gated());
    agent.at_the_gate(&id);
    let mut waiting = Wire::open(server.address);
    let result = Request::legacy("tasks/result", &json!({"taskId": id}));
    waiting.send(agent.bytes(&result));
    // The stream has begun: the server is at it.
    let mut waiting = waiting.incoming();
    assert_eq!(waiting.header("content-type"), Some("text/event-stream"));
    server.kill();
    assert_eq!(waiting.event(), None);

    let server = house.serve();
    // The session of before is as good as a new one.
    let agent = agent.at(server.address);
    let mut waiting = agent.begin(&result);
    house.open_gate();
    let answer = loop {
        let message = waiting.event().expect("an answer");
        if message.get("method").is_none() {
            break message;
        }
    };
    assert_eq!(answer["id"], 1);
    assert_eq!(answer["result"]["_meta"][RELATED]["taskId"], json!(id));
    assert_eq!(house.effects(), ["before", "after"]);
    server.end();
}

#[test]
fn while_a_call_with_a_key_is_at_work() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    // This client knows no tasks: it waits for the answer, and calls again where there is none.
    let call = call_with_key("k", &gated());
    let mut first = agent.begin(&call);
    let progress = first.event().expect("progress");
    assert_eq!(progress["params"]["message"], "at the gate", "{progress}");
    server.kill();
    assert_eq!(first.event(), None);

    house.open_gate();
    let server = house.serve();
    let agent = agent.at(server.address);
    let again = agent.send(&call).messages().pop().unwrap();
    assert_eq!(again["result"]["isError"], json!(false), "{again}");
    assert_eq!(house.effects(), ["before", "after"]);
    // A third time it is the same result, and nothing is done.
    let third = agent.send(&call).messages().pop().unwrap();
    assert_eq!(third["result"]["content"], again["result"]["content"]);
    assert_eq!(house.effects(), ["before", "after"]);
    // Another call by the key is refused.
    let other = agent.send(&call_with_key("k", &json!({"ops": gate()})));
    assert_eq!(other.error()["data"]["kind"], "key-reused", "{other:?}");
    server.end();
}

#[test]
fn what_waits_for_an_answer_waits_again() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let id = agent.task(&crate::house::asking("Who?"));
    let asked = agent.until(&id, |task| task["status"] == "input_required");
    server.kill();

    let server = house.serve();
    let agent = agent.at(server.address);
    let again = agent.until(&id, |task| task["status"] == "input_required");
    assert_eq!(again["inputRequests"], asked["inputRequests"]);
    let key = again["inputRequests"].as_object().unwrap().keys().next();
    let answer = json!({"action": "accept", "content": {"name": "Ann"}});
    let update = json!({"taskId": id, "inputResponses": {key.unwrap(): answer}});
    agent.modern("tasks/update", update).unwrap();
    let task = agent.completed(&id);
    assert!(task["result"].to_string().contains("Ann"), "{task}");
    server.end();
}

fn call_with_key(key: &str, arguments: &Value) -> Request {
    let params = json!({
        "name": "script",
        "arguments": arguments,
        "_meta": {"stepwell/idempotencyKey": key, "progressToken": "p"},
    });
    Request::modern(&json!({}), "tools/call", params)
}
