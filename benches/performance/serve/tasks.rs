//! Calls that are answered with a task: until it is there, and until its client has the result,
//! by asking for it or by a subscription.
//!
//! Clients are told to ask every half second; here they ask without a pause, so that what is seen is
//! the server and not the pause.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinSet;

use super::client::Client;
use super::fate::{Fate, has_result, submit};
use super::server::Server;
use super::{CALLERS, rate, stated, tokio, wire};
use crate::rounds::each;
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

/// How soon a task has to be there, on a disk that syncs within [`FSYNC_MAX`].
const CREATED_MAX: Duration = Duration::from_millis(1);
const FSYNC_MAX: Duration = Duration::from_micros(200);

const WARM_UP: usize = 100;

/// How long a task that does nothing may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a client learns of its task's end.
#[derive(Clone, Copy)]
enum How {
    Asks,
    Subscribes,
}

/// When a task was there, and when its result was.
struct Took {
    created: Duration,
    done: Duration,
}

/// How tasks went.
struct Went {
    took: Vec<Took>,
    each: Duration,
}

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tokio = tokio()?;
    let server = Server::start("always", "")?;
    let run = |how, callers| tokio.block_on(tasks(server.address, how, callers));
    run(How::Asks, (1, WARM_UP))?;
    let asked = run(How::Asks, (1, scale.of(2_000, 20)))?;
    table.add(Row {
        measure: "task created over HTTP, `working` answered, p50 at 1 caller".into(),
        stepwell: p50(&asked, |took| took.created),
        baseline: None,
        reach: match table.fsync_before() <= FSYNC_MAX {
            true => Reach::Max(Amount::Time(CREATED_MAX)),
            // It would say more of the disk than of Stepwell.
            false => Reach::Stated,
        },
    });
    let measure = "task created over HTTP, asked for, result, p50 at 1 caller";
    table.add(stated(measure.into(), p50(&asked, |took| took.done)));
    let many = run(How::Asks, (CALLERS, scale.of(200, 20)))?;
    let measure = "task created over HTTP, asked for, result, throughput at";
    table.add(stated(
        format!("{measure} {CALLERS} callers"),
        rate(many.each),
    ));
    let told = run(How::Subscribes, (1, scale.of(1_000, 20)))?;
    let measure = "task created over HTTP, subscribed to, result, p50 at 1 caller";
    table.add(stated(measure.into(), p50(&told, |took| took.done)));
    server.end()
}

fn p50(went: &Went, of: fn(&Took) -> Duration) -> Amount {
    let mut took: Vec<_> = went.took.iter().map(of).collect();
    Amount::Time(percentile(&mut took, 50.0))
}

/// `callers`, each with `count` tasks, one after the other.
async fn tasks(
    address: SocketAddr,
    how: How,
    (callers, count): (usize, usize),
) -> anyhow::Result<Went> {
    let call = wire::call("echo", &wire::arguments(), &wire::tasks());
    let call = Bytes::from(wire::http(&call));
    let mut clients = Vec::new();
    for _ in 0..callers {
        clients.push(Client::connect(address).await?);
    }
    let begun = Instant::now();
    let mut at_work = JoinSet::new();
    for mut client in clients {
        let call = call.clone();
        at_work.spawn(async move {
            let mut took = Vec::with_capacity(count);
            for _ in 0..count {
                took.push(task(address, &mut client, (&call, how)).await?);
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::with_capacity(callers * count);
    while let Some(done) = at_work.join_next().await {
        took.extend(done??);
    }
    let each = each(begun.elapsed(), callers * count);
    Ok(Went { took, each })
}

async fn task(
    address: SocketAddr,
    client: &mut Client,
    (call, how): (&[u8], How),
) -> anyhow::Result<Took> {
    let begun = Instant::now();
    let Fate::Accepted(task) = submit(client, call).await? else {
        anyhow::bail!("a task was refused");
    };
    let created = begun.elapsed();
    match how {
        How::Asks => {
            let has_result = has_result(client, &task, (Duration::ZERO, PATIENCE)).await?;
            ensure!(has_result, "a task without a result");
        }
        How::Subscribes => told(address, &task).await?,
    }
    let done = begun.elapsed();
    Ok(Took { created, done })
}

/// Returns when the task's result was told. The subscription has a connection of its own, since it
/// lasts until that is closed.
async fn told(address: SocketAddr, task: &str) -> anyhow::Result<()> {
    let mut client = Client::connect(address).await?;
    client.listen(&wire::listen(task)).await?;
    loop {
        let event = client.event().await?;
        if event.pointer("/params/status") == Some(&json!("completed")) {
            let is_error = event.pointer("/params/result/isError");
            ensure!(is_error == Some(&json!(false)), "{event}");
            return Ok(());
        }
    }
}
