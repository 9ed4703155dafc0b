//! How long a stop takes, from the request to the task's durable end.
//!
//! At once, of a guest that never calls the host: nobody asks it, so it may not matter what it does;
//! how long it then holds its slot is stated. And in order, of a tool that makes one step after the
//! other: it is told at its next boundary, and returns. There is no baseline: what has to be reached
//! is a time that nobody notices.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use serde_json::{Value, json};
use stepwell::id::{Principal, TaskKey};
use stepwell::runtime::Cancellation;
use stepwell::task::{How, Outcome, Record, State};

use crate::house::{self, House, RUNNING};
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

/// What was measured of many stops.
#[derive(Default)]
struct Stops {
    ended: Vec<Duration>,
    freed: Vec<Duration>,
}

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tokio = house::tokio()?;
    let house = tokio.block_on(House::open(RUNNING))?;
    let samples = scale.of(500, 25);
    let mut spinning = tokio.block_on(immediate(&house, samples))?;
    let mut at_work = tokio.block_on(graceful(&house, samples))?;
    tokio.block_on(house.close());
    let max = |ms| Reach::Max(Amount::Time(Duration::from_millis(ms)));
    for (what, took, reach) in [
        (
            "stop of a spinning guest, immediate",
            &mut spinning.ended,
            max(50),
        ),
        (
            "slot of a spinning guest that was stopped, free",
            &mut spinning.freed,
            Reach::Stated,
        ),
        ("stop at a boundary, graceful", &mut at_work.ended, max(20)),
    ] {
        let median = Amount::Time(percentile(took, 50.0));
        table.add(Row {
            measure: format!("{what}, p99 (p50 {median})"),
            stepwell: Amount::Time(percentile(took, 99.0)),
            baseline: None,
            reach,
        });
    }
    Ok(())
}

async fn immediate(house: &House, samples: usize) -> anyhow::Result<Stops> {
    let mut stops = Stops::default();
    for sample in 0..samples {
        let task = submit(house, "spin", json!({})).await?;
        while !house.runtime.is_loaded(&task) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Longer than it takes to begin, and not in step with the clock that interrupts guests.
        let apart = Duration::from_micros((sample as u64 * 370) % 5_000);
        tokio::time::sleep(Duration::from_millis(3) + apart).await;
        let how = stop(
            house,
            &task,
            Cancellation::immediate(Principal::local()),
            &mut stops,
        )
        .await?;
        ensure!(
            how == How::Immediate,
            "it was stopped in another way: {how:?}"
        );
    }
    Ok(stops)
}

async fn graceful(house: &House, samples: usize) -> anyhow::Result<Stops> {
    let mut stops = Stops::default();
    for sample in 0..samples {
        let task = submit(house, "journal", house::journal_for_ever()).await?;
        let steps = 3 + sample as u64 % 10;
        house
            .runtime
            .wait_for(&task, |record| record.steps >= steps)
            .await?;
        let how = stop(
            house,
            &task,
            Cancellation::graceful(Principal::local()),
            &mut stops,
        )
        .await?;
        ensure!(how == How::Clean, "it was stopped in another way: {how:?}");
    }
    Ok(stops)
}

async fn submit(house: &House, tool: &str, arguments: Value) -> anyhow::Result<TaskKey> {
    let request = house.request(tool, arguments);
    Ok(house.runtime.submit(request).await?.record.key())
}

/// Stops a task, and says how it ended.
async fn stop(
    house: &House,
    task: &TaskKey,
    cancel: Cancellation,
    stops: &mut Stops,
) -> anyhow::Result<How> {
    let runtime = &house.runtime;
    ensure!(runtime.gauges().running == 1, "it is not alone");
    let begun = Instant::now();
    runtime.cancel(task, cancel).await?;
    let record = runtime.wait(task).await?;
    stops.ended.push(begun.elapsed());
    while runtime.gauges().running > 0 {
        tokio::task::yield_now().await;
    }
    stops.freed.push(begun.elapsed());
    how(&record)
}

fn how(record: &Record) -> anyhow::Result<How> {
    match &record.state {
        State::Finished {
            outcome: Outcome::Cancelled { how },
            ..
        } => Ok(how.clone()),
        state => bail!("it was not cancelled: {}", state.status()),
    }
}
