//! What somebody at a terminal sees, who types: through `script`, which is a terminal without one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::house::{House, quoted, script};

/// What was on the screen, with all that was typed.
fn screen(house: &House, words: &[&str], typed: &str, no_color: &str) -> (i32, String) {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    let program = env!("CARGO_BIN_EXE_stepwell");
    let line = format!("{program} {}", words.join(" "));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    terminal
        .env("STEPWELL_DATA_DIR", "data")
        .env("TERM", "xterm")
        .env("NO_COLOR", no_color);
    terminal
        .current_dir(house.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = terminal.spawn().expect("`script` of util-linux");
    process
        .stdin
        .as_mut()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    let output = process.wait_with_output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn questions_are_asked_field_by_field() {
    let house = House::new();
    let schema = json!({"type": "object", "required": ["n"], "properties": {
        "n": {"type": "integer", "description": "how many"},
        "tone": {"type": "string", "enum": ["friendly", "brief"]},
        "now": {"type": "boolean", "default": true}}});
    let ask = json!({"ask": [{"name": "one", "message": "How?\u{1b}[2J", "schema": schema},
        {"name": "two", "message": "Sure?"}]});
    let arguments = json!({ "ops": [ask] }).to_string();
    // Its fields are asked in the order of their names.
    let typed = "many\n7\n\nx\nf\n/decline\n";
    let (code, shown) = screen(&house, &script(&arguments, &[]), typed, "1");
    assert_eq!(code, 0, "{shown}");
    for line in [
        "? How?",
        "n (how many) [integer]: ",
        "a whole number is needed",
        "now [yes | no, enter for true]: ",
        "tone [friendly | brief, enter to leave out]: ",
        "one of: friendly, brief",
        "? Sure?",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(
        !shown.contains("\u{1b}[2J"),
        "what a tool asks can't clear the screen"
    );
    let id = house.json(&["tasks", "list"])["task"]
        .as_str()
        .unwrap()
        .to_owned();
    let task = house.json(&["tasks", "show", &id]);
    let answers = &task["result"]["structured"]["transcript"][0]["answers"];
    assert_eq!(
        *answers,
        json!([{"accept": {"n": 7, "now": true, "tone": "friendly"}}, "decline"])
    );
}

#[test]
fn colours_are_left_away_where_nobody_wants_them() {
    let house = House::new();
    let echo = ["run", "guest.wasm", "echo"];
    let is_colour = |shown: &str| shown.contains("\u{1b}[32m");
    let (code, shown) = screen(&house, &echo, "", "");
    assert!(code == 0 && is_colour(&shown), "{shown:?}");
    let (code, shown) = screen(&house, &echo, "", "1");
    assert!(
        code == 0 && !is_colour(&shown) && shown.contains("completed"),
        "{shown:?}"
    );
}
