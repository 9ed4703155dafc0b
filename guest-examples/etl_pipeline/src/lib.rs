//! `etl_pipeline`: reads CSV and NDJSON files of any size from a granted folder, cleans and
//! aggregates them, and writes the results to another, a checkpoint per chunk.
//!
//! Each chunk is a step whose output is the pipeline's next state, which is then saved. A
//! step that is run again first cuts the outputs back to the lengths in the state before
//! it, so whatever an interrupted attempt wrote beyond is gone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use etl::{Pipeline, Plan, Reason, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stepwell_guest::{Error, Result, Task, TaskSupport, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    /// A `.csv` or `.ndjson` file, or a folder of them, in a folder that is granted.
    #[serde(default = "input")]
    #[schemars(with = "String")]
    input: PathBuf,
    /// The folder of the results, in a folder that is granted for writing.
    #[serde(default = "output")]
    #[schemars(with = "String")]
    output: PathBuf,
    /// How many records lie between two checkpoints. Few: little work is done again after an
    /// interruption. Many: less time is spent on checkpoints.
    #[serde(default = "chunk_records")]
    #[schemars(range(min = 1))]
    chunk_records: u64,
    /// How much there may be to read, like `10GB`. If it is more, nothing is read.
    data_size: Option<String>,
    /// The column whose values are counted apart; at most 10000 of them.
    group_by: Option<String>,
    /// The column whose numbers are added up.
    measure: Option<String>,
    /// The columns without which a record is rejected.
    #[serde(default)]
    required: Vec<String>,
}

fn input() -> PathBuf {
    "/in".into()
}

fn output() -> PathBuf {
    "/out".into()
}

fn chunk_records() -> u64 {
    10_000
}

#[derive(Serialize, JsonSchema)]
struct Report {
    /// Records that are clean, in `cleaned.csv`.
    cleaned: u64,
    /// Records that are not, by reason, in `rejected.csv`.
    rejected: BTreeMap<&'static str, u64>,
    /// How many groups there are in `summary.csv`.
    groups: usize,
    /// How many bytes were read.
    bytes: u64,
}

/// What a checkpoint holds.
#[derive(Serialize, Deserialize)]
struct Saved {
    plan: Plan,
    state: State,
}

/// What a chunk depends on.
#[derive(Serialize)]
struct Range {
    source: usize,
    offset: u64,
    records: u64,
}

fn etl_pipeline(task: &Task, args: Args) -> Result<Report> {
    if args.chunk_records == 0 {
        return Err(Error::invalid_arguments("`chunk_records` is at least 1"));
    }
    let bytes_max = args.data_size.as_deref().map(size).transpose()?;
    let options = etl::Options {
        input: args.input,
        output: args.output,
        group_by: args.group_by,
        measure: args.measure,
        required: args.required,
    };
    let mut saved = match task.load::<Saved>()? {
        Some(saved) => saved,
        None => Saved {
            plan: task.step("plan", || Plan::make(&options).map_err(wrong_input))?,
            state: State::default(),
        },
    };
    let bytes = saved.plan.bytes();
    if bytes_max.is_some_and(|max| bytes > max) {
        let message = format!("there are {bytes} bytes to read, more than `data_size` allows");
        return Err(Error::invalid_arguments(message));
    }
    let mut pipeline = Pipeline::new(&options, &saved.plan).map_err(wrong_input)?;
    while !saved.plan.is_done(&saved.state) {
        let State { source, offset, .. } = saved.state;
        let range = Range {
            source,
            offset,
            records: args.chunk_records,
        };
        saved.state = task.step_with("chunk", &range, |range| {
            pipeline
                .chunk(&saved.state, range.records)
                .map_err(wrong_input)
        })?;
        task.save(&saved)?;
        let done = saved.plan.bytes_done(&saved.state);
        task.progress(done, Some(saved.plan.bytes()), "bytes read");
    }
    task.step("summary", || {
        pipeline.finish(&saved.state).map(drop).map_err(wrong_input)
    })?;
    Ok(report(&saved))
}

fn report(saved: &Saved) -> Report {
    let summary = &saved.state.summary;
    let word = |(reason, count): (&Reason, &u64)| (reason.word(), *count);
    Report {
        cleaned: summary.cleaned,
        rejected: summary.rejected.iter().map(word).collect(),
        groups: summary.groups.len(),
        bytes: saved.plan.bytes(),
    }
}

/// The bytes of a size like `10GB` or `64MiB`.
fn size(text: &str) -> Result<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let ends = |(unit, bytes): (&str, u64)| Some((text.strip_suffix(unit)?, bytes));
    let (number, bytes) = UNITS.into_iter().find_map(ends).unwrap_or((text, 1));
    let number: Option<u64> = number.trim().parse().ok();
    number
        .and_then(|number| number.checked_mul(bytes))
        .ok_or_else(|| Error::invalid_arguments("`data_size` takes a size like `10GB`"))
}

/// What does not fit the input is the caller's to mend; a file that fails is not.
fn wrong_input(error: etl::Error) -> Error {
    match error {
        etl::Error::Input(message) => Error::invalid_arguments(message),
        error @ etl::Error::File(..) => error.into(),
    }
}

stepwell_guest::export!(
    Tool::new("etl_pipeline", etl_pipeline)
        .title("ETL pipeline")
        .description(
            "Reads CSV or NDJSON files of any size, cleans and aggregates the records, and \
             writes the results.",
        )
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .task_support(TaskSupport::Required)
);
