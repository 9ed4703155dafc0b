//! What a client of `stepwell serve` sees: calls and tasks over MCP, against an axum handler that
//! reads the same JSON and sends it back; and what becomes of the server under load.
//!
//! The server is the program itself, and it and its baseline are processes of their own: their
//! clients are here, with one thread, and share nothing with them but the cores. Both have the same
//! client, which is as little as can be: requests are written beforehand, answers are read and
//! looked through for the one text that they must have. The baseline is less than anybody could
//! serve tools with: it knows no tool, no schema and no sandbox.

use std::time::Duration;

use crate::rounds::{Pair, in_turn};
use crate::table::{Amount, Reach, Row, Scale, Table};

mod baseline;
mod calls;
mod client;
mod crowd;
mod fate;
mod overload;
mod server;
mod stdio;
mod subscriptions;
mod tasks;
mod wire;

pub(crate) use baseline::serve as baseline;

/// The callers of the rows that have many.
const CALLERS: usize = 32;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    calls::run(table, scale)?;
    tasks::run(table, scale)
}

pub(crate) fn load(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    raise_files_max();
    crowd::run(table, scale)?;
    subscriptions::run(table, scale)?;
    overload::run(table, scale)
}

/// One thread for all clients: what they cost stays the same, however many there are.
fn tokio() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Each of a thousand clients has a connection, and with it an open file.
fn raise_files_max() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it stays too low, connecting fails and says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Something of which nothing is required.
fn stated(measure: String, stepwell: Amount) -> Row {
    Row {
        measure,
        stepwell,
        baseline: None,
        reach: Reach::Stated,
    }
}

/// How many there are in a second, where each has this much of it.
fn rate(each: Duration) -> Amount {
    Amount::PerSecond(1.0 / each.as_secs_f64())
}

/// The median of several rounds of something that has no baseline.
fn median(
    rounds: usize,
    mut measure: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<Duration> {
    let Pair { stepwell, .. } = in_turn(rounds, &mut measure, || Ok(Duration::ZERO))?;
    Ok(stepwell)
}
