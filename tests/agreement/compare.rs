//! What a run came to, in the explorer and on the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use stepwell::task::{How, Kind, Outcome, Record, State};

use crate::common::{House, lines};
use crate::host::Host;
use crate::player::{Player, Stage};

/// A task as it was played on the runtime.
pub(crate) struct Played {
    record: Arc<Record>,
    /// The world's log: what was done, with which key.
    world: Vec<(String, String)>,
    /// The operations, with attempts and stops.
    trace: Vec<String>,
    questions: BTreeSet<String>,
}

impl Played {
    pub(crate) async fn of(house: &House, stage: &Stage, player: &Player) -> Self {
        let folder = stage.folder(&player.key);
        let split = |line: &String| {
            let (what, key) = line.split_once('\t').unwrap_or((line, ""));
            (what.to_owned(), key.to_owned())
        };
        Self {
            record: house.end(&player.key).await,
            world: lines(&folder.join("world.log")).iter().map(split).collect(),
            trace: lines(&folder.join("trace")),
            questions: player.questions.clone(),
        }
    }
}

/// In what the runtime does not agree with the explorer.
pub(crate) fn differences(model: &Host, played: &Played) -> Option<String> {
    let mut text = String::new();
    let mut check = |what: &str, model: String, played: String| {
        if model != played {
            let _ = writeln!(
                text,
                "{what}: {model} in the explorer, {played} on the runtime"
            );
        }
    };
    let facts = facts(&model.disk.record)
        .into_iter()
        .zip(facts(&played.record));
    for ((what, model), (_, played)) in facts {
        check(what, model, played);
    }
    check(
        "doubts",
        format!("{:?}", doubts(model)),
        format!("{:?}", played_doubts(&played.record)),
    );
    let asked: BTreeSet<String> = model.ghost.asked.keys().map(ToString::to_string).collect();
    check(
        "questions",
        format!("{asked:?}"),
        format!("{:?}", played.questions),
    );
    let world = model.world.0.iter();
    let world: Vec<_> = world
        .map(|did| (did.what.clone(), did.key.to_string()))
        .collect();
    check("effects", renamed(&world), renamed(&played.world));
    check(
        "operations",
        trace(model).join("\n"),
        played.trace.join("\n"),
    );
    if let (false, State::Finished { outcome, .. }) = (text.is_empty(), &played.record.state) {
        let _ = writeln!(text, "on the runtime: {outcome:?}");
    }
    (!text.is_empty()).then_some(text)
}

/// What is durable of a task and has to be the same, but for times, sizes and people.
fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let stop = record.state.stop();
    let stop = stop.map(|stop| (stop.reason, stop.cancel.as_ref().map(|cancel| cancel.mode)));
    let marks = record.marks.iter();
    let marks: Vec<_> = marks
        .map(|mark| {
            (
                mark.id,
                mark.origin,
                mark.stretch,
                mark.start,
                mark.steps_done(),
            )
        })
        .collect();
    vec![
        ("end", end(record)),
        ("stop", format!("{stop:?}")),
        ("changes", record.seq.to_string()),
        ("attempts", record.attempt.to_string()),
        ("barren attempts", record.barren.to_string()),
        ("retries", record.retries.to_string()),
        ("stretch", record.stretch.to_string()),
        ("start", format!("{:?}", (record.start, record.client))),
        ("restores", record.generation.to_string()),
        ("steps", record.steps.to_string()),
        ("`once` steps", record.once_steps.to_string()),
        ("steps before", record.steps_before.to_string()),
        ("clean-up", format!("{:?}", record.clean_up)),
        ("forks", record.forks.to_string()),
        ("checkpoints", format!("{marks:?}")),
        ("holes", format!("{:?}", record.holes)),
    ]
}

/// How a task ended.
pub(crate) fn end(record: &Record) -> String {
    let State::Finished { outcome, .. } = &record.state else {
        return record.status().to_string();
    };
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Failed { failure, how } => {
            format!(
                "failed {} {}",
                failure.kind,
                how.as_ref().map_or("-".into(), word)
            )
        }
        Outcome::Cancelled { how } => format!("cancelled {}", word(how)),
    }
}

fn word(how: &How) -> String {
    match how {
        How::Failed { failure, told } if failure.kind == Kind::ToolError => {
            format!("{how}, told: {told}, {}", failure.kind)
        }
        How::Failed { told, .. } => format!("{how}, told: {told}"),
        how => how.to_string(),
    }
}

/// The names in doubt at the end. The explorer does not look them up for a task that is ended
/// without an attempt; then they are all that were not completed.
fn doubts(model: &Host) -> Vec<Arc<str>> {
    match &model.disk.record.state {
        State::Finished {
            outcome: Outcome::Cancelled {
                how: How::Immediate,
            },
            ..
        } => {
            let open = model.disk.once().filter(|once| !once.completed);
            open.map(|once| once.at.name.clone()).collect()
        }
        _ => played_doubts(&model.disk.record),
    }
}

fn played_doubts(record: &Record) -> Vec<Arc<str>> {
    match &record.state {
        State::Finished { doubts, .. } => doubts.to_vec(),
        _ => Vec::new(),
    }
}

/// Effects in order, with the keys numbered as they come: the task's id is in them.
fn renamed(world: &[(String, String)]) -> String {
    let mut numbers = BTreeMap::new();
    let mut text = String::new();
    for (what, key) in world {
        let next = numbers.len();
        let number = numbers.entry(key).or_insert(next);
        let _ = write!(text, "{what} with {number}; ");
    }
    text
}

/// The operations of the explorer's guest, in the words of its twin.
fn trace(model: &Host) -> Vec<String> {
    let (mut lines, mut forks) = (Vec::new(), 0);
    for line in model.log.iter().flatten() {
        match line.as_str() {
            "-- the fork runs:" => forks += 1,
            "-- the end of the fork" => forks -= 1,
            _ if forks > 0 => {}
            line => lines.extend(operation(line)),
        }
    }
    lines
}

fn operation(line: &str) -> Option<String> {
    if line.starts_with("attempt ") {
        return line.split(" in ").next().map(str::to_owned);
    }
    let operation = line.strip_prefix("    ")?;
    if operation == "dropped" || operation.starts_with("ends: ") {
        return None;
    }
    if operation.starts_with("save ") {
        return Some("save".into());
    }
    Some(operation.to_owned())
}
