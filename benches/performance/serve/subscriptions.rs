//! A thousand open subscriptions of one client, each to the same task: what they hold, and what is
//! left when they are closed.
//!
//! What the server gives back is not seen from outside: the allocator keeps it for what comes next.
//! So they are opened again and again: what is lost would have to be taken anew each time.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use super::client::Client;
use super::fate::{Fate, submit};
use super::server::Server;
use super::{stated, tokio, wire};
use crate::table::{Amount, Reach, Row, Scale, Table};

const SUBSCRIPTIONS: usize = 1_000;

/// What may be taken anew, by pieces that did not fit into what was there: a lost subscription would
/// be some 30 KiB.
const SLACK: u64 = 4 << 20;

/// After that the server has noticed that a client has gone.
const SETTLING: Duration = Duration::from_secs(2);

/// What the server held.
struct Held {
    before: u64,
    open: u64,
    closed: u64,
}

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let count = scale.of(SUBSCRIPTIONS, 5);
    let server = Server::start("always", "")?;
    let tokio = tokio()?;
    let task = tokio.block_on(sleeping(server.address))?;
    let held = || -> anyhow::Result<Held> {
        let before = server.resident()?;
        let open = tokio.block_on(subscribed(server.address, &task, count))?;
        sleep(SETTLING);
        let at_work = server.resident()?;
        drop(open);
        sleep(SETTLING);
        Ok(Held {
            before,
            open: at_work,
            closed: server.resident()?,
        })
    };
    let (first, second, third) = (held()?, held()?, held()?);
    let more = |than: u64, is: u64| Amount::Bytes(is.saturating_sub(than));
    let each = first.open.saturating_sub(first.before) / count as u64;
    let named = format!("{count} subscriptions of one client");
    let row = |measure: &str| format!("{named}: {measure}");
    table.add(stated(row("memory of each"), Amount::Bytes(each)));
    table.add(stated(
        row("more memory than before, once closed"),
        more(first.before, first.closed),
    ));
    table.add(Row {
        reach: Reach::Max(Amount::Bytes(SLACK)),
        ..stated(
            row("more memory after the third time than after the second"),
            more(second.closed, third.closed),
        )
    });
    server.end()
}

/// A task that lasts longer than the measurement.
async fn sleeping(address: SocketAddr) -> anyhow::Result<String> {
    let ops = serde_json::json!({"ops": [{"sleep": "an hour", "ms": 3_600_000}]});
    let call = wire::http(&wire::call("script", &ops, &wire::tasks()));
    let mut client = Client::connect(address).await?;
    match submit(&mut client, &call).await? {
        Fate::Accepted(task) => Ok(task),
        Fate::Refused(why) => anyhow::bail!("a task was refused: {why}"),
    }
}

/// Subscriptions that have been told how the task is.
async fn subscribed(address: SocketAddr, task: &str, count: usize) -> anyhow::Result<Vec<Client>> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Client::connect(address).await?;
        client.listen(&wire::listen(task)).await?;
        client.event().await?;
        open.push(client);
    }
    Ok(open)
}
