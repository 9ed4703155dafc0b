//! The process is asked to end: what can be said is said, what is open is told, and it ends well.

use rustix::process::Signal;
use serde_json::json;

use crate::agent::{Request, everything};
use crate::house::{House, asking, gated};
use crate::wire::{Wire, post};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

#[test]
fn subscriptions_get_their_last_answer() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let id = agent.task(&asking("Who?"));
    let notifications = json!({"toolsListChanged": true, "taskIds": [id]});
    let params = json!({"notifications": notifications});
    let listen = Request::modern(&everything(), "subscriptions/listen", params);
    let mut streams: Vec<_> = (0..20).map(|_| agent.begin(&listen)).collect();
    for stream in &mut streams {
        let first = stream.event().expect("an acknowledgement");
        let method = "notifications/subscriptions/acknowledged";
        assert_eq!(first["method"], method, "{first}");
    }
    server.process.signal(Signal::TERM);
    for stream in &mut streams {
        let last = loop {
            let message = stream.event().expect("its last answer");
            if message.get("method").is_none() {
                break message;
            }
        };
        assert_eq!(last["id"], "m", "{last}");
        assert_eq!(last["result"]["resultType"], "complete", "{last}");
        assert_eq!(last["result"]["_meta"][SUBSCRIPTION], "m", "{last}");
        assert_eq!(stream.event(), None);
    }
    let ended = server.process.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_call_whose_tool_ends_in_time_is_answered() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    // Nothing of it is journalled from here on: there is no boundary at which it could be left.
    let ops = json!({"ops": [
        {"progress": [1, 2, "at the gate"]},
        {"wait_file": "/world/gate", "ms": 60_000},
        {"print": "x"},
    ]});
    let params = json!({"name": "script", "arguments": ops, "_meta": {"progressToken": 1}});
    let mut modern = agent.begin(&Request::modern(&json!({}), "tools/call", params.clone()));
    let mut legacy = agent.begin(&Request::legacy("tools/call", &params));
    for stream in [&mut modern, &mut legacy] {
        let progress = stream.event().expect("progress");
        assert_eq!(progress["params"]["message"], "at the gate", "{progress}");
    }
    server.process.signal(Signal::TERM);
    house.open_gate();
    for stream in [&mut modern, &mut legacy] {
        let answer = stream.event().expect("an answer");
        assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    }
    let ended = server.process.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_call_that_is_left_is_told_so_and_goes_on_at_the_next_start() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let params = json!({"name": "script", "arguments": gated(), "_meta": {"progressToken": 1}});
    let mut call = agent.begin(&Request::legacy("tools/call", &params));
    let progress = call.event().expect("progress");
    assert_eq!(progress["params"]["message"], "at the gate", "{progress}");
    let id = agent.legacy("tasks/list", &json!({})).unwrap()["tasks"][0]["taskId"].clone();
    server.process.signal(Signal::TERM);
    // It is at its next boundary when it is asked to make room.
    house.open_gate();
    let answer = call.event().expect("an answer");
    assert_eq!(answer["error"]["data"]["kind"], "draining", "{answer}");
    let ended = server.process.ended();
    assert_eq!(ended.code, 0, "{ended:?}");

    let server = house.serve();
    server.agent().completed(id.as_str().unwrap());
    assert_eq!(house.effects(), ["before", "after"]);
    server.end();
}

#[test]
fn connections_on_which_nothing_is_asked_are_not_waited_for() {
    let house = House::new();
    let server = house.serve();
    let ping = post(&[], br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    let mut used = Wire::open(server.address);
    used.send(&ping);
    let (answer, mut used) = used.incoming().answer();
    assert_eq!(answer.status, 200);
    let mut unused = Wire::open(server.address);
    let address = server.address;
    server.end();
    assert!(used.is_closed());
    assert!(unused.is_closed());
    // Nobody listens any more.
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_second_request_ends_it_at_once() {
    // Two servers with guests that never come to a boundary, which are waited for. One is asked once
    // to end, then the other twice, and that is over first.
    let houses = [House::new(), House::new()];
    let [mut once, mut twice] = houses.each_ref().map(|house| {
        let server = house.serve();
        let agent = server.agent();
        let ops = [
            json!({"progress": [1, 2, "at the gate"]}),
            json!({"spin_forever": true}),
        ];
        let id = agent.task(&json!({"ops": ops}));
        agent.at_the_gate(&id);
        (server, id)
    });
    for (server, _) in [&mut once, &mut twice] {
        server.process.signal(Signal::TERM);
        // It has been heard when nobody listens any more: another one before would be the same.
        while std::net::TcpStream::connect(server.address).is_ok() {}
    }
    let ended = twice.0.process.signalled(Signal::TERM);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(once.0.process.is_alive());
    once.0.kill();
    let server = houses[1].serve();
    let task = server
        .agent()
        .modern("tasks/get", json!({"taskId": twice.1}));
    assert_eq!(task.unwrap()["status"], "working");
    server.kill();
}

#[test]
fn ctrl_c_ends_a_server_like_a_request_to_end() {
    let house = House::new();
    let server = house.serve();
    let ended = server.process.signalled(Signal::INT);
    assert_eq!(ended.code, 0, "{ended:?}");
}
