//! Over standard input and output: both eras, and a client that sends what it should not.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agent::{Request, everything};
use crate::house::{GUEST, House, asking, gated};
use crate::pipe::Pipe;

fn is_progress(message: &Value) -> bool {
    message["method"] == "notifications/progress"
}

fn call(arguments: &Value) -> Value {
    json!({"name": "script", "arguments": arguments, "_meta": {"progressToken": "p"}})
}

fn cancelled(id: u64) -> Value {
    let params = json!({"requestId": id, "reason": "enough"});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
}

fn is_well(pipe: &mut Pipe) {
    pipe.legacy(99, "ping", &json!({}));
    assert_eq!(pipe.answer(99), Ok(json!({})));
}

#[test]
fn a_legacy_client_from_its_handshake_to_its_end() {
    let house = House::new();
    let mut pipe = house.pipe();
    pipe.shake_hands();
    pipe.legacy(1, "tools/list", &json!({}));
    let tools = pipe.answer(1).unwrap();
    let tools = tools["tools"].as_array().unwrap();
    assert!(tools.iter().all(|tool| tool["execution"].is_object()));
    // Progress comes before the answer.
    let ops = json!({"ops": [{"progress": [1, 2, "half"]}]});
    pipe.legacy(2, "tools/call", &call(&ops));
    let progress = pipe.message();
    assert!(is_progress(&progress), "{progress}");
    assert_eq!(progress["params"]["progressToken"], "p");
    assert_eq!(pipe.answer(2).unwrap()["isError"], json!(false));
    // A tool that asks is answered on the way.
    pipe.legacy(3, "tools/call", &call(&asking("Who?")));
    let asked = pipe.message();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    let answer = json!({"action": "accept", "content": {"name": "Ann"}});
    pipe.say(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}));
    let result = pipe.answer(3).unwrap();
    assert!(result.to_string().contains("Ann"), "{result}");
    let (rest, ended) = pipe.close();
    assert_eq!((rest, ended.code), (vec![], 0), "{}", ended.said);
}

#[test]
fn a_modern_client_shakes_no_hands() {
    let house = House::new();
    let mut pipe = house.pipe();
    let modern = |method: &str, params| Request::modern(&everything(), method, params);
    pipe.request(1, &modern("server/discover", json!({})));
    let discovered = pipe.answer(1).unwrap();
    assert_eq!(discovered["resultType"], "complete");
    pipe.request(2, &modern("tools/call", call(&asking("Who?"))));
    let asked = pipe.answer(2).unwrap();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let answer = json!({"action": "accept", "content": {"name": "Ann"}});
    let mut again = call(&asking("Who?"));
    again["requestState"] = asked["requestState"].clone();
    again["inputResponses"] = json!({"who": answer});
    pipe.request(3, &modern("tools/call", again));
    let result = pipe.answer(3).unwrap();
    assert!(result.to_string().contains("Ann"), "{result}");
    let (_, ended) = pipe.close();
    assert_eq!(ended.code, 0, "{}", ended.said);
}

#[test]
fn a_call_that_is_cancelled_has_no_answer() {
    for is_modern in [true, false] {
        let house = House::new();
        let mut pipe = house.pipe();
        let params = call(&gated());
        let request = match is_modern {
            true => Request::modern(&json!({}), "tools/call", params),
            false => Request::legacy("tools/call", &params),
        };
        pipe.request(1, &request);
        assert!(is_progress(&pipe.message()));
        pipe.say(&cancelled(1));
        // One that nobody knows, and one that says nothing, are ignored.
        pipe.say(&cancelled(7));
        pipe.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled"}));
        // What is asked to stop is told of at once, in the older generation's words.
        let task = loop {
            pipe.legacy(2, "tasks/list", &json!({}));
            let list = pipe.answer(2).unwrap();
            assert_eq!(list["tasks"].as_array().map(Vec::len), Some(1), "{list}");
            if list["tasks"][0]["status"] == "cancelled" {
                break list["tasks"][0]["taskId"].clone();
            }
        };
        house.open_gate();
        pipe.legacy(3, "tasks/result", &json!({"taskId": task}));
        let error = pipe.answer(3).unwrap_err();
        assert_eq!(error["data"]["kind"], "cancelled", "{error}");
        let (rest, ended) = pipe.close();
        assert!(rest.iter().all(|message| message["id"] != 1), "{rest:?}");
        assert_eq!(ended.code, 0);
        assert_eq!(house.effects(), ["before"]);
    }
}

#[test]
fn the_end_of_the_input_is_the_end_and_tasks_go_on_at_the_next_start() {
    let house = House::new();
    let mut pipe = house.pipe();
    pipe.shake_hands();
    let params = json!({"name": "script", "arguments": gated(), "task": {}});
    pipe.legacy(1, "tools/call", &params);
    let created = pipe.answer(1).unwrap();
    let id = created["task"]["taskId"].clone();
    loop {
        pipe.legacy(2, "tasks/get", &json!({"taskId": id}));
        let words = pipe.answer(2).unwrap()["statusMessage"].clone();
        if words.to_string().contains("at the gate") {
            break;
        }
    }
    // It is blocked on the result when the client goes.
    pipe.legacy(3, "tasks/result", &json!({"taskId": id}));
    is_well(&mut pipe);
    house.open_gate();
    let (_, ended) = pipe.close();
    assert_eq!(ended.code, 0, "{}", ended.said);

    let mut pipe = house.pipe();
    pipe.shake_hands();
    pipe.legacy(1, "tasks/result", &json!({"taskId": id}));
    assert_eq!(pipe.answer(1).unwrap()["isError"], json!(false));
    assert_eq!(house.effects(), ["before", "after"]);
    let (_, ended) = pipe.close();
    assert_eq!(ended.code, 0, "{}", ended.said);
}

