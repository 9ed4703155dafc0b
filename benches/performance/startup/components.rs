//! A start with ten components that were compiled before: until each of them can be called.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use stepwell::id::Digest;
use stepwell::runtime::{Options, Runtime};
use stepwell_guest_examples::{EXAMPLES, TEST_GUEST};
use tokio::task::JoinSet;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::child::{self, Child};
use crate::disk;
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const READY_MAX: Duration = Duration::from_millis(30);
const ROUNDS: usize = 15;

/// How many of the components are there once more, with another digest.
const TWICE: usize = 4;

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let (data, plain) = (disk::folder()?, disk::folder()?);
    let tokio = child::tokio()?;
    tokio.block_on(async {
        let runtime = Runtime::start(Options::new(data.path())).await?;
        for (_, component) in components() {
            runtime.add(component).await?;
        }
        runtime.drain(Duration::ZERO).await;
        anyhow::Ok(())
    })?;
    let engine = engine()?;
    for (index, (_, component)) in components().iter().enumerate() {
        let compiled = engine.precompile_component(component).map_err(refused)?;
        fs::write(plain.path().join(index.to_string()), compiled)?;
    }
    let (mut ready, mut started, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.of(ROUNDS, 5) {
        bare.push(took(&mut Child::start("bare", plain.path(), &[])?)?);
        let mut child = Child::start("ready", data.path(), &[])?;
        started.push(took(&mut child)?);
        ready.push(took(&mut child)?);
        child.end()?;
    }
    let baseline = Some(Amount::Time(percentile(&mut bare, 50.0)));
    let mut row = |measure: &str, times: &mut [Duration], reach| {
        table.add(Row {
            measure: measure.to_owned(),
            stepwell: Amount::Time(percentile(times, 50.0)),
            baseline,
            reach,
        });
    };
    row(
        "start to ready with 10 compiled components, against loading them with wasmtime",
        &mut ready,
        Reach::Max(Amount::Time(READY_MAX)),
    );
    row(
        "of that, until the runtime has started",
        &mut started,
        Reach::Stated,
    );
    Ok(())
}

fn took(child: &mut Child) -> anyhow::Result<Duration> {
    let (took, _) = child.says()?;
    Ok(Duration::from_secs_f64(took.as_f64().context("no time")?))
}

/// Ten components, with the name of a tool of each.
fn components() -> Vec<(&'static str, Vec<u8>)> {
    let all = || EXAMPLES.into_iter().chain([("echo", TEST_GUEST)]);
    let again = all().rev().take(TWICE).map(|(tool, component)| {
        // A section that means nothing, called `x`: the same component with another digest.
        (tool, [component, &[0, 2, 1, b'x']].concat())
    });
    let once = all().map(|(tool, component)| (tool, component.to_vec()));
    once.chain(again).collect()
}

/// A child: starts a runtime, and sees to it that each component can be called.
pub(crate) fn ready(folder: &Path, _: &[String]) -> anyhow::Result<()> {
    let components = components().into_iter();
    let components: Vec<_> = components
        .map(|(tool, component)| (tool, Digest::of(&component)))
        .collect();
    let tokio = child::tokio()?;
    let begun = Instant::now();
    let (runtime, started) = tokio.block_on(async {
        let runtime = Runtime::start(Options::new(folder)).await?;
        let started = begun.elapsed();
        // All at once, as their callers would.
        let mut loads = JoinSet::new();
        for (tool, component) in components {
            let runtime = runtime.clone();
            loads.spawn(async move { runtime.tool(component, tool).await.map(drop) });
        }
        while let Some(loaded) = loads.join_next().await {
            loaded??;
        }
        anyhow::Ok((runtime, started))
    })?;
    let ready = begun.elapsed();
    child::say(&json!(started.as_secs_f64()))?;
    child::say(&json!(ready.as_secs_f64()))?;
    child::wait_for_end()?;
    tokio.block_on(runtime.drain(Duration::ZERO));
    Ok(())
}

/// A child: loads the components with wasmtime alone.
pub(crate) fn bare(folder: &Path, _: &[String]) -> anyhow::Result<()> {
    let begun = Instant::now();
    let engine = engine()?;
    let mut loaded = Vec::new();
    for index in 0..components().len() {
        let compiled = fs::read(folder.join(index.to_string()))?;
        #[expect(
            unsafe_code,
            reason = "deserialize trusts its bytes to be what the compiler wrote"
        )]
        // SAFETY: the parent has just compiled them, into a folder of its own.
        let component = unsafe { Component::deserialize(&engine, compiled) };
        loaded.push(component.map_err(refused)?);
    }
    child::say(&json!(begun.elapsed().as_secs_f64()))
}

/// An engine whose guests are metered as Stepwell's are.
fn engine() -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config.consume_fuel(true).epoch_interruption(true);
    Engine::new(&config).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn refused(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
