//! A start on what a million tasks have left behind, against one on nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use stepwell::clock::Clock;
use stepwell::id::{Digest, Principal, TaskId};
use stepwell::limit::Limits;
use stepwell::runtime::{Options, Runtime};
use stepwell::store::{self, NewTask, Store};
use stepwell::task::{Change, Ending, Event, Fenced, Policy, Spec, Usage};
use tempfile::TempDir;

use crate::child::{self, Child};
use crate::disk;
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const TASKS: usize = 1_000_000;
const RATIO_MAX: f64 = 1.5;
const ROUNDS: usize = 3;

/// The tasks that are at work at once: the groups that are synced together become large.
const AT_ONCE: usize = 2_048;

const ARGUMENTS: &[u8] = br#"{"input":"/in/orders.csv","output":"/out","chunk_records":10000}"#;
const OUTPUT: &[u8] =
    br#"{"content":[{"type":"text","text":"cleaned 49950 of 50000 records in 7 groups"}]}"#;

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let tasks = scale.of(TASKS, 100);
    let empty = disk::folder()?;
    child::tokio()?.block_on(async {
        let runtime = Runtime::start(Options::new(empty.path())).await?;
        runtime.drain(Duration::ZERO).await;
        anyhow::Ok(())
    })?;
    let (closed, killed) = (disk::folder()?, disk::folder()?);
    let preparing = [
        prepare(closed.path(), tasks, false)?,
        prepare(killed.path(), tasks, true)?,
    ];
    for mut child in preparing {
        let (is_killed, since) = child.says()?;
        eprintln!("  {tasks} tasks were finished in {since:.0?}");
        if is_killed == json!(true) {
            child.kill()?;
        } else {
            child.end()?;
        }
    }
    let mut starts = [const { Vec::new() }; 3];
    let mut again = Vec::new();
    for _ in 0..scale.of(ROUNDS, 2) {
        let folders = [&empty, &closed, &killed];
        for (index, (folder, starts)) in folders.into_iter().zip(&mut starts).enumerate() {
            // A start tidies up after the last process: each finds what that one has left.
            let copy = copy(folder.path())?;
            starts.push(start(copy.path())?);
            if index == 1 {
                again.push(start(copy.path())?);
            }
        }
    }
    let [mut empty, mut closed, mut killed] = starts;
    let baseline = Some(Amount::Time(percentile(&mut empty, 50.0)));
    let mut row = |what: &str, starts: &mut [Duration], reach| {
        table.add(Row {
            measure: format!("start-up with {tasks} finished tasks{what}, against none"),
            stepwell: Amount::Time(percentile(starts, 50.0)),
            baseline,
            reach,
        });
    };
    row("", &mut closed, Reach::RatioMax(RATIO_MAX));
    row(", once more", &mut again, Reach::Stated);
    row(" after a kill -9", &mut killed, Reach::Stated);
    Ok(())
}

/// From the process's start to a runtime that serves.
fn start(folder: &Path) -> anyhow::Result<Duration> {
    let mut child = Child::start("start", folder, &[])?;
    let (_, since) = child.says()?;
    child.end()?;
    Ok(since)
}

/// Begins to finish so many tasks, and to go on then where it is to be killed.
fn prepare(folder: &Path, tasks: usize, is_killed: bool) -> anyhow::Result<Child> {
    Child::start(
        "finish",
        folder,
        &[&tasks.to_string(), &is_killed.to_string()],
    )
}

/// A copy that is in the page cache and on the disk.
fn copy(folder: &Path) -> anyhow::Result<TempDir> {
    let copied = disk::folder()?;
    copy_into(folder, copied.path()).context("a data directory can't be copied")?;
    rustix::fs::sync();
    Ok(copied)
}

fn copy_into(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_into(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// A child: finishes tasks, says when there are enough, and may go on until it is killed.
pub(crate) fn finish(folder: &Path, words: &[String]) -> anyhow::Result<()> {
    let [tasks, goes_on] = words else {
        anyhow::bail!("how many tasks, and does it go on?");
    };
    let (tasks, goes_on): (usize, bool) = (tasks.parse()?, goes_on.parse()?);
    let options = store::Options {
        queue_max: 2 * AT_ONCE,
        group_max: AT_ONCE,
        ..store::Options::default()
    };
    let (store, mut feed) = Store::open(folder, options)?;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let tokio = builder.enable_all().build()?;
    let (begun_with, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (clock, counts) = (Clock::system(), Arc::new((begun_with, done)));
    tokio.block_on(async {
        // Somebody has to take what is told.
        tokio::spawn(async move { while let Ok(Some(_)) = feed.next().await {} });
        let workers = (0..AT_ONCE).map(|_| {
            let (store, clock, counts) = (store.clone(), clock.clone(), counts.clone());
            tokio::spawn(async move {
                while counts.0.fetch_add(1, Ordering::Relaxed) < tasks || goes_on {
                    one(&store, &clock).await?;
                    if counts.1.fetch_add(1, Ordering::Relaxed) + 1 == tasks {
                        child::say(&json!(goes_on))?;
                    }
                }
                anyhow::Ok(())
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await??;
        }
        anyhow::Ok(())
    })?;
    child::wait_for_end()?;
    Ok(tokio.block_on(store.close())?)
}

/// A task from its beginning to its end.
async fn one(store: &Store, clock: &Clock) -> anyhow::Result<()> {
    let spec = Spec {
        owner: Principal::local(),
        component: Digest::of(b"a component"),
        tool: "etl_pipeline".into(),
        arguments: Digest::of(ARGUMENTS),
        key: None,
        limits: Limits::default(),
        grants: Vec::new(),
        policy: Policy::Auto,
        created: clock.now(),
        forked_from: None,
        name: None,
    };
    let new = NewTask {
        id: TaskId::random(),
        spec,
        arguments: ARGUMENTS.into(),
        answered: None,
    };
    let task = store.submit(new).await?.record().key();
    let admitted = Change::by_host(clock.now(), Event::Admitted);
    let attempt = store.change(&task, admitted).await?.attempt;
    let returned = Event::Ended {
        ending: Ending::Returned,
        output: Some(OUTPUT.into()),
    };
    let fenced = Fenced {
        attempt,
        usage: Usage::default(),
        grace_used: 0,
        told: false,
    };
    let ended = Change {
        attempt: Some(fenced),
        ..Change::by_host(clock.now(), returned)
    };
    store.change(&task, ended).await?;
    Ok(())
}
