//! A thousand tasks of one client, all of them asked for at the same moment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::client::Client;
use super::fate::{Fate, has_result, submit};
use super::server::Server;
use super::{stated, tokio, wire};
use crate::table::{Amount, Reach, Row, Scale, Table};

const TASKS: usize = 1_000;

/// How often each client asks for its task, and when it takes it for lost.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of them.
#[derive(Default)]
struct Seen {
    /// When the last one was answered, and when the last one's result was there.
    answered: Duration,
    ended: Duration,
    accepted: usize,
    lost: usize,
    refused: BTreeMap<&'static str, usize>,
}

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tasks = scale.of(TASKS, 5);
    let server = Server::start("always", "")?;
    let seen = tokio()?.block_on(at_once(server.address, tasks))?;
    let named = format!("{tasks} tasks of one client at once");
    let row = |measure: &str| format!("{named}: {measure}");
    table.add(stated(row("all answered"), Amount::Time(seen.answered)));
    table.add(stated(row("accepted"), Amount::Count(seen.accepted)));
    for (refusal, count) in seen.refused {
        table.add(stated(
            row(&format!("refused, `{refusal}`")),
            Amount::Count(count),
        ));
    }
    let all = "all that were accepted ended, and seen to";
    table.add(stated(row(all), Amount::Time(seen.ended)));
    table.add(Row {
        measure: row("accepted, but without a result"),
        stepwell: Amount::Count(seen.lost),
        baseline: None,
        reach: Reach::Max(Amount::Count(0)),
    });
    server.end()
}

async fn at_once(address: SocketAddr, tasks: usize) -> anyhow::Result<Seen> {
    let call = wire::call("echo", &wire::arguments(), &wire::tasks());
    let call = Bytes::from(wire::http(&call));
    let mut clients = Vec::new();
    for _ in 0..tasks {
        clients.push(Client::connect(address).await?);
    }
    let begun = Instant::now();
    let mut at_work = JoinSet::new();
    for mut client in clients {
        let call = call.clone();
        at_work.spawn(async move {
            let fate = submit(&mut client, &call).await?;
            let answered = begun.elapsed();
            let has_result = match &fate {
                Fate::Refused(_) => false,
                Fate::Accepted(task) => has_result(&mut client, task, (PAUSE, PATIENCE)).await?,
            };
            anyhow::Ok((fate, answered, has_result))
        });
    }
    let mut seen = Seen::default();
    while let Some(done) = at_work.join_next().await {
        let (fate, answered, has_result) = done??;
        seen.answered = seen.answered.max(answered);
        match fate {
            Fate::Refused(why) => *seen.refused.entry(why).or_default() += 1,
            Fate::Accepted(_) => {
                seen.accepted += 1;
                seen.lost += usize::from(!has_result);
            }
        }
    }
    seen.ended = begun.elapsed();
    Ok(seen)
}
