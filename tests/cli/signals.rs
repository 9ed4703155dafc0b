//! Ctrl-c and the request to end.

use rustix::process::Signal;
use serde_json::json;

use crate::house::{House, gate, script, step};

#[test]
fn ctrl_c_ends_the_task_at_its_next_boundary() {
    let house = House::new();
    let ops = [vec![step("a")], gate().to_vec(), vec![step("b")]].concat();
    let arguments = json!({"ops": ops, "on_stop": [step("undo")]}).to_string();
    let mut running = house.start(&script(&arguments, &["--json"]));
    running.until("here");
    running.signal(Signal::INT);
    running.until("asked to stop: cancelled");
    house.open_gate();
    let ran = running.end();
    let task = ran.json();
    assert_eq!((ran.code, &task["how"]), (130, &json!("clean")), "{ran:?}");
    assert_eq!(task["stop"]["cancel"]["why"], "ctrl-c");
    assert_eq!(task["stop"]["cancel"]["by"], "local:user");
    assert_eq!(house.effects(), ["a", "undo"]);
}

#[test]
fn ctrl_c_twice_ends_it_at_once() {
    let house = House::new();
    let arguments = json!({"ops": [{"log": "here"}, {"spin_forever": 1}]}).to_string();
    let mut running = house.start(&script(&arguments, &["--json"]));
    running.until("here");
    running.signal(Signal::INT);
    running.until("cancelling");
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!(
        (ran.code, &ran.json()["how"]),
        (130, &json!("immediate")),
        "{ran:?}"
    );
}

#[test]
fn a_process_that_is_to_end_leaves_its_task_for_the_next() {
    let house = House::new();
    let ops = [vec![step("a")], gate().to_vec(), vec![step("b")]].concat();
    let arguments = json!({ "ops": ops }).to_string();
    let words = script(&arguments, &["--key", "k", "--json"]);
    let mut running = house.start(&words);
    running.until("here");
    running.signal(Signal::TERM);
    running.until("is left at its next boundary");
    house.open_gate();
    let ran = running.end();
    assert_eq!(ran.code, 5, "{ran:?}");
    let ran = house.ran(&words);
    let task = ran.json();
    assert_eq!(
        (ran.code, &task["status"]),
        (0, &json!("completed")),
        "{ran:?}"
    );
    assert_eq!(house.effects(), ["a", "b"]);
}
