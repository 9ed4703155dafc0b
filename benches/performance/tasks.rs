//! What a whole task costs that does nothing but return: accepted, run, completed, all of it
//! durable; against two batches of the same rows in the bare store.
//!
//! The least that anybody could do is to sync the acceptance before it is answered, and the end
//! before that is told. For many at once the baseline's writer commits together what waits, as
//! Stepwell's does, and the callers are tasks of tokio on the same threads: with a thread for each
//! of them the baseline would spend its time on waking threads, and be no baseline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stepwell::id::TaskId;
use tokio::task::JoinSet;

use crate::bare::{Bare, Row};
use crate::house::{self, House, RUNNING};
use crate::rounds::{Pair, each, in_turn};
use crate::rows;
use crate::table::{Amount, Reach, Row as Measure, Scale, Table};

/// The most requests that the baseline commits together: Stepwell's own bound.
const GROUPED_MAX: usize = 256;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tokio = house::tokio()?;
    let rows = Arc::new(tokio.block_on(rows::of_task())?);
    let house = Arc::new(tokio.block_on(House::open(RUNNING))?);
    let bare = Arc::new(Bare::start(GROUPED_MAX)?);
    for (at_once, tasks) in [(1, scale.of(500, 10)), (32, scale.of(100, 10))] {
        let stepwell = || tokio.block_on(stepwell(&house, at_once, tasks));
        let baseline = || tokio.block_on(baseline(&bare, &rows, at_once, tasks));
        let Pair { stepwell, baseline } = in_turn(scale.of(5, 5), stepwell, baseline)?;
        table.add(Measure {
            measure: format!("task accepted, run, completed, durable, {at_once} at once"),
            stepwell: Amount::Time(stepwell),
            baseline: Some(Amount::Time(baseline)),
            reach: Reach::RatioMax(2.0),
        });
    }
    if let Some(house) = Arc::into_inner(house) {
        tokio.block_on(house.close());
    }
    Ok(())
}

/// `at_once` callers, each with `tasks` tasks one after the other: the time that each task has.
async fn stepwell(house: &Arc<House>, at_once: usize, tasks: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let house = house.clone();
        callers.spawn(async move {
            for _ in 0..tasks {
                house.complete("echo", json!({})).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(called) = callers.join_next().await {
        called??;
    }
    Ok(each(begun.elapsed(), at_once * tasks))
}

async fn baseline(
    bare: &Arc<Bare>,
    rows: &Arc<rows::Task>,
    at_once: usize,
    tasks: usize,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (bare, rows) = (bare.clone(), rows.clone());
        callers.spawn(async move {
            for _ in 0..tasks {
                let id = TaskId::random();
                for rows in [&rows.accepted, &rows.ended] {
                    let rows: Vec<Row> = rows.iter().map(|row| row.of(id)).collect();
                    bare.ask(rows)?.await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(called) = callers.join_next().await {
        called??;
    }
    Ok(each(begun.elapsed(), at_once * tasks))
}
