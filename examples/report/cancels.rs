//! Tasks that are cancelled while they spin, step or wait: what they held, and when it is back.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::clock::Stopwatch;
use stepwell::id::{Principal, TaskKey};
use stepwell::runtime::{Cancellation, Options, Request, Runtime};
use stepwell_guest_examples::TEST_GUEST;
use tokio::task::JoinSet;

const ROUNDS: usize = 3;
const TASKS: usize = 60;

/// What is held is back within this, or counts as left behind.
const WITHIN: Duration = Duration::from_secs(1);

/// How long a tool may take to tidy up once it was told, and how long one may go on that comes to
/// no boundary where it could be: an operator's setting, which is 30 s where nobody says otherwise.
const GRACE: Duration = Duration::from_millis(200);
const GRACE_MAX: Duration = Duration::from_millis(500);

/// What was held before the cancel, and what of it was left a while after it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) before: u64,
    pub(crate) left: u64,
}

/// What came of all tasks.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) tasks: Held,
    pub(crate) slots: Held,
    pub(crate) memory: Held,
    pub(crate) files: Held,
}

/// How it is done, for people.
pub(crate) fn about() -> String {
    format!(
        "{ROUNDS} rounds of {TASKS} tasks at once: a third spins without end, a third journals \
         steps without end, a third waits for an hour. All are cancelled at once, with {} ms to \
         tidy up, and {} ms for one that can't be told (`grace_max`). What a task held and has not \
         given back {} s after its cancel is left behind. The rate is the worst of tasks ended, \
         slots, memory and open files.",
        GRACE.as_millis(),
        GRACE_MAX.as_millis(),
        WITHIN.as_secs()
    )
}

/// Cancels tasks, and sees what is left of them.
pub(crate) async fn cancel() -> anyhow::Result<Seen> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("world"))?;
    let mut options = Options::new(folder.path().join("data"));
    options.grace_max = GRACE_MAX;
    let runtime = Runtime::start(options).await?;
    let component = runtime.add(TEST_GUEST.to_vec()).await?;
    let component = component.manifest.component;
    let grant = format!("{}:/world:rw", folder.path().join("world").display());
    let mut seen = Seen::default();
    for _ in 0..ROUNDS {
        let idle = files();
        let mut tasks = Vec::new();
        for number in 0..TASKS {
            let (tool, arguments) = what(number);
            let request = Request {
                grants: vec![grant.parse()?],
                ..Request::new(component, tool, arguments)
            };
            tasks.push(runtime.submit(request).await?.record.key());
        }
        for (number, task) in tasks.iter().enumerate() {
            let at_work = |it: &stepwell::task::Record| match number % 3 {
                0 => it.attempt > 0,
                1 => it.steps > 0,
                _ => it.state.wait().is_some(),
            };
            runtime.wait_for(task, at_work).await?;
        }
        seen.round(&runtime, tasks, idle).await?;
    }
    runtime.drain(Duration::from_secs(5)).await;
    Ok(seen)
}

fn what(number: usize) -> (&'static str, Value) {
    match number % 3 {
        0 => ("spin", json!({})),
        1 => ("journal", json!({"bytes": 100})),
        _ => (
            "script",
            json!({"ops": [{"step": {"name": "a"}}, {"sleep": "an hour", "ms": 3_600_000}]}),
        ),
    }
}

impl Seen {
    async fn round(
        &mut self,
        runtime: &Runtime,
        tasks: Vec<TaskKey>,
        idle: u64,
    ) -> anyhow::Result<()> {
        let gauges = runtime.gauges();
        self.slots.before += gauges.running as u64;
        self.memory.before += gauges.memory;
        self.files.before += files().saturating_sub(idle);
        self.tasks.before += tasks.len() as u64;
        let mut ends = JoinSet::new();
        for task in tasks {
            ends.spawn(is_ended_in_time(runtime.clone(), task));
        }
        let mut late = 0;
        while let Some(is_ended) = ends.join_next().await {
            late += u64::from(!is_ended??);
        }
        self.tasks.left += late;
        // All were cancelled at once, so a second has passed for each of them.
        let gauges = runtime.gauges();
        self.slots.left += gauges.running as u64;
        self.memory.left += gauges.memory;
        self.files.left += files().saturating_sub(idle);
        Ok(())
    }

    /// The part of everything that was given back in time, of whatever was given back the least.
    pub(crate) fn given_back(&self) -> f64 {
        let all = [self.tasks, self.slots, self.memory, self.files];
        all.iter().map(Held::given_back).fold(1.0, f64::min)
    }
}

impl Held {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    fn given_back(&self) -> f64 {
        1.0 - self.left as f64 / self.before.max(1) as f64
    }
}

/// Cancels a task, and looks a while later whether it has ended and its guest is gone.
async fn is_ended_in_time(runtime: Runtime, task: TaskKey) -> anyhow::Result<bool> {
    let (watch, mut cancel) = (
        Stopwatch::start(),
        Cancellation::graceful(Principal::local()),
    );
    cancel.grace = Some(GRACE);
    runtime.cancel(&task, cancel).await?;
    tokio::time::sleep(WITHIN.saturating_sub(watch.elapsed())).await;
    let record = runtime.record(&task).await?;
    Ok(record.state.is_terminal() && !runtime.is_loaded(&task))
}

/// How many files this process has open.
fn files() -> u64 {
    // Where there is no `/proc`, nothing is counted.
    fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64)
}
