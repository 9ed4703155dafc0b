//! What a durable step costs, alone and among many, against the same rows in the bare store.
//!
//! A step of one task is a batch of its own on both sides, asked for when the one before it was
//! answered. For many tasks the baseline is what the engine can do at best: it is handed batches of
//! 64 steps, each of another task, that are made while the one before is synced, and nobody waits
//! for an answer in between. Whether a step costs more the more steps there were is measured
//! against the same task.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use stepwell::id::{Principal, TaskId, TaskKey};
use stepwell::runtime::{Cancellation, Runtime};
use stepwell::task::Status;
use tokio::task::JoinSet;

use crate::bare::{Bare, Row};
use crate::house::{self, Commit, House, RUNNING};
use crate::rounds::{Pair, each, in_turn};
use crate::rows;
use crate::table::{Amount, Reach, Row as Measure, Scale, Table, percentile};

/// The steps of a batch of the baseline for many tasks.
const BATCH: usize = 64;

/// The steps on each side of the place where a step is measured.
const AROUND: usize = 50;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let rows = house::tokio()?.block_on(rows::of_steps(scale.of(2_000, 40)))?;
    let Pair { stepwell, baseline } = alone(&rows, scale.of(5, 5))?;
    table.add(Measure {
        measure: "durable step, 1 task".into(),
        stepwell: Amount::Time(stepwell),
        baseline: Some(Amount::Time(baseline)),
        reach: Reach::RatioMax(1.5),
    });
    for tasks in [32, 512] {
        let Pair { stepwell, baseline } = many(&rows, tasks, scale)?;
        table.add(Measure {
            measure: format!("durable steps, {tasks} tasks"),
            stepwell: per_second(stepwell),
            baseline: Some(per_second(baseline)),
            reach: Reach::RatioMin(0.5),
        });
    }
    let (early, late) = (100, scale.of(10_000, 20));
    let Pair { stepwell, baseline } = late_and_early(scale.of(9, 4), early, late)?;
    table.add(Measure {
        measure: format!("cost of step {late}, against step {early}"),
        stepwell: Amount::Time(stepwell),
        baseline: Some(Amount::Time(baseline)),
        reach: Reach::RatioMax(1.1),
    });
    Ok(())
}

fn alone(rows: &[Vec<Row>], rounds: usize) -> anyhow::Result<Pair> {
    let tokio = house::tokio()?;
    let house = tokio.block_on(House::open(RUNNING))?;
    let bare = Bare::start(1)?;
    let stepwell = || {
        let commits = tokio.block_on(house.steps(rows.len()))?;
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
            anyhow::bail!("no steps");
        };
        Ok(each(last.at - first.at, rows.len() - 1))
    };
    let baseline = || {
        let task = TaskId::random();
        let begun = Instant::now();
        for step in rows {
            let step = step.iter().map(|row| row.of(task)).collect();
            bare.ask(step)?.blocking_recv()?;
        }
        Ok(each(begun.elapsed(), rows.len()))
    };
    let pair = in_turn(rounds, stepwell, baseline)?;
    tokio.block_on(house.close());
    Ok(pair)
}

fn many(rows: &[Vec<Row>], tasks: usize, scale: &Scale) -> anyhow::Result<Pair> {
    let tokio = house::tokio()?;
    let house = tokio.block_on(House::open(tasks))?;
    let bare = Bare::start(1)?;
    let window = Duration::from_secs(2) / if scale.is_quick { 10 } else { 1 };
    let stepwell = || tokio.block_on(loaded(&house, tasks, window));
    let baseline = || batches(&bare, rows, scale.of(2_000, 40));
    let pair = in_turn(scale.of(3, 3), stepwell, baseline)?;
    tokio.block_on(house.close());
    Ok(pair)
}

/// The time that a step has, among those of `tasks` tasks that all are at work.
async fn loaded(house: &House, tasks: usize, window: Duration) -> anyhow::Result<Duration> {
    let runtime = &house.runtime;
    let mut keys = Vec::new();
    for _ in 0..tasks {
        let request = house.request("journal", house::journal_for_ever());
        keys.push(runtime.submit(request).await?.record.key());
    }
    while runtime.gauges().running < tasks || least(runtime, &keys).await? == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = steps(runtime, &keys).await?;
    let begun = Instant::now();
    tokio::time::sleep(window).await;
    let done = steps(runtime, &keys).await? - before;
    let took = begun.elapsed();
    let mut stops = JoinSet::new();
    for key in keys {
        let runtime = runtime.clone();
        let cancel = Cancellation::immediate(Principal::local());
        stops.spawn(async move { runtime.cancel(&key, cancel).await.map(drop) });
    }
    while let Some(stopped) = stops.join_next().await {
        stopped??;
    }
    while runtime.gauges().running > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Nobody looks at them.
    house.commits.take();
    Ok(each(took, usize::try_from(done)?))
}

/// The steps of all tasks so far, none of which may have ended.
async fn steps(runtime: &Runtime, tasks: &[TaskKey]) -> anyhow::Result<u64> {
    let mut steps = 0;
    for task in tasks {
        let record = runtime.record(task).await?;
        ensure!(record.status() == Status::Running, "a task is not at work");
        steps += record.steps;
    }
    Ok(steps)
}

/// The steps of the task that has the fewest.
async fn least(runtime: &Runtime, tasks: &[TaskKey]) -> anyhow::Result<u64> {
    let mut least = u64::MAX;
    for task in tasks {
        least = least.min(runtime.record(task).await?.steps);
    }
    Ok(least)
}

/// The time that a step has in the bare store, which is handed one batch after the other.
fn batches(bare: &Bare, rows: &[Vec<Row>], count: usize) -> anyhow::Result<Duration> {
    let mut answers = Vec::with_capacity(count);
    let begun = Instant::now();
    while answers.len() < count {
        let tasks: Vec<_> = (0..BATCH).map(|_| TaskId::random()).collect();
        for step in rows.iter().take(count - answers.len()) {
            let of = |task: &TaskId| step.iter().map(|row| row.of(*task)).collect::<Vec<_>>();
            answers.push(bare.ask(tasks.iter().flat_map(of).collect())?);
        }
    }
    for answer in answers {
        answer.blocking_recv()?;
    }
    Ok(each(begun.elapsed(), count * BATCH))
}

/// The time of a step around number `late` (as Stepwell's) and around number `early` (as the
/// baseline) of the same task: medians, of as many tasks.
fn late_and_early(tasks: usize, early: usize, late: usize) -> anyhow::Result<Pair> {
    let tokio = house::tokio()?;
    let house = tokio.block_on(House::open(RUNNING))?;
    let (mut lates, mut earlies) = (Vec::new(), Vec::new());
    for _ in 0..tasks {
        let commits = tokio.block_on(house.steps(late + AROUND))?;
        lates.push(around(&commits, late)?);
        earlies.push(around(&commits, early)?);
    }
    tokio.block_on(house.close());
    Ok(Pair {
        stepwell: percentile(&mut lates, 50.0),
        baseline: percentile(&mut earlies, 50.0),
    })
}

/// The median of the times between commits around number `at`.
fn around(commits: &[Commit], at: usize) -> anyhow::Result<Duration> {
    let commits = commits.get(at - AROUND..at + AROUND);
    let commits = commits.context("too few steps")?;
    let gaps = commits.iter().zip(commits.iter().skip(1));
    let mut gaps: Vec<_> = gaps.map(|(from, to)| to.at - from.at).collect();
    Ok(percentile(&mut gaps, 50.0))
}

fn per_second(each: Duration) -> Amount {
    Amount::PerSecond(1.0 / each.as_secs_f64())
}
