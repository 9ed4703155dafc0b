//! What the task does, and where it is killed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::common::hold;

/// The places of a first run after which a second one is killed: every so many.
const PLACES_EVERY: u64 = 2;

/// The first writes of a second run, at which it is killed.
const WRITES_AGAIN: u64 = 5;

/// The file that a task waits for before it goes on to be cancelled.
pub(crate) const GATE: &str = "gate";

/// The name of the schema property that the question asks for.
const ASKED: &str = "n";

/// On which side of a write the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Side {
    Before,
    /// Half of it is on the disk.
    Within,
    /// And what was asked for with it is not answered yet.
    After,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::Within, Self::After];
}

/// Where a child kills itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Kill {
    /// The write, counted from 1.
    pub(crate) number: u64,
    pub(crate) side: Side,
}

impl Kill {
    /// Past every write, when the owner was told how the task ended.
    pub(crate) const AT_THE_END: Self = Self {
        number: u64::MAX,
        side: Side::After,
    };

    /// The `place`th of those after which a second run is killed too.
    pub(crate) fn first_of_two(place: u64) -> Self {
        Self {
            number: PLACES_EVERY * place,
            side: Side::After,
        }
    }

    /// Those of a second run, after a first one that was killed in its `place`th: at each of its
    /// first writes in turn, on one side of it, and on another after the next place.
    pub(crate) fn second_of_two(place: u64) -> impl Iterator<Item = Self> {
        let sides = Side::ALL.into_iter().cycle();
        let sides = sides.skip(usize::try_from(place % 3).expect("it is small"));
        let writes = 1..=WRITES_AGAIN;
        writes
            .zip(sides)
            .map(|(number, side)| Self { number, side })
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::Within => "within",
            Side::After => "after",
        };
        match self.number {
            u64::MAX => write!(f, "killed at the end"),
            number => write!(f, "killed {side} write {number}"),
        }
    }
}

/// What the task does.
pub(crate) struct Plan {
    /// The script's arguments.
    pub(crate) arguments: Value,
    /// The steps whose effects are in the world at the end, and whether each is `once`.
    pub(crate) steps: Vec<(String, bool)>,
    /// Whether the task is cancelled when it comes to the gate.
    pub(crate) is_cancelled: bool,
    /// How it ends.
    pub(crate) ending: &'static str,
}

/// 22 steps, two of them `once`, in three stretches, with a sleep and a question.
pub(crate) fn work() -> Plan {
    let ask = json!({"ask": [{"name": "how-many", "message": "How many?",
        "schema": {"type": "object", "properties": {ASKED: {"type": "integer"}}}}]});
    let sleep = json!({"sleep": "night", "ms": 8 * 3_600_000});
    let mut steps = Steps::default();
    let extract = [
        steps.some("extract", 6),
        vec![steps.once("reserve"), say("extracted")],
    ];
    let change = [
        steps.some("change", 4),
        vec![say("half"), sleep],
        steps.some("more", 3),
        vec![steps.once("pay"), ask],
    ];
    let load = [
        steps.some("load", 7),
        vec![say("loaded"), json!({"progress": [3, 3, "all"]})],
    ];
    let stages = [extract.concat(), change.concat(), load.concat()];
    Plan {
        arguments: arguments(&json!([{"current": true}, {"stages": stages}]), &json!([])),
        steps: steps.0,
        is_cancelled: false,
        ending: "completed",
    }
}

/// Eight steps and a checkpoint, a gate at which the task is cancelled, and what undoes them all.
pub(crate) fn clean_up() -> Plan {
    let mut steps = Steps::default();
    let first = [
        steps.some("book", 3),
        vec![steps.once("flight"), steps.once("hotel")],
    ];
    let second = [
        steps.some("note", 2),
        vec![steps.once("car")],
        hold(GATE).to_vec(),
    ];
    // These are never done: the task is cancelled before.
    let never = Steps::default().some("never", 2);
    let stages = [first.concat(), [second.concat(), never].concat()];
    let undo = ["car", "hotel", "flight"].map(|what| steps.once(&format!("undo-{what}")));
    let undo = [
        undo.to_vec(),
        steps.some("tidy", 3),
        vec![steps.once("report")],
    ]
    .concat();
    Plan {
        arguments: arguments(
            &json!([{"current": true}, {"stages": stages}]),
            &json!(undo),
        ),
        steps: steps.0,
        is_cancelled: true,
        ending: "cancelled clean",
    }
}

/// What the question is answered with.
pub(crate) fn answer() -> Value {
    json!({ASKED: 3})
}

fn arguments(ops: &Value, on_stop: &Value) -> Value {
    json!({"ops": ops, "on_stop": on_stop, "returns": "outputs", "transcript_file": "/world/log"})
}

/// A line that is not synced by itself, so that a replay writes too.
fn say(text: &str) -> Value {
    json!({"log": text})
}

/// The steps of a plan, in the order of their making.
#[derive(Default)]
struct Steps(Vec<(String, bool)>);

impl Steps {
    fn some(&mut self, name: &str, count: u64) -> Vec<Value> {
        let names = (1..=count).map(|number| format!("{name}-{number}"));
        names.map(|name| self.add(&name, false)).collect()
    }

    fn once(&mut self, name: &str) -> Value {
        self.add(name, true)
    }

    /// A step whose effect is a line of the world's log, beside what the tool was told.
    fn add(&mut self, name: &str, is_once: bool) -> Value {
        self.0.push((name.to_owned(), is_once));
        let effect = if is_once { "once" } else { "repeatable" };
        json!({"step": {"name": name, "input": name, "output": name, "effect": effect,
            "effect_line": {"path": "/world/log", "line": format!("effect {name} {{key}}")}}})
    }
}
