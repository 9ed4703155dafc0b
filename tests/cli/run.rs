//! `stepwell run`: one task to its end, its result and its exit code.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::house::{House, Ran, gate, script, step};

#[test]
fn the_result_goes_to_standard_output_and_the_rest_elsewhere() {
    let house = House::new();
    let ran = house.ran(&["run", "guest.wasm", "echo", "--args", r#"{"a":[1,2]}"#]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.out, "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n");
    assert!(
        ran.err.contains("completed") && ran.err.contains("of 100,000,000,000"),
        "{ran:?}"
    );
    let quiet = house.ran(&["run", "guest.wasm", "echo", "-q"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

#[test]
fn exit_codes_say_how_it_ended() {
    let house = House::new();
    let check = |code, kind: &str, words: &[&str]| {
        let ran = house.ran(&[&["run", "guest.wasm"], words, &["--json"]].concat());
        let task = ran.json();
        assert_eq!(
            (ran.code, task["failure"]["kind"].as_str()),
            (code, Some(kind)),
            "{ran:?}"
        );
        assert_eq!(task["status"], "failed");
        assert!(task["usage"]["fuel"].as_u64() <= task["limits"]["fuel"].as_u64());
    };
    let ops = |ops: &str| format!(r#"{{"ops":[{ops}]}}"#);
    check(
        1,
        "tool-error",
        &["script", "--args", &ops(r#"{"fail":"no"}"#)],
    );
    check(
        1,
        "invalid-arguments",
        &["script", "--args", &ops(r#"{"invalid":"no"}"#)],
    );
    check(
        1,
        "in-doubt",
        &["script", "--args", &ops(r#"{"in_doubt_error":"no"}"#)],
    );
    check(1, "trap", &["trap"]);
    check(
        1,
        "misuse",
        &["script", "--args", &ops(r#"{"return_stopped":true}"#)],
    );
    check(3, "out-of-fuel", &["spin", "--fuel", "100M"]);
    check(3, "out-of-memory", &["allocate", "--memory", "4MiB"]);
    check(
        3,
        "deadline-exceeded",
        &["spin", "--active", "50ms", "--grace", "50ms"],
    );
    check(
        3,
        "limit-exceeded",
        &["big_output", "--args", r#"{"bytes":2000000}"#],
    );
}

#[test]
fn arguments_come_from_a_file_or_standard_input() {
    let house = House::new();
    std::fs::write(house.path("args.json"), r#"{"from":"file"}"#).unwrap();
    let file = house.json(&["run", "guest.wasm", "echo", "--args", "@args.json"]);
    assert_eq!(file["result"]["structured"], json!({"from": "file"}));
    let mut command = house.command(&["run", "guest.wasm", "echo", "--args", "-", "--json"]);
    let mut process = command.stdin(Stdio::piped()).spawn().unwrap();
    process
        .stdin
        .take()
        .unwrap()
        .write_all(br#"{"from":"stdin"}"#)
        .unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains(r#"{"from":"stdin"}"#)
    );
}

#[test]
fn a_call_of_which_nothing_is_kept_has_no_task() {
    let house = House::new();
    let call = house.json(&[
        "run",
        "notify.wasm",
        "notify",
        "--args",
        r#"{"message":"hi"}"#,
    ]);
    assert_eq!(
        (&call["task"], &call["status"]),
        (&json!(null), &json!("completed"))
    );
    assert_eq!(house.ran(&["tasks", "list", "--json"]).out, "");
}

#[test]
fn the_same_key_after_a_kill_goes_on_with_the_task() {
    let house = House::new();
    let ops = [vec![step("a")], gate().to_vec(), vec![step("b")]].concat();
    let arguments = json!({ "ops": ops }).to_string();
    let words = script(&arguments, &["--key", "k"]);
    let mut running = house.start(&words);
    running.until("here");
    running.kill();
    house.open_gate();
    let task = house.json(&words);
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("completed"), &json!(2))
    );
    assert_eq!(house.effects(), ["a", "b"]);
    // Once it has ended, it is only shown again.
    let again = house.json(&words);
    assert_eq!(
        (&again["task"], &again["result"]),
        (&task["task"], &task["result"])
    );
    assert_eq!(house.effects(), ["a", "b"]);
    let others = script(r#"{"ops":[]}"#, &["--key", "k"]);
    let refused = house.ran(&others);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("was used with other arguments"),
        "{refused:?}"
    );
}

#[test]
fn a_question_that_nobody_can_be_asked_leaves_the_task_waiting() {
    let house = House::new();
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let ask = json!({"ask": [{"name": "one", "message": "How many?", "schema": schema}]});
    let arguments = json!({"ops": [ask, step("b")]}).to_string();
    let ran = house.ran(&script(&arguments, &["--json"]));
    let task = ran.json();
    assert_eq!((ran.code, &task["status"]), (5, &json!("waiting_input")));
    assert_eq!(task["questions"][0]["question"], "one");
    assert_eq!(task["questions"][0]["schema"], schema);
    let id = task["task"].as_str().unwrap();
    let answer = format!("stepwell tasks answer {id} one --accept JSON --data-dir data");
    assert!(ran.err.contains(&answer), "{ran:?}");
    let misfit = house.ran(&["tasks", "answer", id, "one", "--accept", r#"{"n":"x"}"#]);
    assert_eq!(misfit.code, 2);
    assert!(
        misfit.err.contains("/n: \"x\" is not of type \"integer\""),
        "{misfit:?}"
    );
    let answered = house.json(&["tasks", "answer", id, "one", "--accept", r#"{"n":3}"#]);
    assert_eq!(answered["status"], "queued");
    let done = house.json(&["tasks", "resume", id]);
    assert_eq!(
        done["result"]["structured"]["transcript"][0]["answers"][0]["accept"]["n"],
        3
    );
    assert_eq!(house.effects(), ["b"]);
}

#[test]
fn a_reader_who_has_gone_away_is_no_error() {
    let house = House::new();
    let mut process = house
        .command(&["run", "guest.wasm", "echo", "-q"])
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn tasks_are_kept_where_the_desktop_keeps_data() {
    let house = House::new();
    let run = |name: &str, value: &str, dir: &str| {
        let mut command = house.command(&["run", "guest.wasm", "echo"]);
        let ran = Ran::of(command.env_remove("STEPWELL_DATA_DIR").env(name, value));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(house.path(dir).join("format").exists(), "{dir}");
    };
    run("XDG_DATA_HOME", "xdg", "xdg/stepwell");
    run("XDG_DATA_HOME", "", ".local/share/stepwell");
    run("STEPWELL_DATA_DIR", "here", "here");
}