#[test]
fn what_is_no_message_is_told_and_the_next_one_is_read() {
    let house = House::with(&["[http]\nbody_max = \"4KiB\"\n", GUEST].concat());
    let mut pipe = house.pipe();
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"a\":\"{}\"",
        "x".repeat(8 << 10)
    );
    let exact = r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#;
    let exact = format!("{exact}{}", " ".repeat(4_096 - exact.len()));
    let much = "y".repeat(1 << 20);
    let cases: [(&[u8], i64, &str); 9] = [
        (b"{", -32_700, "not JSON"),
        (b"not json", -32_700, "not JSON"),
        (b"\xff\xfe\x00", -32_700, "not JSON"),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\"}",
            -32_700,
            "not JSON",
        ),
        (b"[]", -32_600, "batches"),
        (b"7", -32_600, "one JSON object"),
        (
            br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            -32_600,
            "an id is",
        ),
        (long.as_bytes(), -32_600, "4096 bytes"),
        (much.as_bytes(), -32_600, "4096 bytes"),
    ];
    for (line, code, words) in cases {
        pipe.line(line);
        let error = pipe.message();
        assert_eq!(error["error"]["code"], json!(code), "{error}");
        assert!(
            error["error"]["message"].as_str().unwrap().contains(words),
            "{error}"
        );
        assert_eq!(error["id"], Value::Null, "{error}");
        is_well(&mut pipe);
    }
    // Lines without anything, and with the other end of a line, are none and one.
    pipe.line("");
    pipe.line("   ");
    pipe.line("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\r");
    assert_eq!(pipe.answer(5), Ok(json!({})));
    pipe.line(&exact);
    assert_eq!(pipe.answer(9), Ok(json!({})));
    // An answer to nothing is dropped.
    pipe.say(&json!({"jsonrpc": "2.0", "id": "x", "result": {}}));
    is_well(&mut pipe);
    let (rest, ended) = pipe.close();
    assert_eq!((rest, ended.code), (vec![], 0), "{}", ended.said);
}

#[test]
fn a_last_line_without_an_end_is_a_message() {
    let house = House::new();
    let mut pipe = house.pipe();
    pipe.shake_hands();
    pipe.raw(r#"{"jsonrpc":"2.0","id":5,"method":"no/such"}"#);
    let (rest, ended) = pipe.close();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0]["error"]["code"], json!(-32_601));
    assert_eq!(ended.code, 0, "{}", ended.said);
}

#[test]
fn a_client_is_told_once_that_other_tools_are_offered() {
    let house = House::new();
    let mut pipe = house.pipe();
    pipe.shake_hands();
    // Said again and again, it is still one client.
    for _ in 0..50 {
        pipe.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }
    is_well(&mut pipe);
    let renamed = "[components.tools.echo]\nname = \"repeat\"\n";
    house.configure(&[GUEST, renamed].concat());
    pipe.process.signal(Signal::HUP);
    pipe.process.until("is read again");
    let told = pipe.message();
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    pipe.legacy(1, "tools/list", &json!({}));
    // The very next message is the answer.
    let list = pipe.message();
    assert!(list["result"].to_string().contains("\"repeat\""), "{list}");
    let (rest, ended) = pipe.close();
    assert_eq!((rest, ended.code), (vec![], 0), "{}", ended.said);
}

#[test]
fn the_same_tools_again_are_no_news() {
    let house = House::new();
    let mut pipe = house.pipe();
    pipe.shake_hands();
    is_well(&mut pipe);
    pipe.process.signal(Signal::HUP);
    pipe.process.until("is read again");
    pipe.legacy(1, "ping", &json!({}));
    assert_eq!(pipe.message()["id"], 1);
    let (rest, ended) = pipe.close();
    assert_eq!((rest, ended.code), (vec![], 0), "{}", ended.said);
}

#[test]
fn a_request_to_end_ends_it_while_a_call_is_open() {
    let house = House::new();
    let mut pipe = house.pipe();
    pipe.legacy(1, "tools/call", &call(&gated()));
    assert!(is_progress(&pipe.message()));
    pipe.process.signal(Signal::TERM);
    house.open_gate();
    let (_, ended) = pipe.ended();
    assert_eq!(ended.code, 0, "{}", ended.said);
    let mut pipe = house.pipe();
    pipe.legacy(1, "tasks/list", &json!({}));
    let id = pipe.answer(1).unwrap()["tasks"][0]["taskId"].clone();
    pipe.legacy(2, "tasks/result", &json!({"taskId": id}));
    assert_eq!(pipe.answer(2).unwrap()["isError"], json!(false));
    assert_eq!(house.effects(), ["before", "after"]);
    pipe.close();
}

#[test]
fn a_client_that_never_reads_is_not_waited_for() {
    let house = House::new();
    let mut pipe = house.deaf_pipe();
    // More answers than all the buffers between take; it can't even take all the requests.
    let ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
    let sender = pipe.flood(ping.repeat(5_000));
    pipe.process.signal(Signal::TERM);
    let ended = pipe.process.ended();
    assert_eq!(ended.code, 0, "{}", ended.said);
    sender.join().unwrap();
}
