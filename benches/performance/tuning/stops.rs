//! To stop at the next boundary, or at once: how long until the end is durable, and what is lost.

use std::time::{Duration, Instant};

use serde_json::json;
use stepwell::id::{Digest, Principal};
use stepwell::runtime::{Cancellation, Options, Request, Runtime};
use stepwell::task::Entry;
use stepwell_guest_examples::TEST_GUEST;

use super::{mean, millis, print};
use crate::child;
use crate::disk;
use crate::table::{Scale, percentile};

const TASKS: u64 = 40;
/// How long a step takes, in milliseconds.
const STEP: u64 = 100;

/// How a task is stopped.
type Way = fn(Principal) -> Cancellation;

/// The ways, and what they are called.
const WAYS: [(&str, Way); 2] = [
    ("at a boundary", Cancellation::graceful),
    ("at once", Cancellation::immediate),
];

pub(super) fn run(scale: &Scale) -> anyhow::Result<()> {
    let folder = disk::folder()?;
    let tasks = scale.of(usize::try_from(TASKS)?, 8) as u64;
    child::tokio()?.block_on(async {
        let runtime = Runtime::start(Options::new(folder.path())).await?;
        let component = runtime.add(TEST_GUEST.to_vec()).await?;
        let component = component.manifest.component;
        let mut table = Vec::new();
        for (name, way) in WAYS {
            eprintln!("  a stop {name}");
            let (mut took, mut lost) = (Vec::new(), Vec::new());
            for task in 0..tasks {
                // Everywhere in a step.
                let within = Duration::from_millis(2 * STEP + STEP * task / tasks);
                let stopped = stop(&runtime, component, way, within).await?;
                took.push(stopped.0);
                lost.push(stopped.1);
            }
            table.push([
                name.to_owned(),
                millis(percentile(&mut took, 50.0)),
                millis(percentile(&mut took, 100.0)),
                millis(mean(&lost)),
            ]);
        }
        runtime.drain(Duration::ZERO).await;
        let head = [
            "a stop",
            "until the end is durable, p50",
            "most",
            "work lost, mean",
        ];
        print(head, &table);
        Ok(())
    })
}

/// Cancels a task in the middle of its steps: how long until its end, and the work since the last
/// step that was kept.
async fn stop(
    runtime: &Runtime,
    component: Digest,
    way: Way,
    within: Duration,
) -> anyhow::Result<(Duration, Duration)> {
    let step = [
        json!({"begin": "step {i}"}),
        json!({"sleep_host": STEP}),
        json!({"complete": "step {i}", "output": "done"}),
    ];
    let arguments = json!({"ops": [{"repeat": 1_000, "ops": step}]});
    let request = Request::new(component, "script", arguments);
    let task = runtime.submit(request).await?.record.key();
    runtime.wait_for(&task, |record| record.steps > 0).await?;
    tokio::time::sleep(within).await;
    let begun = Instant::now();
    runtime.cancel(&task, way(Principal::local())).await?;
    let record = runtime.wait(&task).await?;
    let took = begun.elapsed();
    let events = runtime.events(&task, 0, usize::MAX).await?;
    let mut steps = events.iter().rev();
    let step = steps.find(|event| matches!(event.entry, Entry::StepDone { .. }));
    let kept = step.map_or(record.spec.created, |step| step.at);
    Ok((took, record.updated.since(kept)))
}
