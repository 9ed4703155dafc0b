//! Ten times more tasks than there is room for, for half a minute.
//!
//! The room is made small, so that it is known: so many guests at once, each of which sleeps for so
//! long on its slot. Clients send at a fixed pace, whatever they are answered, and one that was held
//! up makes up for it. A server that is overloaded has to say so at once, must not lose what it has
//! accepted, and must not keep what it has refused.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use super::client::Client;
use super::fate::{Fate, has_result, submit};
use super::server::Server;
use super::{stated, tokio, wire};
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const LOADED_MAX: usize = 8;
const QUEUED_MAX: usize = 100;

/// How long a task is on its slot: 8 slots are room for 400 of them in a second.
const TASK: Duration = Duration::from_millis(20);
const OVERLOAD: u32 = 10;

const CLIENTS: u32 = 40;
const SECONDS: usize = 30;

/// When a task is taken for lost.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// What may be left of it all: the store holds up to 8 MiB of each keyspace in memory before it
/// becomes a table.
const SLACK: u64 = 64 << 20;

/// After that the server has nothing more to do.
const SETTLING: Duration = Duration::from_secs(2);

/// What came of the calls.
#[derive(Default)]
struct Seen {
    accepted: Vec<String>,
    refusals: Vec<Duration>,
}

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let time = Duration::from_secs(scale.of(SECONDS, 10) as u64);
    let settings = format!(
        "[runtime]\nrunning_max = {LOADED_MAX}\n[tenant_defaults]\nqueued_max = {QUEUED_MAX}"
    );
    let server = Server::start("always", &settings)?;
    let tokio = tokio()?;
    // What is there as soon as there is any load is not what is left of it.
    let warmed = tokio.block_on(overload(server.address, time / 10))?;
    tokio.block_on(without_result(server.address, warmed.accepted))?;
    std::thread::sleep(SETTLING);
    let before = server.resident()?;
    let begun = Instant::now();
    let Seen {
        accepted,
        mut refusals,
    } = tokio.block_on(overload(server.address, time))?;
    let took = begun.elapsed();
    let (taken, all) = (accepted.len(), accepted.len() + refusals.len());
    let lost = tokio.block_on(without_result(server.address, accepted))?;
    std::thread::sleep(SETTLING);
    let more = server.resident()?.saturating_sub(before);

    let named = format!(
        "{OVERLOAD} times more tasks than room, {} s",
        time.as_secs()
    );
    let row = |measure: &str| format!("{named}: {measure}");
    table.add(Row {
        baseline: Some(per_second(taken, took)),
        ..stated(row("asked for, against accepted"), per_second(all, took))
    });
    for percent in [50.0, 99.0] {
        let time = Amount::Time(percentile(&mut refusals, percent));
        table.add(stated(row(&format!("a refusal, p{percent}")), time));
    }
    table.add(Row {
        reach: Reach::Max(Amount::Count(0)),
        ..stated(row("accepted, but without a result"), Amount::Count(lost))
    });
    table.add(Row {
        reach: Reach::Max(Amount::Bytes(SLACK)),
        ..stated(row("more memory than before"), Amount::Bytes(more))
    });
    server.end()
}

fn per_second(count: usize, took: Duration) -> Amount {
    #[allow(clippy::cast_precision_loss, reason = "no count here is so large")]
    Amount::PerSecond(count as f64 / took.as_secs_f64())
}

/// Asks for tasks at the pace of the overload.
async fn overload(address: SocketAddr, time: Duration) -> anyhow::Result<Seen> {
    let ops = json!({"ops": [{"sleep_host": TASK.as_millis()}]});
    let call = Bytes::from(wire::http(&wire::call("script", &ops, &wire::tasks())));
    let mut at_work = JoinSet::new();
    let pace = TASK * CLIENTS / OVERLOAD / u32::try_from(LOADED_MAX)?;
    // One after the other: it is not their bursts that are measured.
    let first = tokio::time::Instant::now();
    for number in 0..CLIENTS {
        let mut client = Client::connect(address).await?;
        let call = call.clone();
        at_work.spawn(async move {
            let mut seen = Seen::default();
            let mut pace = interval_at(first + pace * number / CLIENTS, pace);
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let begun = Instant::now();
            while begun.elapsed() < time {
                pace.tick().await;
                let sent = Instant::now();
                match submit(&mut client, &call).await? {
                    Fate::Accepted(task) => seen.accepted.push(task),
                    Fate::Refused(_) => seen.refusals.push(sent.elapsed()),
                }
            }
            anyhow::Ok(seen)
        });
    }
    let mut all = Seen::default();
    while let Some(seen) = at_work.join_next().await {
        let seen = seen??;
        all.accepted.extend(seen.accepted);
        all.refusals.extend(seen.refusals);
    }
    Ok(all)
}

/// How many of the tasks do not come to a result.
async fn without_result(address: SocketAddr, tasks: Vec<String>) -> anyhow::Result<usize> {
    let mut client = Client::connect(address).await?;
    let mut lost = 0;
    for task in tasks {
        let has_result = has_result(&mut client, &task, (PAUSE, PATIENCE)).await?;
        lost += usize::from(!has_result);
    }
    Ok(lost)
}
