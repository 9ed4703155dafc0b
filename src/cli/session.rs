//! A runtime for the time of one command.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::error::Trouble;
use super::{Context, error};
use crate::access;
use crate::desk::{self, Ask, Desk};
use crate::id::{Principal, TaskId, TaskKey, TenantId};
use crate::runtime::{Error, Options, Runtime};

/// How long guests have to come to a boundary when the command ends before them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Guests at once: a command runs one.
const RUNNING_MAX: usize = 4;

/// Events that are read at once.
pub(super) const EVENTS: usize = 500;

static OPENING: AtomicBool = AtomicBool::new(false);

/// Whether a data directory is being opened right now: what panics then is reported as damage.
pub fn is_opening() -> bool {
    OPENING.load(Ordering::Relaxed)
}

/// An open data directory.
pub(super) struct Session {
    pub(super) runtime: Runtime,
    pub(super) owner: Principal,
}

impl Session {
    /// Opens the data directory; one that is missing is made.
    pub(super) async fn make(context: &Context) -> anyhow::Result<Self> {
        Self::open(&context.global.place()?).await
    }

    /// Opens the data directory that is there.
    pub(super) async fn find(dir: &Path) -> anyhow::Result<Self> {
        if !dir.is_dir() {
            return Err(error::input(
                format!("there is no data directory `{}`", dir.display()),
                "`stepwell run` makes it; --data-dir names another one",
            ));
        }
        Self::open(dir).await
    }

    async fn open(dir: &Path) -> anyhow::Result<Self> {
        let options = Options {
            // Other tasks in the directory are left alone.
            run_found: false,
            running_max: RUNNING_MAX,
            ..Options::new(dir)
        };
        OPENING.store(true, Ordering::Relaxed);
        let runtime = Runtime::start(options).await;
        OPENING.store(false, Ordering::Relaxed);
        Ok(Self {
            runtime: runtime?,
            owner: Principal::local(),
        })
    }

    /// A task of the local tenant's.
    pub(super) fn key(id: TaskId) -> TaskKey {
        let tenant = TenantId::local();
        TaskKey { tenant, id }
    }

    /// The desk of whoever can open the directory.
    pub(super) fn desk(&self) -> Desk {
        Desk::of_host(self.runtime.clone())
    }

    /// Does what is asked for.
    pub(super) async fn ask(&self, ask: Ask) -> anyhow::Result<Value> {
        if let Ask::Cancel(task, _)
        | Ask::Pause(task)
        | Ask::Save(task, _)
        | Ask::Restore(task, _) = &ask
        {
            // What the record says is running was cut off: nobody else has the directory. For a
            // cancel this is so that the task is told before it does anything new.
            self.runtime.settle(&Self::key(*task)).await?;
        }
        self.desk().ask(ask).await.map_err(failed)
    }

    /// The number of the newest event of a task.
    pub(super) async fn newest(&self, task: TaskId) -> anyhow::Result<u64> {
        let (task, mut newest) = (Self::key(task), 0);
        loop {
            let events = self.runtime.events(&task, newest, EVENTS).await?;
            match events.last() {
                Some(last) => newest = last.number,
                None => return Ok(newest),
            }
        }
    }

    /// Lets go of the directory. A task that is still at work leaves at its next boundary.
    pub(super) async fn close(self) {
        self.runtime.drain(PATIENCE).await;
    }

    /// Ends at once, as a crash would.
    pub(super) async fn abandon(self) {
        self.runtime.abandon().await;
    }
}

/// Why the desk did not do it: where it is the runtime that says no, that.
pub(super) fn failed(error: desk::Error) -> anyhow::Error {
    match error {
        desk::Error::Access(access::Error::Runtime(error)) => error.into(),
        error => Trouble::Told {
            code: error.code().to_owned(),
            message: error.to_string(),
        }
        .into(),
    }
}

/// The store's failure, as an error of the runtime.
pub(super) fn store_failed(error: crate::store::Error) -> anyhow::Error {
    Error::Store(error).into()
}
