//! A process that is killed again and again: its tasks begin from the beginning each time, or go
//! on where they were.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use stepwell::clock::Stopwatch;
use stepwell::runtime::{Options, Runtime};
use stepwell_guest_examples::TEST_GUEST;

use crate::child::{Child, STEP};
use crate::draw::Draw;

const ROUNDS: usize = 4;
const TASKS: usize = 12;

/// How many steps a task has. With these a task works for as long as a process lives, on average:
/// where processes live for long enough, nobody needs more than another attempt.
const STEPS: std::ops::Range<u64> = 10..90;

/// How many milliseconds a process lives.
const LIFE: std::ops::Range<u64> = 500..2_500;

/// How long the processes of one round live together: what is not done then is given up.
const BUDGET: Duration = Duration::from_secs(8);

/// What happens to a task whose process was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// It is begun again.
    Anew,
    /// It goes on.
    GoesOn,
}

impl Way {
    /// What a child is told.
    pub(crate) const ALL: [(&str, Self); 2] = [("anew", Self::Anew), ("goes-on", Self::GoesOn)];
}

/// What the tasks do, and when their processes are killed: the same for both ways.
pub(crate) struct Plan(Vec<Round>);

struct Round {
    /// The steps of each task.
    steps: Vec<u64>,
    lives: Vec<Duration>,
}

/// What came of all tasks.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) tasks: usize,
    pub(crate) kills: usize,
    /// Those whose process was killed at least once, and those of them that were completed.
    pub(crate) interrupted: usize,
    pub(crate) recovered: usize,
    /// Steps that were done, and those of them that had been done before.
    pub(crate) steps: usize,
    pub(crate) repeated: usize,
    /// How long the tasks took that were completed.
    pub(crate) took: Vec<Duration>,
}

impl Plan {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let lives_max = BUDGET.as_millis() / u128::from(LIFE.start);
        let mut round = || Round {
            steps: (0..TASKS).map(|_| draw.of(STEPS)).collect(),
            lives: (0..=lives_max).map(|_| draw.millis(LIFE)).collect(),
        };
        Self((0..ROUNDS).map(|_| round()).collect())
    }
}

/// How it is done, for people.
pub(crate) fn about() -> String {
    format!(
        "{ROUNDS} rounds of {TASKS} tasks at once, each of {} to {} steps; a step takes {} ms and \
         writes a line to a file, so that a task works for as long as a process lives, on average. Their process is killed with SIGKILL after {} to {} ms and \
         started again at once, for {} s in all; what is not done then counts as lost. The moments \
         of the kills are the same both times. Where processes live for longer, beginning again \
         recovers more.",
        STEPS.start,
        STEPS.end,
        STEP.as_millis(),
        LIFE.start,
        LIFE.end,
        BUDGET.as_secs()
    )
}

/// Lets the tasks run, and kills their processes.
pub(crate) async fn suffer(plan: &Plan, way: Way) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    for round in &plan.0 {
        seen.round(round, way).await?;
    }
    Ok(seen)
}

impl Seen {
    async fn round(&mut self, round: &Round, way: Way) -> anyhow::Result<()> {
        let folder = prepare(round).await?;
        let mut left: BTreeSet<usize> = (0..round.steps.len()).collect();
        let mut interrupted = BTreeSet::new();
        let (watch, mut lived) = (Stopwatch::start(), Duration::ZERO);
        for life in &round.lives {
            let life = (*life).min(BUDGET.saturating_sub(lived));
            if left.is_empty() || life.is_zero() {
                break;
            }
            let mut child = Child::start(way, folder.path(), &left)?;
            let deadline = tokio::time::Instant::now() + life;
            while let Ok(done) = tokio::time::timeout_at(deadline, child.says()).await {
                let done = done.context("the process ended by itself")?;
                if left.remove(&done) {
                    self.took.push(watch.elapsed());
                    self.recovered += usize::from(interrupted.contains(&done));
                }
                if left.is_empty() {
                    break;
                }
            }
            lived += life;
            self.kills += usize::from(!left.is_empty());
            interrupted.extend(left.iter().copied());
            child.kill()?;
        }
        self.tasks += round.steps.len();
        self.interrupted += interrupted.len();
        self.count(&folder.path().join("world"))
    }

    /// Counts what was done, in the files that the steps have written.
    fn count(&mut self, world: &Path) -> anyhow::Result<()> {
        for file in fs::read_dir(world)? {
            let written = fs::read_to_string(file?.path())?;
            let different: BTreeSet<_> = written.lines().collect();
            self.steps += written.lines().count();
            self.repeated += written.lines().count() - different.len();
        }
        Ok(())
    }
}

/// A folder with a world, what is to be done, and a component that is compiled already.
async fn prepare(round: &Round) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("world"))?;
    fs::write(
        folder.path().join("steps"),
        serde_json::to_string(&round.steps)?,
    )?;
    let runtime = Runtime::start(Options::new(folder.path().join("data"))).await?;
    runtime.add(TEST_GUEST.to_vec()).await?;
    runtime.drain(Duration::from_secs(5)).await;
    Ok(folder)
}
