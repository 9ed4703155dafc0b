//! `stepwell demo`: what Stepwell is for, seen from outside, in half a minute and without a network.
//!
//! Real tasks run in child processes, which are this same program. What they did is not taken from
//! their own words alone: it is counted in the files that they wrote.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use stepwell_guest_examples::{ETL_PIPELINE, TEST_GUEST, TRADE_EXECUTION};

use crate::clock::Stopwatch;

mod child;
mod etl;
mod marks;
mod spin;
mod trade;
mod voice;

pub use voice::Voice;

/// Where the demo plays: a folder for its files, removed at the end.
struct Stage {
    voice: Voice,
    folder: Folder,
}

/// What was seen of one act.
struct Seen {
    /// What was to be seen, and whether it was.
    facts: Vec<(String, bool)>,
    /// What the task was allowed and what it used: as `--json` prints it.
    task: Value,
}

/// What was seen of the whole demo.
pub struct Report {
    /// Whether everything was seen that is claimed.
    pub all: bool,
    /// The same for each act, and how long it took.
    pub json: Value,
}

/// A folder that is removed when it is let go of.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Plays all acts. It blocks, and handles no signals: whoever calls it leaves those as they are.
pub fn run(voice: Voice) -> anyhow::Result<Report> {
    let watch = Stopwatch::start();
    let stage = Stage::set(voice)?;
    voice.say(&voice.bold("Stepwell, in three acts. Everything runs on this machine."));
    // It spins beside everything that follows.
    let spinning = spin::begin(&stage)?;
    stage.act(1, "A process is killed in the middle of a step");
    let etl = stage.seen(&etl::play(&stage)?);
    stage.act(2, "A tool that would run for ever, beside it");
    let spin = stage.seen(&spin::end(spinning)?);
    stage.act(3, "A trade is cancelled half way");
    let trade = stage.seen(&trade::play(&stage)?);
    let all = etl && spin && trade;
    let seconds = watch.elapsed().as_secs_f64();
    let end = match all {
        true => voice.good(&format!("All of it was seen, in {seconds:.1} s.")),
        false => voice.bad("Not all of it was seen."),
    };
    voice.say(&format!("\n{end}"));
    let acts = json!({"crash": etl, "fuel": spin, "cancel": trade});
    let json = json!({"seen": all, "acts": acts, "seconds": seconds});
    Ok(Report { all, json })
}

impl Stage {
    fn set(voice: Voice) -> anyhow::Result<Self> {
        let name = format!("stepwell-demo-{}", crate::id::TaskId::random());
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir(&folder.0)
            .with_context(|| format!("no folder for the demo at {}", folder.0.display()))?;
        let stage = Self { voice, folder };
        for (file, component) in [
            ("etl_pipeline.wasm", ETL_PIPELINE),
            ("test_guest.wasm", TEST_GUEST),
            ("trade_execution.wasm", TRADE_EXECUTION),
        ] {
            std::fs::write(stage.path(file), component).context("the demo's tools")?;
        }
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.path(name);
        std::fs::create_dir(&folder).context("the demo's folders")?;
        Ok(folder)
    }

    fn act(&self, number: u32, title: &str) {
        let title = self.voice.bold(&format!("{number}. {title}"));
        self.voice.say(&format!("\n{title}"));
    }

    fn say(&self, line: &str) {
        self.voice.say(&format!("   {line}"));
    }

    /// Shows what was seen, and says whether that was all.
    fn seen(&self, seen: &Seen) -> bool {
        for (fact, is_seen) in &seen.facts {
            let mark = match is_seen {
                true => self.voice.good("yes"),
                false => self.voice.bad("NO "),
            };
            self.say(&format!("{mark}  {fact}"));
        }
        for line in receipt(&seen.task) {
            self.say(&self.voice.dim(&line));
        }
        seen.facts.iter().all(|(_, is_seen)| *is_seen)
    }
}

/// What a task was allowed, and what it used.
fn receipt(task: &Value) -> [String; 2] {
    let number = |part: &str, name: &str| {
        let number = task.get(part).and_then(|part| part.get(name));
        number.and_then(Value::as_u64).unwrap_or_default()
    };
    let line = |word: &str, part: &str, memory: &str| {
        let (fuel, active) = (number(part, "fuel"), number(part, "active"));
        format!(
            "{word} {} fuel, {:.1} MiB of memory, {} at work",
            crate::limit::format_count(fuel),
            mebibytes(number(part, memory)),
            crate::limit::format_duration(active)
        )
    };
    [
        line("allowed:", "limits", "memory"),
        line("used:   ", "usage", "memory_peak"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A folder of the host, as `--dir` takes it.
fn grant(host: &Path, guest: &str) -> String {
    format!("{}:{guest}", host.display())
}
