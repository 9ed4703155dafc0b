//! `stepwell tasks`: what is done to tasks in a directory that nobody holds.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::house::{House, gate, script, step};

/// A task that was left in the middle by a kill, and its id.
fn killed(house: &House, ops: &[Value]) -> String {
    let arguments = json!({"ops": ops, "on_stop": [step("undo")]}).to_string();
    let mut running = house.start(&script(&arguments, &[]));
    running.until("here");
    running.signal(Signal::KILL);
    running.kill();
    let task = house.json(&["tasks", "list"]);
    assert_eq!(
        task["status"], "running",
        "nobody has said yet that it is not"
    );
    task["task"].as_str().unwrap().to_owned()
}

fn interrupted(house: &House) -> String {
    killed(
        house,
        &[vec![step("a")], gate().to_vec(), vec![step("b")]].concat(),
    )
}

#[test]
fn a_task_is_paused_and_resumed() {
    let house = House::new();
    let id = interrupted(&house);
    let short = &id[..8];
    assert_eq!(house.json(&["tasks", "pause", short])["status"], "paused");
    house.open_gate();
    let done = house.json(&["tasks", "resume", short]);
    assert_eq!(
        (&done["status"], &done["attempt"]),
        (&json!("completed"), &json!(2))
    );
    assert_eq!(house.effects(), ["a", "b"]);
    assert_eq!(
        house.ran(&["tasks", "pause", short]).code,
        2,
        "it has ended"
    );
    assert_eq!(
        house.json(&["tasks", "resume", short])["status"],
        "completed"
    );
}

#[test]
fn a_cancelled_task_tidies_up_and_says_who_cancelled_it() {
    let house = House::new();
    let id = interrupted(&house);
    house.open_gate();
    let task = house.json(&["tasks", "cancel", &id, "--why", "not needed"]);
    assert_eq!(
        (&task["status"], &task["how"]),
        (&json!("cancelled"), &json!("clean"))
    );
    assert_eq!(house.effects(), ["a", "undo"]);
    let shown = house.ran(&["tasks", "show", &id]);
    assert_eq!(shown.code, 0);
    for fact in [
        "cancelled by",
        "local:user",
        "not needed",
        "ended cleanly",
        "tidied up",
        "undo",
    ] {
        assert!(shown.out.contains(fact), "{fact}: {}", shown.out);
    }
    let again = house.ran(&["tasks", "cancel", &id]);
    assert_eq!(again.code, 2);
    assert!(
        again
            .err
            .contains("error: the task has ended: it is cancelled"),
        "{again:?}"
    );
}

