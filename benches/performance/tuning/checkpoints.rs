//! Few checkpoints or many: rows a second, and rows that are done again after a kill.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use stepwell::id::{Principal, TaskId, TaskKey};
use stepwell::limit::format_count;
use stepwell::runtime::{Options, Request, Runtime};
use stepwell_guest_examples::ETL_PIPELINE;

use super::{print, rate};
use crate::child::{self, Child};
use crate::disk;
use crate::table::{Scale, percentile};

const ROWS: usize = 1_000_000;
const CHUNKS: [u64; 4] = [100, 1_000, 10_000, 100_000];
const ROUNDS: usize = 3;
const KILLS: usize = 8;

pub(super) fn run(scale: &Scale) -> anyhow::Result<()> {
    let rows = scale.of(ROWS, 10);
    let input = disk::folder()?;
    write_input(input.path(), rows)?;
    let mut table = Vec::new();
    for chunk in CHUNKS {
        eprintln!("  a checkpoint every {chunk} rows");
        let mut took = Vec::new();
        for _ in 0..scale.of(ROUNDS, ROUNDS) {
            took.push(undisturbed(input.path(), chunk)?);
        }
        let took = percentile(&mut took, 50.0);
        let mut lost = Vec::new();
        let kills = u32::try_from(scale.of(KILLS, 4))?;
        for kill in 1..=kills {
            // At different places of the work, and of a chunk.
            let after = took.mul_f64(0.8 * f64::from(kill) / f64::from(kills));
            lost.extend(killed(input.path(), chunk, after)?);
        }
        table.push([
            format_count(chunk),
            format_count(rate(rows, took)),
            format_count(lost.iter().sum::<u64>() / (lost.len() as u64).max(1)),
        ]);
    }
    let head = ["rows between two checkpoints", "rows/s", "rows done again"];
    print(head, &table);
    Ok(())
}

/// How long the work takes that nobody disturbs.
fn undisturbed(input: &Path, chunk: u64) -> anyhow::Result<Duration> {
    let folder = disk::folder()?;
    let mut child = start(folder.path(), input, chunk)?;
    child.says()?;
    let (took, _) = child.says()?;
    child.end()?;
    let took = took.as_f64().context("no time")?;
    Ok(Duration::from_secs_f64(took))
}

/// The rows that were written since the newest checkpoint when the process was killed, and are
/// written again; nothing where the work was done before that.
fn killed(input: &Path, chunk: u64, after: Duration) -> anyhow::Result<Option<u64>> {
    let folder = disk::folder()?;
    let mut child = start(folder.path(), input, chunk)?;
    let (task, _) = child.says()?;
    std::thread::sleep(after);
    child.kill()?;
    let id: TaskId = task.as_str().context("no task")?.parse()?;
    let tenant = Principal::local().tenant;
    let kept = child::tokio()?.block_on(kept(folder.path(), &TaskKey { tenant, id }))?;
    let Some(kept) = kept else { return Ok(None) };
    let written = fs::read(folder.path().join("out/cleaned.csv")).unwrap_or_default();
    let written = written.get(kept..).unwrap_or_default();
    Ok(Some(
        written.split(|byte| *byte == b'\n').count() as u64 - 1,
    ))
}

/// How many bytes of the output the newest checkpoint knows of; nothing where the task has ended.
async fn kept(folder: &Path, task: &TaskKey) -> anyhow::Result<Option<usize>> {
    let mut options = Options::new(folder.join("data"));
    options.run_found = false;
    let runtime = Runtime::start(options).await?;
    let record = runtime.record(task).await?;
    let bytes = match record.marks.last() {
        Some(mark) => {
            let state = runtime.export(task, mark.id).await?.state;
            let bytes = state
                .pointer("/state/cleaned_bytes")
                .and_then(Value::as_u64);
            bytes.context("a checkpoint without its place")?
        }
        None => 0,
    };
    runtime.drain(Duration::ZERO).await;
    let is_at_work = !record.state.is_terminal();
    Ok(is_at_work.then_some(usize::try_from(bytes)?))
}

fn start(folder: &Path, input: &Path, chunk: u64) -> anyhow::Result<Child> {
    let input = input.to_str().context("a folder without a name")?;
    Child::start("etl", folder, &[input, &chunk.to_string()])
}

/// A child: runs the pipeline, and says which task that is and how long it took.
pub(crate) fn etl(folder: &Path, words: &[String]) -> anyhow::Result<()> {
    let [input, chunk] = words else {
        anyhow::bail!("an input and a chunk");
    };
    let output = folder.join("out");
    fs::create_dir(&output)?;
    let tokio = child::tokio()?;
    let runtime = tokio.block_on(async {
        let runtime = Runtime::start(Options::new(folder.join("data"))).await?;
        let etl = runtime.add(ETL_PIPELINE.to_vec()).await?;
        let arguments = json!({
            "chunk_records": chunk.parse::<u64>()?, "group_by": "region", "measure": "amount",
        });
        let mut request = Request::new(etl.manifest.component, "etl_pipeline", arguments);
        request.grants = vec![
            format!("{input}:/in").parse()?,
            format!("{}:/out:rw", output.display()).parse()?,
        ];
        let begun = Instant::now();
        let task = runtime.submit(request).await?.record.key();
        child::say(&json!(task.id.to_string()))?;
        let record = runtime.wait(&task).await?;
        let took = begun.elapsed();
        let is_done = runtime.output(&task).await?.is_some();
        anyhow::ensure!(is_done, "the pipeline ended {}", record.status());
        child::say(&json!(took.as_secs_f64()))?;
        anyhow::Ok(runtime)
    })?;
    child::wait_for_end()?;
    tokio.block_on(runtime.drain(Duration::ZERO));
    Ok(())
}

fn write_input(folder: &Path, rows: usize) -> anyhow::Result<()> {
    let mut text = String::from("order,region,item,amount\n");
    for row in 0..rows {
        let (region, item) = (["north", "south", "east", "west"].get(row % 4), row % 997);
        let region = region.context("a region")?;
        writeln!(text, "{row},{region},item {item},{}.5", row % 500)?;
    }
    Ok(fs::write(folder.join("orders.csv"), text)?)
}
