//! What is no request, over HTTP: it is refused in the protocol's own words, and costs nobody else
//! anything.

use serde_json::{Value, json};

use crate::agent::{Agent, Request, everything};
use crate::house::{GUEST, House};
use crate::wire::{Answer, Wire, head, post};

const LEGACY: (&str, &str) = ("MCP-Protocol-Version", "2025-11-25");

fn sent(agent: &Agent, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut wire = Wire::open(agent.address);
    wire.send(post(headers, body));
    wire.incoming().answer().0
}

/// What came: the status, the code of the error, and whether its words have all of these.
fn check(answer: &Answer, (status, code): (u16, i64), words: &[&str]) {
    let error = answer.error();
    assert_eq!(
        (answer.status, &error["code"]),
        (status, &json!(code)),
        "{answer:?}"
    );
    let message = error["message"].as_str().expect("words");
    for word in words {
        assert!(message.contains(word), "`{word}`: {answer:?}");
    }
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(!answer.body.contains('\n'), "{answer:?}");
}

#[test]
fn what_is_no_message() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_params =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{deep}}}}}"#);
    let cases: [(&[u8], i64, &[&str]); 17] = [
        (b"", -32_700, &["not JSON"]),
        (b"{", -32_700, &["not JSON", "line 1"]),
        (b"{}}", -32_700, &["not JSON"]),
        (b"\xff\xfe", -32_700, &["not JSON"]),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
            -32_700,
            &["not JSON"],
        ),
        (deep.as_bytes(), -32_700, &["recursion limit"]),
        (deep_params.as_bytes(), -32_700, &["recursion limit"]),
        (b"[]", -32_600, &["one JSON object", "batches"]),
        (
            br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32_600,
            &["batches"],
        ),
        (b"null", -32_600, &["one JSON object"]),
        (b"{}", -32_600, &["jsonrpc"]),
        (
            br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            -32_600,
            &["2.0"],
        ),
        (
            br#"{"jsonrpc":"2.0","id":1}"#,
            -32_600,
            &["method", "result"],
        ),
        (
            br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            -32_600,
            &["an id is"],
        ),
        (
            br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            -32_600,
            &["integer"],
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            -32_600,
            &["not a text"],
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            -32_602,
            &["params", "object"],
        ),
    ];
    for (body, code, words) in cases {
        check(&sent(&agent, &[LEGACY], body), (400, code), words);
    }
    server.end();
}

#[test]
fn an_answer_has_the_request_s_id_and_not_a_copy_of_its_body() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    for id in [
        json!(0),
        json!(-7),
        json!(u64::MAX),
        json!(""),
        json!("\u{1b}[2J\u{202e}"),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "no/such"});
        let answer = sent(&agent, &[LEGACY], body.to_string().as_bytes());
        check(&answer, (200, -32_601), &["no/such"]);
        assert_eq!(answer.messages()[0]["id"], id);
    }
    // What is wrong is named, and not sent back whole.
    let long = "x".repeat(1 << 20);
    for body in [
        json!({"jsonrpc": "2.0", "id": [long], "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": long}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": long}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": long}}),
    ] {
        let answer = sent(&agent, &[LEGACY], body.to_string().as_bytes());
        assert!(answer.body.len() < 1_000, "{} bytes", answer.body.len());
        answer.error();
    }
    server.end();
}