#[test]
fn a_task_goes_back_to_a_checkpoint() {
    let house = House::new();
    let id = interrupted(&house);
    let checkpoint = house.json(&["tasks", "checkpoint", &id, "--state", r#"{"note":1}"#]);
    let checkpoint = checkpoint["checkpoint"].as_str().unwrap().to_owned();
    let kept = house.json(&["tasks", "checkpoints", &id]);
    assert_eq!(
        (&kept["checkpoint"], &kept["origin"]),
        (&json!(checkpoint), &json!("client"))
    );
    let exported = house.json(&["tasks", "export", &id]);
    assert_eq!(exported["format"], "stepwell.checkpoint/1");
    assert_eq!(exported["state"], json!({"note": 1}));
    house.json(&["tasks", "pause", &id]);
    assert_eq!(
        house.json(&["tasks", "restore", &id, &checkpoint])["status"],
        "paused"
    );
    let nowhere = house.ran(&["tasks", "restore", &id, "cp-999"]);
    assert_eq!(nowhere.code, 2);
    assert!(
        nowhere.err.contains("the task has no checkpoint cp-999"),
        "{nowhere:?}"
    );
    house.open_gate();
    assert_eq!(house.json(&["tasks", "resume", &id])["status"], "completed");
    assert_eq!(house.effects(), ["a", "b"]);
}

#[test]
fn a_fork_goes_on_with_other_limits() {
    let house = House::new();
    let id = interrupted(&house);
    let at_work = house.ran(&["tasks", "fork", &id]);
    assert_eq!(at_work.code, 2, "{at_work:?}");
    house.json(&["tasks", "pause", &id]);
    let child = house.json(&["tasks", "fork", &id, "--fuel", "5G"]);
    assert_eq!(child["limits"]["fuel"], 5_000_000_000_u64);
    assert_eq!(child["forked_from"]["task"], json!(id));
    house.open_gate();
    let done = house.json(&["tasks", "resume", child["task"].as_str().unwrap()]);
    assert_eq!(done["status"], "completed");
    assert_eq!(
        house.effects(),
        ["a", "b"],
        "the parent's step is the fork's, too"
    );
    assert_eq!(house.ran(&["tasks", "list", "--json"]).lines().len(), 2);
    assert_eq!(
        house.json(&["tasks", "list", "--status", "paused"])["task"],
        json!(id)
    );
}

#[test]
fn what_happened_can_be_read() {
    let house = House::new();
    let id = interrupted(&house);
    house.open_gate();
    house.json(&["tasks", "resume", &id]);
    let events = house.ran(&["tasks", "events", &id, "--json"]).lines();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "step_done").count(),
        2,
        "{kinds:?}"
    );
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "crashed").count(),
        1,
        "{kinds:?}"
    );
    let last = events.last().unwrap();
    assert_eq!(
        (&last["from"], &last["to"]),
        (&json!("running"), &json!("completed"))
    );
    let after = events[1]["number"].to_string();
    let rest = house
        .ran(&["tasks", "events", &id, "--json", "--after", &after])
        .lines();
    assert_eq!(rest, events[2..]);
    let shown = house.ran(&["tasks", "show", &id]).out;
    let shown = shown
        .lines()
        .take_while(|line| *line != "result")
        .filter(|line| {
            !["at work", "cpu", "fuel"]
                .iter()
                .any(|word| line.starts_with(word))
        });
    insta::assert_snapshot!("show", shown.map(masked).collect::<Vec<_>>().join("\n"));
}

/// The line without what differs from run to run.
fn masked(line: &str) -> String {
    let mut after = "";
    let words = line.split(' ').map(|word| {
        let masked = match word {
            word if word.len() == 36 && word.matches('-').count() == 4 => "[task]",
            word if word.len() == 24 && word.ends_with('Z') => "[time]",
            word if word.len() == 12 && after == "component" => "[digest]",
            word if word.contains("/world:") => "[folder]:/world:rw",
            word if after == "calls" && !word.is_empty() => "[count]",
            word => word,
        };
        if !word.is_empty() {
            after = word;
        }
        masked
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_directory_that_somebody_holds_is_left_alone() {
    let house = House::new();
    let arguments = json!({"ops": gate()}).to_string();
    let mut running = house.start(&script(&arguments, &[]));
    running.until("here");
    let ran = house.ran(&["tasks", "list"]);
    assert_eq!(ran.code, 4);
    let process = format!("is in use by process {}", running.process.id());
    assert!(ran.err.contains(&process), "{ran:?}");
    house.open_gate();
    assert_eq!(running.end().code, 0);
}

#[test]
fn a_task_that_is_not_there_is_not_found() {
    let house = House::new();
    house.works();
    let check = |id: &str, sentence: &str| {
        for command in [
            "show",
            "events",
            "cancel",
            "pause",
            "resume",
            "checkpoint",
            "checkpoints",
            "fork",
        ] {
            let ran = house.ran(&["tasks", command, id]);
            assert_eq!(ran.code, 2, "{command}: {ran:?}");
            assert!(ran.err.contains(sentence), "{command}: {ran:?}");
            assert!(
                ran.err.contains("hint: `stepwell tasks list`"),
                "{command}: {ran:?}"
            );
        }
    };
    check(
        "00000000-0000-4000-8000-000000000000",
        "error: there is no task",
    );
    check("0000000-", "error: there is no task whose id begins with");
    check(
        "it",
        "error: `it` is not a task's id, nor its first 4 characters",
    );
}
