//! A runtime to be measured, with the test guest in it, and every commit of its store noted.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use stepwell::id::Digest;
use stepwell::runtime::{Options, Request, Runtime};
use stepwell::store::{Group, Probe};
use stepwell::task::{Record, Status};
use tempfile::TempDir;

use crate::disk;

/// The bytes that a step returns.
pub(crate) const OUTPUT: usize = 256;

/// The guests that are loaded at once, where a measure is not about many.
pub(crate) const RUNNING: usize = 64;

/// How long guests have to leave when a runtime is closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A commit of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    /// When it was done, and nobody in it was answered yet.
    pub(crate) at: Instant,
    pub(crate) group: Group,
}

/// Notes every commit.
#[derive(Default)]
pub(crate) struct Commits(Mutex<Vec<Commit>>);

impl Commits {
    /// Those since the last time.
    pub(crate) fn take(&self) -> Vec<Commit> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those of them that were synced, each of which one request has to have had for itself.
    pub(crate) fn take_synced(&self) -> anyhow::Result<Vec<Commit>> {
        let mut commits = self.take();
        commits.retain(|commit| commit.group.synced);
        let alone = commits.iter().all(|commit| commit.group.requests == 1);
        ensure!(alone, "something else was committed with what is measured");
        Ok(commits)
    }
}

impl Probe for Commits {
    fn after_commit(&self, _: &Path, group: &Group, _: Duration) {
        let (at, group) = (Instant::now(), *group);
        let mut commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commits.push(Commit { at, group });
    }
}

/// A runtime on a folder of its own.
pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) component: Digest,
    pub(crate) commits: Arc<Commits>,
    folder: TempDir,
}

impl House {
    /// With room for `running` loaded guests, warmed by a task.
    pub(crate) async fn open(running: usize) -> anyhow::Result<Self> {
        let folder = disk::folder()?;
        let commits = Arc::new(Commits::default());
        let mut options = Options::new(folder.path());
        // One tenant may have all of it here.
        options.running_max = running;
        options.memory_max = u64::MAX;
        options.tenants.usual.running_max = running;
        options.tenants.usual.memory_max = u64::MAX;
        options.store.probe = Some(commits.clone());
        let runtime = Runtime::start(options).await?;
        let guest = stepwell_guest_examples::TEST_GUEST.to_vec();
        let component = runtime.add(guest).await?.manifest.component;
        let house = Self {
            runtime,
            component,
            commits,
            folder,
        };
        house.complete("journal", journal(10)).await?;
        house.commits.take();
        Ok(house)
    }

    /// A call of one of the test guest's tools.
    pub(crate) fn request(&self, tool: &str, arguments: Value) -> Request {
        Request::new(self.component, tool, arguments)
    }

    /// Runs a task to its end.
    pub(crate) async fn complete(
        &self,
        tool: &str,
        arguments: Value,
    ) -> anyhow::Result<Arc<Record>> {
        complete(&self.runtime, self.request(tool, arguments)).await
    }

    /// Runs a task of `count` steps, and says when each of them was committed.
    pub(crate) async fn steps(&self, count: usize) -> anyhow::Result<Vec<Commit>> {
        self.commits.take();
        let record = self.complete("journal", journal(count)).await?;
        ensure!(record.steps == count as u64, "a step is missing");
        let mut commits = self.commits.take_synced()?;
        // The first is the task's acceptance, the last its end.
        ensure!(commits.len() == count + 2, "not one commit for each step");
        commits.remove(0);
        commits.truncate(count);
        Ok(commits)
    }

    /// Ends the runtime, and leaves its folder to others.
    pub(crate) async fn close(self) -> TempDir {
        self.runtime.drain(PATIENCE).await;
        self.folder
    }
}

/// The arguments for a task of `count` steps.
pub(crate) fn journal(count: usize) -> Value {
    json!({"count": count, "bytes": OUTPUT})
}

/// The arguments for a task that makes steps until it is stopped.
pub(crate) fn journal_for_ever() -> Value {
    json!({"bytes": OUTPUT})
}

/// Runs a task to its end.
pub(crate) async fn complete(runtime: &Runtime, request: Request) -> anyhow::Result<Arc<Record>> {
    let accepted = runtime.submit(request).await?;
    let record = runtime.wait(&accepted.record.key()).await?;
    let status = record.status();
    ensure!(status == Status::Completed, "a task ended {status}");
    Ok(record)
}

/// The threads that requests come from, as many as the server has.
pub(crate) fn tokio() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
