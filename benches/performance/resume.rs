//! How long a task with a long journal takes to go on.
//!
//! It is paused at a boundary, so its guest is unloaded. From the request to resume it on, a fresh
//! guest runs the tool again and is answered every finished step from the journal; the time ends
//! when the first step that it had not done before is on the disk. There is no baseline: what has
//! to be reached is a time that nobody notices.

use std::time::{Duration, Instant};

use anyhow::ensure;
use stepwell::id::Principal;
use stepwell::task::Status;

use crate::house::{self, House, RUNNING};
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let (steps, samples) = (scale.of(10_000, 20), scale.of(20, 7));
    let mut took = house::tokio()?.block_on(resume(steps as u64, samples))?;
    table.add(Row {
        measure: format!("resume of a task with {steps} steps, until its next fresh step, p50"),
        stepwell: Amount::Time(percentile(&mut took, 50.0)),
        baseline: None,
        reach: Reach::Max(Amount::Time(Duration::from_millis(100))),
    });
    Ok(())
}

async fn resume(steps: u64, samples: usize) -> anyhow::Result<Vec<Duration>> {
    let house = House::open(RUNNING).await?;
    let (runtime, me) = (&house.runtime, Principal::local());
    let request = house.request("journal", house::journal_for_ever());
    let task = runtime.submit(request).await?.record.key();
    runtime
        .wait_for(&task, |record| record.steps >= steps)
        .await?;
    let mut took = Vec::with_capacity(samples);
    for _ in 0..samples {
        let paused = runtime.pause(&task, &me).await?;
        ensure!(paused.status() == Status::Paused, "it is not paused");
        // What is measured may not be another amount of work in the end.
        let is_as_said = (steps..steps + steps / 5 + 200).contains(&paused.steps);
        ensure!(is_as_said, "it has {} steps", paused.steps);
        while runtime.is_loaded(&task) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let begun = Instant::now();
        runtime.resume(&task, &me).await?;
        runtime
            .wait_for(&task, |record| record.steps > paused.steps)
            .await?;
        took.push(begun.elapsed());
        let record = runtime.record(&task).await?;
        ensure!(record.attempt == paused.attempt + 1, "it was not run again");
    }
    house.close().await;
    Ok(took)
}
