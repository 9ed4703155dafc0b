//! An ETL task is killed in the middle of a step, and finishes without repeating a finished one.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::child::{Child, ask};
use super::{Seen, Stage, grant, marks};
use crate::limit::format_count;

// Not a multiple of the chunk: the last step would be one that finds nothing left.
const RECORDS: u64 = 590_000;
/// One record in so many has no amount, and is to be rejected.
const BAD_EVERY: u64 = 1_000;
const CHUNK: u64 = 20_000;
const STEPS: u64 = RECORDS.div_ceil(CHUNK);

/// Kills at places that turned out to lie between two steps, before the demo gives up.
const KILLS_MAX: u64 = 8;

/// What lay on the disk when the process was gone.
struct Wreck {
    steps_done: usize,
    bytes_done: u64,
    bytes_written: u64,
    is_in_step: bool,
}

pub(super) fn play(stage: &Stage) -> anyhow::Result<Seen> {
    let (input, output, data) = (
        stage.make("in")?,
        stage.make("out")?,
        stage.path("etl-data"),
    );
    write_input(&input.join("orders.csv")).context("the demo's input can't be written")?;
    stage.say(&format!(
        "A tool reads {} records, {} to a step, in a process of its own.",
        format_count(RECORDS),
        format_count(CHUNK)
    ));
    let tool = stage.path("etl_pipeline.wasm");
    let arguments = json!({"chunk_records": CHUNK, "group_by": "region", "measure": "amount",
        "required": ["amount"]});
    let (read, write) = (
        grant(&input, "/in"),
        format!("{}:rw", grant(&output, "/out")),
    );
    let (tool, arguments) = (tool.to_string_lossy(), arguments.to_string());
    let words = [
        "run",
        &tool,
        "etl_pipeline",
        "--args",
        &arguments,
        "--dir",
        &read,
        "--dir",
        &write,
        "--key",
        "orders",
    ];
    let cleaned = output.join("cleaned.csv");
    let (wreck, kills) = wreck(&data, &words, &cleaned)?;
    stage.say(&format!(
        "Its process was killed with SIGKILL in the middle of a step: {} steps were done, and {} \
         bytes of the next one's output were in the file.",
        wreck.steps_done,
        format_count(wreck.bytes_written - wreck.bytes_done)
    ));
    marks::set(&cleaned, wreck.bytes_done)?;
    stage
        .say("While nothing ran, the first and the last record of the finished steps were marked.");
    stage.say("Then the same command with the same --key was started again.");
    let (code, printed) = Child::start(&data, &words)?.end()?;
    let task = printed
        .into_iter()
        .next()
        .context("the task was not shown")?;
    let events = ask(&data, &["tasks", "events", &text(&task, "task")])?;
    let is_completed = code == 0 && text(&task, "status") == "completed";
    let facts = vec![
        ("It finished, as the same task.".to_owned(), is_completed),
        steps_fact(&wreck, &events, kills),
        (
            "Both marks are still there: nobody wrote that part again.".to_owned(),
            marks::count(&cleaned)? == 2,
        ),
        (
            format!(
                "Counted in the file: {} clean records, each there once.",
                format_count(RECORDS - RECORDS / BAD_EVERY)
            ),
            is_each_there_once(&cleaned)?,
        ),
    ];
    Ok(Seen { facts, task })
}

/// Whether every step was done, and none of them twice, by the events of the task.
fn steps_fact(wreck: &Wreck, events: &[Value], kills: u64) -> (String, bool) {
    let (done, crashes) = (chunks_done(events), count(events, "crashed"));
    let fact = format!(
        "{STEPS} steps were to be done, and {done} were: {} before the kill, {} after it. No \
         finished step was repeated.",
        wreck.steps_done,
        done.saturating_sub(wreck.steps_done)
    );
    let is_seen = done as u64 == STEPS && wreck.steps_done > 0 && crashes as u64 == kills;
    (fact, is_seen)
}

/// Kills the task's process until that came in the middle of a step; and how often it took.
fn wreck(data: &Path, words: &[&str], cleaned: &Path) -> anyhow::Result<(Wreck, u64)> {
    for kills in 1..=KILLS_MAX {
        let wreck = kill_once(data, words, cleaned, 20 + 8 * kills)?;
        if wreck.is_in_step {
            return Ok((wreck, kills));
        }
    }
    bail!("none of {KILLS_MAX} kills came in the middle of a step")
}

/// Starts the task, or goes on with it, and kills its process while it writes.
fn kill_once(data: &Path, words: &[&str], cleaned: &Path, percent: u64) -> anyhow::Result<Wreck> {
    let mut child = Child::start(data, words)?;
    let id = child.until(|line| {
        let words = line.split_whitespace();
        let mut ids = words.filter_map(|word| word.trim_end_matches(':').parse().ok());
        ids.next().map(|id: crate::id::TaskId| id.to_string())
    })?;
    child.until(|line| {
        let done = line.strip_prefix("progress: ")?.split('%').next()?;
        (done.parse::<u64>().ok()? >= percent).then_some(())
    })?;
    // A step that has just written something is in its middle.
    let before = length(cleaned);
    while length(cleaned) == before && child.is_at_work() {
        std::thread::yield_now();
    }
    child.kill()?;
    let events = ask(data, &["tasks", "events", &id])?;
    let is_saved = events
        .iter()
        .rev()
        .find_map(|event| match text(event, "type").as_str() {
            "checkpoint_saved" => Some(true),
            "step_done" => Some(false),
            _ => None,
        });
    let checkpoint = ask(data, &["tasks", "export", &id])?;
    let bytes = checkpoint
        .first()
        .and_then(|it| it.pointer("/state/state/cleaned_bytes"));
    let bytes_done = bytes
        .and_then(Value::as_u64)
        .context("a checkpoint without its place")?;
    let bytes_written = length(cleaned);
    Ok(Wreck {
        steps_done: chunks_done(&events),
        bytes_done,
        bytes_written,
        is_in_step: is_saved == Some(true) && bytes_written > bytes_done,
    })
}

fn write_input(path: &Path) -> std::io::Result<()> {
    const REGIONS: [&str; 5] = ["north", "south", "east", "west", "centre"];
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "id,region,amount,note")?;
    for (id, region) in (1..=RECORDS).zip(REGIONS.iter().cycle()) {
        if id.is_multiple_of(BAD_EVERY) {
            writeln!(file, "{id},{region},,an order that nobody priced")?;
        } else {
            let (whole, cents) = (id % 900 + 1, id % 100);
            writeln!(
                file,
                "{id},{region},{whole}.{cents:02},an order like many others"
            )?;
        }
    }
    file.into_inner()?.sync_data()
}

/// Whether the file holds every clean record once, in order, and nothing else.
fn is_each_there_once(path: &Path) -> anyhow::Result<bool> {
    let mut expected = (1..=RECORDS).filter(|id| !id.is_multiple_of(BAD_EVERY));
    for line in BufReader::new(File::open(path)?).lines().skip(1) {
        let line = line?;
        let id = line.split(',').next().and_then(|id| id.parse::<u64>().ok());
        if id.is_none() || id != expected.next() {
            return Ok(false);
        }
    }
    Ok(expected.next().is_none())
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn chunks_done(events: &[Value]) -> usize {
    let is_chunk = |event: &&Value| text(event, "step").starts_with("chunk");
    events
        .iter()
        .filter(|event| text(event, "type") == "step_done")
        .filter(is_chunk)
        .count()
}

fn count(events: &[Value], kind: &str) -> usize {
    events
        .iter()
        .filter(|event| text(event, "type") == kind)
        .count()
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
