//! Short calls that are kept, and calls of which nothing is.

use std::time::{Duration, Instant};

use serde_json::json;
use stepwell::id::Digest;
use stepwell::limit::format_count;
use stepwell::runtime::{Options, Request, Runtime};
use stepwell_guest_examples::TEST_GUEST;
use tokio::task::JoinSet;

use super::{millis, print, rate};
use crate::child;
use crate::disk;
use crate::table::{Scale, percentile};

const CALLS: usize = 5_000;
const CALLERS: usize = 32;

/// How a call is made.
#[derive(Clone, Copy)]
enum Way {
    Auto,
    Never,
}

pub(super) fn run(scale: &Scale) -> anyhow::Result<()> {
    let folder = disk::folder()?;
    let calls = scale.of(CALLS, 20);
    child::tokio()?.block_on(async {
        let runtime = Runtime::start(Options::new(folder.path())).await?;
        let component = runtime.add(TEST_GUEST.to_vec()).await?;
        let component = component.manifest.component;
        let mut table = Vec::new();
        for (name, way) in [("auto", Way::Auto), ("never", Way::Never)] {
            eprintln!("  the policy {name}");
            let mut took = Vec::with_capacity(calls);
            for _ in 0..calls {
                took.push(one(&runtime, component, way).await?);
            }
            table.push([
                name.to_owned(),
                millis(percentile(&mut took, 50.0)),
                millis(percentile(&mut took, 99.0)),
                format_count(many(&runtime, component, way, calls).await?),
            ]);
        }
        runtime.drain(Duration::ZERO).await;
        let rate = format!("calls/s of {CALLERS} callers");
        print(["policy", "p50 of one caller", "p99", &rate], &table);
        Ok(())
    })
}

/// How long a call takes until its result is there.
async fn one(runtime: &Runtime, component: Digest, way: Way) -> anyhow::Result<Duration> {
    let request = Request::new(component, "echo", json!({"hello": "world"}));
    let begun = Instant::now();
    let is_done = match way {
        Way::Auto => {
            let task = runtime.submit(request).await?.record.key();
            runtime.wait(&task).await?;
            runtime.output(&task).await?.is_some()
        }
        Way::Never => runtime.call(request, |_| {}).await?.result.is_ok(),
    };
    anyhow::ensure!(is_done, "a call without a result");
    Ok(begun.elapsed())
}

/// How many calls are done in a second where many make them.
async fn many(runtime: &Runtime, component: Digest, way: Way, calls: usize) -> anyhow::Result<u64> {
    let each = calls.div_ceil(CALLERS);
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let runtime = runtime.clone();
        callers.spawn(async move {
            for _ in 0..each {
                one(&runtime, component, way).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    Ok(rate(each * CALLERS, begun.elapsed()))
}