#[test]
fn wrong_parameters_are_named_by_their_path() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let legacy = |method: &str, params: Value, code: i64, words: &[&str]| {
        let answer = agent.send(&Request::legacy(method, &params));
        check(&answer, (200, code), words);
    };
    legacy("tools/call", json!({}), -32_602, &["params", "`name`"]);
    legacy("tools/call", json!({"name": 1}), -32_602, &["params.name"]);
    let arguments = json!({"name": "echo", "arguments": [1]});
    legacy("tools/call", arguments, -32_602, &["params.arguments"]);
    let ttl = json!({"name": "echo", "task": {"ttl": "soon"}});
    legacy("tools/call", ttl, -32_602, &["params.task.ttl"]);
    let key = json!({"name": "echo", "_meta": {"stepwell/idempotencyKey": 1}});
    legacy("tools/call", key, -32_602, &["idempotencyKey"]);
    legacy(
        "tools/call",
        json!({"name": "no_such"}),
        -32_602,
        &["no_such"],
    );
    legacy(
        "tools/list",
        json!({"cursor": "x"}),
        -32_602,
        &["params.cursor"],
    );
    legacy(
        "tasks/list",
        json!({"cursor": "x"}),
        -32_602,
        &["params.cursor"],
    );
    legacy("tasks/get", json!({}), -32_602, &["taskId"]);
    legacy(
        "tasks/get",
        json!({"taskId": "../../etc"}),
        -32_602,
        &["there is no task"],
    );
    let some = uuid::Uuid::new_v4().to_string();
    legacy(
        "tasks/result",
        json!({"taskId": some}),
        -32_602,
        &["there is no task"],
    );
    legacy("initialize", json!({}), -32_602, &["protocolVersion"]);
    legacy("resources/list", json!({}), -32_601, &["resources/list"]);
    let modern = |method: &str, params: Value, (status, code): (u16, i64), words: &[&str]| {
        let answer = agent.send(&Request::modern(&everything(), method, params));
        check(&answer, (status, code), words);
    };
    modern(
        "tasks/get",
        json!({"taskId": some}),
        (200, -32_602),
        &["there is no task"],
    );
    modern(
        "tasks/result",
        json!({"taskId": some}),
        (404, -32_601),
        &["tasks/result"],
    );
    modern("initialize", json!({}), (404, -32_601), &["initialize"]);
    let listen = json!({"notifications": {"taskIds": "x"}});
    modern(
        "subscriptions/listen",
        listen,
        (200, -32_602),
        &["notifications.taskIds"],
    );
    let update = json!({"taskId": some, "inputResponses": 1});
    modern(
        "tasks/update",
        update,
        (200, -32_602),
        &["params.inputResponses"],
    );
    // Arguments that do not fit are for the model to mend.
    let call = json!({"name": "script", "arguments": {"ops": 1}});
    let refused = agent.modern("tools/call", call).expect("a result");
    assert_eq!(refused["isError"], json!(true), "{refused}");
    server.end();
}

#[test]
fn headers_that_contradict_the_body() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let call = json!({"name": "echo", "arguments": {}});
    let good = Request::modern(&everything(), "tools/call", call);
    assert_eq!(agent.send(&good).status, 200);
    let mismatch = |name: &str, value: Option<&str>| {
        let answer = agent.send(&good.clone().header(name, value));
        check(&answer, (400, -32_020), &[name]);
    };
    mismatch("Mcp-Method", Some("tools/list"));
    mismatch("Mcp-Method", Some("TOOLS/CALL"));
    mismatch("Mcp-Method", None);
    mismatch("Mcp-Name", Some("another"));
    mismatch("Mcp-Name", Some("=?base64?ZWNobw?="));
    mismatch("Mcp-Name", None);
    mismatch("MCP-Protocol-Version", None);
    mismatch("MCP-Protocol-Version", Some("2025-11-25"));
    // Said twice, somebody on the way may have read the other one.
    for (name, value) in [("Mcp-Name", "echo"), ("Mcp-Method", "tools/list")] {
        let mut twice = good.clone();
        twice.headers.push((name.into(), value.into()));
        check(&agent.send(&twice), (400, -32_020), &[name]);
    }
    // By the body too, an unknown version is told as one.
    let mut unknown = good
        .clone()
        .header("MCP-Protocol-Version", Some("v999.0.0"));
    unknown.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("v999.0.0");
    let answer = agent.send(&unknown);
    check(&answer, (400, -32_022), &["v999.0.0"]);
    let data = &answer.error()["data"];
    assert_eq!(data["requested"], "v999.0.0");
    assert!(data["supported"].to_string().contains("2026-07-28"));
    let old = Request::legacy("tools/list", &json!({}));
    let old = old.header("MCP-Protocol-Version", Some("2024-01-01"));
    check(&agent.send(&old), (400, -32_022), &["2024-01-01"]);
    let mut bare = good.clone();
    bare.body["params"]["_meta"] = json!(7);
    check(&agent.send(&bare), (400, -32_602), &["params._meta"]);
    server.end();
}

