//! A runtime for the time of one command.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Context, error};
use crate::id::{Principal, TaskId, TaskKey, TenantId};
use crate::runtime::{Error, Options, Runtime};
use crate::store::Filter;

/// How long guests have to come to a boundary when the command ends before them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Guests at once: a command runs one.
const RUNNING_MAX: usize = 4;

/// The tasks that one page of a list holds.
pub(super) const PAGE: usize = 200;

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

/// The fewest characters that stand for a task: fewer are soon another's too.
const PREFIX_MIN: usize = 4;

impl Session {
    /// Opens the data directory; one that is missing is made.
    pub(super) async fn make(context: &Context) -> anyhow::Result<Self> {
        Self::open(&context.global.place()?).await
    }

    /// Opens the data directory that is there.
    pub(super) async fn find(context: &Context) -> anyhow::Result<Self> {
        let dir = context.global.place()?;
        if !dir.is_dir() {
            return Err(error::input(
                format!("there is no data directory `{}`", dir.display()),
                "`stepwell run` makes it; --data-dir names another one",
            ));
        }
        Self::open(&dir).await
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

    /// The task whose id begins with `text`.
    pub(super) async fn task(&self, text: &str) -> anyhow::Result<TaskKey> {
        let tenant = TenantId::local();
        if let Ok(id) = text.parse::<TaskId>() {
            return Ok(TaskKey { tenant, id });
        }
        let text = text.to_ascii_lowercase();
        let is_prefix = text.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
        if text.len() < PREFIX_MIN || !is_prefix {
            return Err(error::input(
                format!(
                    "`{text}` is not a task's id, nor its first {PREFIX_MIN} characters or more"
                ),
                "`stepwell tasks list` shows the tasks that are kept",
            ));
        }
        let mut found: Vec<TaskId> = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .runtime
                .list(&tenant, Filter::default(), after, PAGE)
                .await?;
            let ids = page.records.iter().map(|record| record.id);
            found.extend(ids.filter(|id| id.to_string().starts_with(&text)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        match found.as_slice() {
            [id] => Ok(TaskKey { tenant, id: *id }),
            [] => Err(error::input(
                format!("there is no task whose id begins with `{text}`"),
                "`stepwell tasks list` shows the tasks that are kept",
            )),
            [one, other, ..] => Err(error::input(
                format!("`{text}` is the beginning of more than one task's id: {one}, {other}"),
                "write more of it",
            )),
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

impl Context {
    /// Does `work` in the data directory that is there, and lets go of it.
    pub(super) async fn within<T>(
        &self,
        work: impl AsyncFnOnce(&Session) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let session = Session::find(self).await?;
        let done = work(&session).await;
        session.close().await;
        done
    }
}

/// The store's failure, as an error of the runtime.
pub(super) fn failed(error: crate::store::Error) -> anyhow::Error {
    Error::Store(error).into()
}
