//! Ten thousand tasks that wait: what they cost a process, and its start.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use stepwell::id::{Digest, TaskKey};
use stepwell::runtime::{Error, Options, Request, Runtime};
use stepwell_guest_examples::TEST_GUEST;

use crate::child::{self, Child};
use crate::disk;
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const TASKS: usize = 10_000;
const MORE_MAX: u64 = 100 << 20;
const START_MAX: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

/// How often a task that was refused is submitted again.
const AGAIN: Duration = Duration::from_millis(5);

/// What was seen of one process after the other.
#[derive(Default)]
struct Seen {
    starts: Vec<Duration>,
    processes: Vec<Duration>,
    resident: Vec<u64>,
}

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tasks = scale.of(TASKS, 100);
    let (empty, full) = (disk::folder()?, disk::folder()?);
    let tokio = child::tokio()?;
    tokio.block_on(prepare(empty.path(), 0))?;
    tokio.block_on(prepare(full.path(), tasks))?;
    let (mut without, mut with) = (Seen::default(), Seen::default());
    for _ in 0..scale.of(ROUNDS, 2) {
        without.look(empty.path())?;
        with.look(full.path())?;
    }
    let resident = without.resident();
    table.add(Row {
        measure: format!("{tasks} waiting tasks: more memory than the empty process"),
        stepwell: Amount::Bytes(with.resident().saturating_sub(resident)),
        baseline: Some(Amount::Bytes(resident)),
        reach: Reach::Max(Amount::Bytes(MORE_MAX)),
    });
    table.add(Row {
        measure: format!("{tasks} waiting tasks: start-up with them, against without"),
        stepwell: Amount::Time(percentile(&mut with.starts, 50.0)),
        baseline: Some(Amount::Time(percentile(&mut without.starts, 50.0))),
        reach: Reach::Max(Amount::Time(START_MAX)),
    });
    table.add(Row {
        measure: format!("{tasks} waiting tasks: the same from the process's start"),
        stepwell: Amount::Time(percentile(&mut with.processes, 50.0)),
        baseline: Some(Amount::Time(percentile(&mut without.processes, 50.0))),
        reach: Reach::Stated,
    });
    Ok(())
}

impl Seen {
    /// Starts a process on the folder and looks at it.
    fn look(&mut self, folder: &Path) -> anyhow::Result<()> {
        let mut child = Child::start("start", folder, &[])?;
        let (took, since) = child.says()?;
        let took = took.as_f64().context("no time")?;
        self.starts.push(Duration::from_secs_f64(took));
        self.processes.push(since);
        let (resident, _) = child.says()?;
        self.resident.push(resident.as_u64().context("no bytes")?);
        child.end()
    }

    fn resident(&mut self) -> u64 {
        self.resident.sort_unstable();
        let middle = self.resident.get(self.resident.len() / 2);
        middle.copied().unwrap_or_default()
    }
}

/// Fills a data directory with tasks that wait: every other for a time, the others for an answer.
async fn prepare(folder: &Path, tasks: usize) -> anyhow::Result<()> {
    let runtime = Runtime::start(Options::new(folder)).await?;
    let component = runtime.add(TEST_GUEST.to_vec()).await?.manifest.component;
    let sleep = json!([{"sleep": "until tomorrow", "ms": 20 * 3_600_000}]);
    let ask = json!([{"ask": [{"name": "go on", "message": "May this go on?"}]}]);
    let mut keys = Vec::with_capacity(tasks);
    for number in 0..tasks {
        let operations = if number % 2 == 0 { &sleep } else { &ask };
        keys.push(submit(&runtime, component, operations).await?);
    }
    for key in keys {
        let waits = runtime.wait_for(&key, |record| record.state.wait().is_some());
        waits.await?;
    }
    runtime.drain(Duration::from_secs(30)).await;
    Ok(())
}

/// Submits a task, and waits where there are too many in the queue.
async fn submit(
    runtime: &Runtime,
    component: Digest,
    operations: &Value,
) -> anyhow::Result<TaskKey> {
    loop {
        let request = Request::new(component, "script", json!({ "ops": operations }));
        match runtime.submit(request).await {
            Ok(accepted) => return Ok(accepted.record.key()),
            Err(Error::Busy { .. }) => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
}
