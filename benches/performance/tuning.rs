//! What `docs/tuning.md` says: settings that trade one thing for another, both measured.
//!
//! It prints tables of its own, which have no baseline and nothing to reach.

use std::time::Duration;

use crate::table::{Scale, Table};

mod checkpoints;
mod policies;
mod stops;

pub(crate) use checkpoints::etl;

pub(crate) fn run(_: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    checkpoints::run(scale)?;
    stops::run(scale)?;
    policies::run(scale)
}

/// Prints a table as Markdown has it.
fn print<const COLUMNS: usize>(head: [&str; COLUMNS], rows: &[[String; COLUMNS]]) {
    let line = |cells: [&str; COLUMNS]| println!("| {} |", cells.join(" | "));
    println!();
    line(head);
    line([const { "---" }; COLUMNS]);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn mean(times: &[Duration]) -> Duration {
    let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
    times.iter().sum::<Duration>() / count
}

/// How many there were in a second.
fn rate(count: usize, took: Duration) -> u64 {
    let rate = count as u128 * 1_000_000_000 / took.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}
