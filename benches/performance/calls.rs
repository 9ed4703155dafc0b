//! What a call costs of which nothing is kept: a fresh guest, one call, and it is dropped; against
//! the same in bare wasmtime.
//!
//! Both sides are called from tasks of tokio on the same threads. The baseline runs its guest right
//! there, as whoever embeds wasmtime would begin; that Stepwell runs guests on threads of their own,
//! has a queue before them and checks arguments and results, is what it costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::house::{self, House};
use crate::rounds::{Pair, each, in_turn};
use crate::table::{Amount, Reach, Row, Scale, Table};
use crate::wasm::{Wasm, plain};

/// The guests that are loaded at once as a rule: the pool is made for as many.
const SLOTS: usize = 256;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tokio = house::tokio()?;
    let house = Arc::new(tokio.block_on(House::open(SLOTS))?);
    let wasm =
        Arc::new(Wasm::new(stepwell_guest_examples::TEST_GUEST).map_err(|error| plain(&error))?);
    for (at_once, calls) in [(1, scale.of(4_000, 50)), (8, scale.of(1_000, 50))] {
        let stepwell = || tokio.block_on(stepwell(&house, at_once, calls));
        let baseline = || tokio.block_on(baseline(&wasm, at_once, calls));
        let Pair { stepwell, baseline } = in_turn(scale.of(5, 5), stepwell, baseline)?;
        table.add(Row {
            measure: format!("fresh attempt, one call, dropped, {at_once} at once"),
            stepwell: Amount::Time(stepwell),
            baseline: Some(Amount::Time(baseline)),
            reach: Reach::RatioMax(1.5),
        });
    }
    if let Some(house) = Arc::into_inner(house) {
        tokio.block_on(house.close());
    }
    Ok(())
}

fn arguments() -> Value {
    json!({"text": "the quick brown fox", "number": 7})
}

/// `at_once` callers, each with `calls` calls one after the other: the time that each call has.
async fn stepwell(house: &Arc<House>, at_once: usize, calls: usize) -> anyhow::Result<Duration> {
    house.commits.take();
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let house = house.clone();
        callers.spawn(async move {
            for _ in 0..calls {
                let request = house.request("echo", arguments());
                let called = house.runtime.call(request, |_| {}).await?;
                let output = called.result.ok().context("a call has failed")?;
                ensure!(output.structured == Some(arguments()), "no echo");
            }
            anyhow::Ok(())
        });
    }
    while let Some(called) = callers.join_next().await {
        called??;
    }
    let took = begun.elapsed();
    // What is written is what the tenant is charged, about once in a second.
    let charges = usize::try_from(took.as_secs())? + 2;
    ensure!(house.commits.take().len() <= charges, "something was kept");
    Ok(each(took, at_once * calls))
}

async fn baseline(wasm: &Arc<Wasm>, at_once: usize, calls: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let wasm = wasm.clone();
        callers.spawn(async move {
            for _ in 0..calls {
                let echo = wasm.echo(arguments().to_string());
                echo.await.map_err(|error| plain(&error))?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(called) = callers.join_next().await {
        called??;
    }
    Ok(each(begun.elapsed(), at_once * calls))
}
