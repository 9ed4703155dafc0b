//! One tenant's short calls beside another tenant that uses all the CPU it can get.
//!
//! The short calls are of `echo` and keep nothing; beside them 100 guests of the other tenant spin
//! for ever, on as many threads as there are cores. The baseline is the same calls in the same
//! process while nobody else is there. The two take turns, and all samples count.
//!
//! *Latency* is measured paced: a thread makes a call every 2 ms, whether or not the ones before
//! are answered, so that a slow one does not keep others from being measured. It counts from when
//! the call is handed to the threads that serve until its answer is there.
//!
//! *Throughput* is measured in a closed loop: one caller, who calls again once it is answered. So
//! the calls never need more than their tenant's half of the CPU: with more callers they would,
//! and fair sharing alone would then cost them throughput, for the other tenant to have its half.
//!
//! For comparison the same two are measured beside guests on tokio's own scheduler, as whoever
//! embeds wasmtime would run them: each guest a task of one runtime, which yields every 5 ms. It is
//! spared the queue and all else that a [`Runtime`](stepwell::runtime::Runtime) does for a call.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use stepwell_guest_examples::TEST_GUEST;
use tokio::runtime::Handle;

use crate::crowd::{House, busy, call, small, tenant};
use crate::plain::Plain;
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const GUESTS: usize = 100;
const EVERY: Duration = Duration::from_millis(2);

/// What was seen of the short calls.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    calls: usize,
    time: Duration,
}

impl Seen {
    /// Calls paced, and then in a closed loop.
    fn add<F>(
        &mut self,
        handle: &Handle,
        lasting: Duration,
        short: impl Fn() -> F + Clone + Send + 'static,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.latencies.extend(paced(handle, lasting, &short)?);
        let begun = Instant::now();
        self.calls += handle.block_on(handle.spawn(async move {
            let mut calls = 0;
            while begun.elapsed() < lasting {
                short().await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        }))??;
        self.time += begun.elapsed();
        Ok(())
    }

    fn latency(&mut self, percent: f64) -> Amount {
        Amount::Time(percentile(&mut self.latencies, percent))
    }

    fn throughput(&self) -> Amount {
        #[allow(clippy::cast_precision_loss, reason = "it is not so many")]
        Amount::PerSecond(self.calls as f64 / self.time.as_secs_f64())
    }
}

/// Makes a call at each of its times, and returns how long each took.
fn paced<F>(
    handle: &Handle,
    lasting: Duration,
    short: &impl Fn() -> F,
) -> anyhow::Result<Vec<Duration>>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let begun = Instant::now();
    let mut calls = Vec::new();
    let mut due = begun;
    while due < begun + lasting {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let short = short();
        let called = Instant::now();
        calls.push(handle.spawn(async move { short.await.map(|()| called.elapsed()) }));
        due += EVERY;
    }
    let took = calls.into_iter().map(|call| handle.block_on(call)?);
    took.collect()
}

/// What was seen alone, and beside the guests that spin.
type Both = [Seen; 2];

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let lasting = Duration::from_millis(scale.of(2_000, 4) as u64);
    let rounds = scale.of(4, 4);
    let [mut alone, mut beside] = on_stepwell(lasting, rounds)?;
    let [_, mut on_tokio] = on_tokio(lasting, rounds)?;
    let mut row = |what: &str, stepwell, baseline, reach| {
        table.add(Row {
            measure: format!("short calls beside {GUESTS} spinning guests, {what}"),
            stepwell,
            baseline: Some(baseline),
            reach,
        });
    };
    for (percent, reach) in [(50.0, Reach::Stated), (99.0, Reach::RatioMax(1.5))] {
        let (beside, alone) = (beside.latency(percent), alone.latency(percent));
        row(&format!("p{percent}"), beside, alone, reach);
    }
    let (many, alone) = (beside.throughput(), alone.throughput());
    row("throughput", many, alone, Reach::RatioMin(0.85));
    for percent in [50.0, 99.0] {
        let (ours, tokios) = (beside.latency(percent), on_tokio.latency(percent));
        let what = format!("p{percent}, against tokio's scheduler");
        row(&what, ours, tokios, Reach::Stated);
    }
    let what = "throughput, against tokio's scheduler";
    row(what, many, on_tokio.throughput(), Reach::Stated);
    Ok(())
}

fn on_stepwell(lasting: Duration, rounds: usize) -> anyhow::Result<Both> {
    let house = House::open(|_| {})?;
    let component = house.add(TEST_GUEST)?;
    let (short, other) = (tenant("short")?, tenant("other")?);
    let runtime = house.runtime.clone();
    let short = move || {
        let request = small(component, &short, "echo", json!({"text": "good day"}));
        let called = call(runtime.clone(), request);
        async move { called.await.map(drop) }
    };
    let [mut alone, mut beside] = Both::default();
    // The first calls of a process are slower: they count for nobody.
    Seen::default().add(house.serving.handle(), lasting / 4, short.clone())?;
    for _ in 0..rounds {
        alone.add(house.serving.handle(), lasting, short.clone())?;
        let spinning = house.spin(&[(other.clone(), GUESTS)])?;
        busy(|| beside.add(house.serving.handle(), lasting, short.clone()))?;
        spinning.end()?;
    }
    Ok([alone, beside])
}

fn on_tokio(lasting: Duration, rounds: usize) -> anyhow::Result<Both> {
    let plain = Plain::new(TEST_GUEST)?;
    let handle = plain.runtime.handle();
    let short = plain.short("echo", r#"{"text":"good day"}"#);
    let [mut alone, mut beside] = Both::default();
    Seen::default().add(handle, lasting / 4, short.clone())?;
    for _ in 0..rounds {
        alone.add(handle, lasting, short.clone())?;
        let spinning: Vec<_> = (0..GUESTS)
            .map(|_| plain.runtime.spawn(plain.short("spin", "{}")()))
            .collect();
        busy(|| beside.add(handle, lasting, short.clone()))?;
        for guest in spinning {
            ensure!(!guest.is_finished(), "a guest spins no more");
            guest.abort();
            ensure!(plain.runtime.block_on(guest).is_err(), "a guest ended");
        }
    }
    Ok([alone, beside])
}
