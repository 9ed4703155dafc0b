//! What a durable step costs, against one synced batch of as many bytes in the bare store, in one
//! run: `cargo bench`. Only the ratio travels; the times are this machine's at this moment.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use serde_json::json;
use stepwell::clock::Stopwatch;
use stepwell::runtime::{Options, Request, Runtime};

/// The steps of one task, and the batches of the baseline.
const STEPS: u32 = 2_000;

/// The bytes that a step returns.
const OUTPUT: usize = 256;

/// What a step writes beside its output, roughly: its row's key and head, the record, the event.
const BESIDE: usize = 320;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let before = bare(&folder.path().join("before"))?;
    let step = steps(&folder.path().join("stepwell")).await?;
    let after = bare(&folder.path().join("after"))?;
    let baseline = (before + after) / 2;
    println!("measure       | stepwell   | baseline   | ratio");
    println!(
        "durable step  | {:>7.1} us | {:>7.1} us | {:.2}",
        micros(step),
        micros(baseline),
        micros(step) / micros(baseline)
    );
    println!(
        "baseline before and after: {:.1} us, {:.1} us",
        micros(before),
        micros(after)
    );
    Ok(())
}

/// One task of many steps, begun and completed one after the other.
async fn steps(folder: &Path) -> Result<Duration, Box<dyn Error>> {
    let runtime = Runtime::start(Options::new(folder)).await?;
    let guest = stepwell_guest_examples::TEST_GUEST.to_vec();
    let component = runtime.add(guest).await?.manifest.component;
    let call = |count| {
        Request::new(
            component,
            "journal",
            json!({"count": count, "bytes": OUTPUT}),
        )
    };
    // The first task warms what every later one finds warm.
    let warm = runtime.submit(call(10)).await?;
    runtime.wait(&warm.record.key()).await?;
    let watch = Stopwatch::start();
    let task = runtime.submit(call(STEPS)).await?;
    let record = runtime.wait(&task.record.key()).await?;
    let took = watch.elapsed();
    assert_eq!(record.steps, u64::from(STEPS), "every step was journalled");
    runtime.drain(Duration::from_secs(5)).await;
    Ok(took / STEPS)
}

/// The bare store: a batch of three entries, synced, again and again.
fn bare(folder: &Path) -> Result<Duration, Box<dyn Error>> {
    let database = Database::builder(folder).open()?;
    let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
    let watch = Stopwatch::start();
    for number in 0..STEPS {
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&rows, number.to_be_bytes(), vec![7; OUTPUT]);
        batch.insert(&rows, b"record".as_slice(), vec![7; BESIDE / 2]);
        batch.insert(&rows, (number | 1 << 31).to_be_bytes(), vec![7; BESIDE / 2]);
        batch.commit()?;
    }
    Ok(watch.elapsed() / STEPS)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