#[test]
fn what_is_said_of_the_body() {
    let house = House::with(&["[http]\nbody_max = \"4KiB\"\n", GUEST].concat());
    let server = house.serve();
    let agent = server.agent();
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let kind = |kind| sent(&agent, &[LEGACY, ("Content-Type", kind)], ping).status;
    assert_eq!(kind("application/json"), 200);
    assert_eq!(kind("Application/JSON; charset=utf-8"), 200);
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
    ] {
        assert_eq!(kind(wrong), 415, "{wrong}");
    }
    // Just within the limit, and just past it.
    let body = |bytes: usize| {
        let rest = bytes - ping.len();
        [&ping[..], " ".repeat(rest).as_bytes()].concat()
    };
    assert_eq!(sent(&agent, &[LEGACY], &body(4_096)).status, 200);
    check(
        &sent(&agent, &[LEGACY], &body(4_097)),
        (413, -32_600),
        &["limit"],
    );
    // Nobody says beforehand how long it is.
    let chunked = |bytes: usize| {
        let mut wire = Wire::open(agent.address);
        wire.send(head(
            "POST",
            "/mcp",
            &[LEGACY, ("Transfer-Encoding", "chunked")],
        ));
        for chunk in body(bytes).chunks(1_000) {
            wire.send(format!("{:x}\r\n", chunk.len()));
            wire.send(chunk);
            wire.send("\r\n");
        }
        wire.send("0\r\n\r\n");
        wire.incoming().answer().0
    };
    assert_eq!(chunked(4_096).status, 200);
    check(&chunked(4_097), (413, -32_600), &["limit"]);
    // One that says it has no end is told so while it still sends.
    let mut endless = Wire::open(agent.address);
    let huge = [LEGACY, ("Content-Length", "18446744073709551615")];
    endless.send(head("POST", "/mcp", &huge));
    let answer = endless.incoming();
    assert!(
        [400, 413, 431].contains(&answer.status),
        "{}",
        answer.status
    );
    // Two lengths are an attack on whatever stands between.
    let mut twice = Wire::open(agent.address);
    let lengths = [LEGACY, ("Content-Length", "40"), ("Content-Length", "41")];
    twice.send(head("POST", "/mcp", &lengths));
    assert_eq!(twice.incoming().status, 400);
    server.end();
}

#[test]
fn other_methods_and_other_paths() {
    let house = House::new();
    let server = house.serve();
    let ask = |method: &str, path: &str| {
        let mut wire = Wire::open(server.address);
        wire.send(head(method, path, &[("Content-Length", "0")]));
        let incoming = wire.incoming();
        let allow = incoming.header("allow").map(str::to_owned);
        (incoming.status, allow)
    };
    for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"] {
        assert_eq!(ask(method, "/mcp"), (405, Some("POST".into())), "{method}");
    }
    for path in ["/", "/mcp/", "/mcp/x", "/..//mcp", "/MCP", "/stepwell.toml"] {
        assert_eq!(ask("POST", path).0, 404, "{path}");
    }
    assert_eq!(ask("GET", "/livez").0, 200);
    assert_eq!(ask("GET", "/readyz").0, 200);
    server.end();
}

#[test]
fn a_page_in_a_browser_can_t_reach_it() {
    let house = House::new();
    let server = house.serve();
    let agent = server.agent();
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let status = |headers: &[(&str, &str)]| sent(&agent, headers, ping).status;
    let (host, port) = ("Host", server.address.port());
    for good in ["localhost", "127.0.0.1", "[::1]"] {
        let with_port = format!("{good}:{port}");
        assert_eq!(status(&[(host, good)]), 200, "{good}");
        let origin = format!("http://{with_port}");
        assert_eq!(
            status(&[(host, &with_port), ("Origin", &origin)]),
            200,
            "{good}"
        );
    }
    for evil in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[::1].evil.example",
        "[::1]evil.example",
        "evil.example:80",
        "0.0.0.0",
        "192.168.0.1",
        "169.254.169.254",
        "localhost:1@evil.example",
        "",
    ] {
        assert_eq!(status(&[(host, evil)]), 403, "{evil}");
    }
    for evil in [
        "http://evil.example",
        "https://localhost.evil.example",
        "http://[::1].evil.example",
        "http://localhost:1@evil.example",
        "http://localhost/evil",
        "null",
        "file://",
        "chrome-extension://localhost",
        "",
    ] {
        assert_eq!(status(&[("Origin", evil)]), 403, "{evil}");
    }
    let two = [(host, "localhost"), (host, "evil.example")];
    assert!([400, 403].contains(&status(&two)));
    let two = [
        ("Origin", "http://localhost"),
        ("Origin", "http://evil.example"),
    ];
    assert_eq!(status(&two), 403);
    server.end();
}
