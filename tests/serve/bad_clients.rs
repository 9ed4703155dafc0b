//! Clients that are slow, that go away, or that never read: each costs a connection and no more, and
//! what it began is kept or given up by the rules of its era.

use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::agent::{Agent, Request, everything};
use crate::house::{GUEST, House, Server, asking, gated};
use crate::wire::{Wire, head, post};

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const LEGACY: (&str, &str) = ("MCP-Protocol-Version", "2025-11-25");

fn impatient() -> House {
    House::with(&["[http]\nheader_timeout = \"1s\"\n", GUEST].concat())
}

fn is_well(server: &Server) {
    let pong = server.agent().legacy("ping", &json!({}));
    assert_eq!(pong, Ok(json!({})));
}

#[test]
fn a_head_that_never_ends() {
    let house = impatient();
    let server = house.serve();
    // Nothing at all, the half of a line, and one more header from time to time.
    let silent = Wire::open(server.address);
    let mut half = Wire::open(server.address);
    half.send("POST /mc");
    let mut dripping = Wire::open(server.address);
    dripping.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\n");
    // It is the server that ends each of them, however long that takes here.
    loop {
        match dripping.try_send("X-A: b\r\n") {
            Ok(()) => std::thread::sleep(std::time::Duration::from_millis(50)),
            Err(error) => {
                let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(gone.contains(&error.kind()), "{error}");
                break;
            }
        }
    }
    assert!(is_over(silent));
    assert!(is_over(half));
    is_well(&server);
    server.end();
}

/// Whether the connection is closed, perhaps with a word on why.
fn is_over(wire: Wire) -> bool {
    match wire.try_incoming() {
        None => true,
        Some(incoming) => {
            assert_eq!(incoming.status, 408);
            incoming.answer().1.is_closed()
        }
    }
}

#[test]
fn a_body_that_never_comes() {
    let house = impatient();
    let server = house.serve();
    let mut wire = Wire::open(server.address);
    wire.send(head("POST", "/mcp", &[LEGACY, ("Content-Length", "100")]));
    wire.send("{");
    // The server does not wait for it as long as the client likes.
    let incoming = wire.try_incoming();
    assert!(incoming.is_none_or(|incoming| incoming.status == 408));
    is_well(&server);
    server.end();
}

#[test]
fn a_body_of_somebody_without_a_key_is_not_read() {
    let key = "[[keys]]\nid = \"a\"\ntenant = \"t\"\nsubject = \"s\"\n";
    let digest = "0".repeat(64);
    let house = House::with(&format!("{GUEST}{key}digest = \"sha256:{digest}\"\n"));
    let server = house.serve();
    let mut wire = Wire::open(server.address);
    // It is refused by its head: nothing of the body has been sent.
    wire.send(head(
        "POST",
        "/mcp",
        &[LEGACY, ("Content-Length", "1000000")],
    ));
    assert_eq!(wire.incoming().status, 401);
    server.end();
}

#[test]
fn heads_that_are_too_large() {
    let house = House::new();
    let server = house.serve();
    let many = (0..500).map(|n| format!("X-{n}: y\r\n"));
    let many = many.collect::<String>();
    let long = format!("X-Long: {}\r\n", "y".repeat(1 << 20));
    for more in [many, long] {
        let mut wire = Wire::open(server.address);
        let _ = wire.try_send(format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"
        ));
        // It may close while it is still sent to: then there is nothing to read.
        let status = wire.try_incoming().map(|incoming| incoming.status);
        assert!([None, Some(431), Some(400)].contains(&status), "{status:?}");
    }
    for nonsense in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /mcp HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "POST /mcp HTTP/9.9\r\n\r\n",
        "\r\n\r\n\0\0\0\0 \r\n\r\n",
    ] {
        let mut wire = Wire::open(server.address);
        wire.send(nonsense);
        wire.end();
        let status = wire.try_incoming().map(|incoming| incoming.status);
        assert!(
            [None, Some(400)].contains(&status),
            "{nonsense:?} {status:?}"
        );
    }
    is_well(&server);
    server.end();
}

#[test]
fn one_connection_for_many_requests() {
    let house = House::new();
    let server = house.serve();
    let request = |id: usize| {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        post(&[LEGACY], body.to_string().as_bytes())
    };
    let mut wire = Wire::open(server.address);
    for id in 0..50 {
        wire.send(request(id));
        let (answer, next) = wire.incoming().answer();
        assert_eq!(answer.messages()[0]["id"], json!(id));
        wire = next;
    }
    // All at once: answered in their order.
    let all: Vec<u8> = (0..50).flat_map(&request).collect();
    wire.send(all);
    for id in 0..50 {
        let (answer, next) = wire.incoming().answer();
        assert_eq!(answer.messages()[0]["id"], json!(id));
        wire = next;
    }
    // One that is wrong in what it says does not end the connection.
    wire.send(post(&[LEGACY], b"{"));
    let (answer, mut wire) = wire.incoming().answer();
    assert_eq!(answer.status, 400);
    wire.send(request(7));
    assert_eq!(wire.incoming().answer().0.status, 200);
    // A client that wants no more says so.
    let mut last = Wire::open(server.address);
    last.send(post(&[LEGACY, ("Connection", "close")], PING));
    let (answer, mut last) = last.incoming().answer();
    assert_eq!(answer.status, 200);
    assert!(last.is_closed());
    server.end();
}

#[test]
fn a_request_that_is_cut_off_is_none() {
    let house = House::new();
    let server = house.serve();
    let call = json!({"name": "script", "arguments": {"ops": []}, "task": {}});
    let whole = server.agent().bytes(&Request::legacy("tools/call", &call));
    // Each place is as good as another: the lines' ends, the head's end, the last byte.
    let places = (1..whole.len()).step_by(17).chain([whole.len() - 1]);
    for place in places {
        let mut wire = Wire::open(server.address);
        wire.send(&whole[..place]);
        drop(wire);
    }
    is_well(&server);
    let list = server.agent().legacy("tasks/list", &json!({}));
    assert_eq!(list.unwrap()["tasks"], json!([]));
    server.end();
}

/// The only task of the house, as the legacy era lists it.
fn only_task(agent: &Agent) -> Value {
    let list = agent.legacy("tasks/list", &json!({})).unwrap();
    assert_eq!(list["tasks"].as_array().map(Vec::len), Some(1), "{list}");
    list["tasks"][0].clone()
}

#[test]
fn a_client_that_leaves_the_stream_of_a_modern_call_cancels_it() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let params = json!({
        "name": "script",
        "arguments": gated(),
        "_meta": {"progressToken": 1},
    });
    let mut stream = agent.begin(&Request::modern(&json!({}), "tools/call", params));
    let progress = stream.event().expect("progress");
    assert_eq!(progress["params"]["message"], "at the gate", "{progress}");
    let id = only_task(&agent)["taskId"].clone();
    drop(stream);
    // Legacy says `cancelled` as soon as it is asked to stop: until then the guest is at the gate.
    while only_task(&agent)["status"] != "cancelled" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    house.open_gate();
    let id = id.as_str().unwrap();
    let task = agent.until_over(id);
    assert_eq!(task["status"], "cancelled", "{task}");
    assert_eq!(house.effects(), ["before"]);
    server.end();
}

#[test]
fn a_client_that_leaves_a_modern_call_before_its_answer_cancels_it() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let call = json!({"name": "script", "arguments": gated()});
    let mut wire = Wire::open(server.address);
    wire.send(agent.bytes(&Request::modern(&json!({}), "tools/call", call)));
    while house.effects().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(wire);
    while only_task(&agent)["status"] != "cancelled" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    house.open_gate();
    server.end();
}

#[test]
fn a_client_that_leaves_a_legacy_call_or_a_keyed_one_finds_it_again() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent().shaken_hands();
    let params = |key: &str| {
        json!({
            "name": "script",
            "arguments": gated(),
            "_meta": {"progressToken": 1, "stepwell/idempotencyKey": key},
        })
    };
    let mut plain = params("");
    plain["_meta"] = json!({"progressToken": 1});
    let requests = [
        Request::legacy("tools/call", &plain),
        Request::modern(&json!({}), "tools/call", params("k")),
    ];
    for request in &requests {
        let mut stream = agent.begin(request);
        let progress = stream.event().expect("progress");
        assert_eq!(progress["params"]["message"], "at the gate", "{progress}");
    }
    // The server has seen that they have gone when it has closed its side, too; a subscription tells
    // of whatever comes of it.
    house.open_gate();
    let list = agent.legacy("tasks/list", &json!({})).unwrap();
    let tasks = list["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        agent.completed(task["taskId"].as_str().unwrap());
    }
    let again = agent.send(&requests[1]).messages().pop().unwrap();
    assert_eq!(again["result"]["isError"], json!(false), "{again}");
    server.end();
}

#[test]
fn a_client_that_never_reads_its_stream_holds_up_nobody() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    // Its stream is told of many tasks with long questions; it reads nothing of it, not even the
    // head.
    let mut deaf = Vec::new();
    let ids: Vec<String> = (0..20)
        .map(|_| agent.task(&asking(&"long ".repeat(200))))
        .collect();
    for id in &ids {
        agent.until(id, |task| task["status"] == "input_required");
    }
    let notifications = json!({"taskIds": ids});
    let params = json!({"notifications": notifications});
    let listen = Request::modern(&everything(), "subscriptions/listen", params);
    let before = resident(&server);
    for _ in 0..200 {
        let mut wire = Wire::open(server.address);
        wire.send(agent.bytes(&listen));
        deaf.push(wire);
    }
    // All of it changes, again and again.
    for _ in 0..20 {
        for id in &ids {
            let saved = json!({"taskId": id, "state": {"a": 1}});
            let _ = agent.modern("sessions/saveCheckpoint", saved);
        }
    }
    is_well(&server);
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 256 << 20, "{} MiB more", grown >> 20);
    // Somebody who does read is told.
    let mut stream = agent.begin(&listen);
    assert!(stream.event().is_some());
    drop(deaf);
    server.end();
}

/// The bytes of memory that the server holds.
fn resident(server: &Server) -> u64 {
    let status = format!("/proc/{}/status", server.process.id());
    let status = std::fs::read_to_string(status).expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        << 10
}
