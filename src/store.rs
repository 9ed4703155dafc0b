//! The store: every task, its journal, checkpoints and events, on one disk.
//!
//! One writer thread owns every write. It takes what has come in, applies each change to the task
//! as it is at that moment ([`task::apply`]), stages records, rows, events and index entries in one
//! batch, syncs it once, and only then answers everyone in it, in order. Reads run on a bounded
//! number of blocking threads, in pages; the records of live tasks are in memory.
//!
//! A store that failed stays failed: it acknowledges nothing more, says why, and the process has
//! to be started anew. This module knows no tool and no protocol, and it never reads the clock:
//! every time comes in with what is asked of it.
//!
//! * `open`, `disk`: the directory, who holds it, and the engine behind it.
//! * `keys`, `codec`: what the bytes mean. Every value starts with its format's version.
//! * `writer`, `group`, `stage`, `fork`: what is written together, and when it is answered.
//! * `log`: numbers of events, and entries that are not synced by themselves.
//! * `account`: what tenants are charged for. `audit`: who did what. `notes`: what principals keep.
//! * `read`, `sweep`: reads, and the removal of what nobody can come back to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::id::{CheckpointId, TaskId, TaskKey, TenantId};
use crate::task::{self, Change, Checkpoint, Entry, Once, Record, Spec, Status, StepKey};

mod account;
mod audit;
mod beside;
mod codec;
mod disk;
mod error;
mod feed;
mod fork;
mod group;
mod keys;
mod log;
mod notes;
mod open;
mod options;
mod probe;
mod read;
mod shared;
mod stage;
mod sweep;
mod writer;

pub use account::Used;
pub use error::{Error, Refused};
pub use feed::{Commit, Feed};
pub use notes::{Note, NotePage, Noted};
pub use options::Options;
pub use probe::{Group, Probe};
pub use read::{Cursor, Event, Filter, Journal, Page};

use shared::Handle;
use writer::Request;

/// The newest format of the values that this build writes, and the only one that it reads.
pub const FORMAT: u8 = 2;

/// The store of one data directory: a handle that is cheap to clone.
///
/// The directory is let go of when the last clone is dropped, or by [`Store::close`].
#[derive(Clone)]
pub struct Store(Arc<Handle>);

/// A task to be accepted.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its id, which no task has had.
    pub id: TaskId,
    /// What it is accepted with. `spec.arguments` is the digest of `arguments`.
    pub spec: Spec,
    /// Its arguments, a JSON text.
    pub arguments: Arc<[u8]>,
    /// What the host has answered already: the task is at its end when it is accepted. Then its
    /// component is [`Spec::HOST`].
    pub answered: Option<Arc<[u8]>>,
}

/// What became of a task that was to be accepted.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It is accepted: durable, and queued.
    New(Arc<Record>),
    /// Nothing is written: the same principal has called the same tool with the same arguments
    /// under the same idempotency key before, and this is that task.
    Existing(Arc<Record>),
}

impl Submitted {
    /// The task, whichever it is.
    pub fn record(&self) -> &Arc<Record> {
        match self {
            Self::New(record) | Self::Existing(record) => record,
        }
    }
}

impl Store {
    /// Opens the store in `dir`, which is created if there is none, and reads the live tasks.
    ///
    /// Blocks until the journal is read: call it before serving anybody. The [`Feed`] starts with
    /// the first commit after this; what is live now is in [`Store::live`].
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Feed), Error> {
        let (handle, feed) = Handle::open(dir, options)?;
        Ok((Self(Arc::new(handle)), feed))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.0.dir()
    }

    /// Accepts a task: its record, its arguments and its idempotency key are durable before the
    /// answer. The same key with other arguments is [`Refused::KeyReused`].
    pub async fn submit(&self, new: NewTask) -> Result<Submitted, Refused> {
        self.0
            .ask(|reply| Request::Submit(Box::new(new), reply))
            .await?
    }

    /// Makes `change` happen to `task` as it is when its turn comes, and answers with the task as
    /// it is then: after the sync, except that [`task::Event::Admitted`] is not synced by itself.
    ///
    /// A future that is dropped half way may or may not have had its effect.
    pub async fn change(&self, task: &TaskKey, change: Change) -> Result<Arc<Record>, Refused> {
        let (task, change) = (task.clone(), Box::new(change));
        self.0
            .ask(|reply| Request::Change(task, change, reply))
            .await?
    }

    /// A new task `child` that goes on from `parent`, where it stands or `at` a checkpoint. The
    /// child and the parent's [`task::Event::Forked`] are durable together before the answer.
    ///
    /// The child has the parent's arguments, its rows up to that place, every `once` record and the
    /// checkpoints up to there. All of them are held in memory until the commit.
    pub async fn fork(
        &self,
        parent: &TaskKey,
        child: TaskId,
        spec: Spec,
        at: Option<CheckpointId>,
    ) -> Result<Arc<Record>, Refused> {
        fork::fork(&self.0, fork::Wish::new(parent, child, spec, at)).await
    }

    /// Adds progress or a line to a live task's events, soon, without a sync of its own. Never
    /// blocks.
    ///
    /// Progress is one event in 100 ms, by its own times `at`: what comes in between is merged. The
    /// newest always arrives, soon after or just before the task's end, and what is below the most
    /// that was seen never does. Lines past [`Options::log_lines_max`] that wait are dropped; a line
    /// that says how many takes their place. Nothing is kept of a task that is not live. A line that
    /// was logged before a change was asked for comes before that change's events.
    pub fn log(&self, task: &TaskKey, attempt: u32, at: Timestamp, entry: Entry) {
        self.0.log(task, log::Logged { attempt, at, entry });
    }

    /// A task, as it was last committed. Those that are live are in memory.
    pub async fn get(&self, task: &TaskKey) -> Result<Option<Arc<Record>>, Error> {
        if let Some(record) = self.0.shared().live(task) {
            return Ok(Some(record));
        }
        let task = task.clone();
        self.0.read(move |disk| read::record(disk, &task)).await
    }

    /// A task's arguments.
    pub async fn arguments(&self, task: &TaskKey) -> Result<Option<Arc<[u8]>>, Error> {
        let key = keys::arguments(task);
        self.0.read(move |disk| read::blob(disk, &key)).await
    }

    /// What a task returned.
    pub async fn output(&self, task: &TaskKey) -> Result<Option<Arc<[u8]>>, Error> {
        let key = keys::output(task);
        self.0.read(move |disk| read::blob(disk, &key)).await
    }

    /// What an attempt of `record` starts from: the rows of its stretch that are alive, and every
    /// `once` record of the task.
    pub async fn journal(&self, record: &Arc<Record>) -> Result<Journal, Error> {
        if record.seq <= 1 && record.spec.forked_from.is_none() {
            // It was accepted and admitted, and nothing else has ever happened to it.
            return Ok(Journal::default());
        }
        let (record, held_max) = (record.clone(), self.0.outputs_max());
        self.0
            .read(move |disk| read::journal(disk, &record, held_max))
            .await
    }

    /// The output of the row at `at`, where [`Journal`] does not hold it.
    pub async fn row_output(
        &self,
        task: &TaskKey,
        at: &StepKey,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let (task, at) = (task.clone(), at.clone());
        self.0
            .read(move |disk| read::row_output(disk, &task, &at))
            .await
    }

    /// What the `once` step returned, where it was ever complete and [`Journal`] does not hold it.
    pub async fn once_output(
        &self,
        task: &TaskKey,
        once: &Once,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let key = keys::once(task, &once.at, &once.input);
        let task = task.clone();
        self.0
            .read(move |disk| read::once_output(disk, &task, &key))
            .await
    }

    /// A checkpoint that is kept, with its state.
    pub async fn checkpoint(
        &self,
        task: &TaskKey,
        id: CheckpointId,
    ) -> Result<Option<Checkpoint>, Error> {
        let key = keys::checkpoint(task, id);
        self.0.read(move |disk| read::checkpoint(disk, &key)).await
    }

    /// Up to `limit` tasks of `tenant` that `filter` lets through, newest first, from `after` on.
    ///
    /// A page looks at a bounded number of tasks: it may hold fewer than `limit`, or none, and yet
    /// have a next one.
    pub async fn list(
        &self,
        tenant: &TenantId,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, Error> {
        let (tenant, shared) = (tenant.clone(), self.0.shared().clone());
        self.0
            .read(move |disk| read::list((disk, &shared), &tenant, &filter, after, limit))
            .await
    }

    /// Up to `limit` events of a task with numbers greater than `after`, oldest first, and at most
    /// 1,024. Numbers rise, have gaps, and never come back for something else.
    pub async fn events(
        &self,
        task: &TaskKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        let task = task.clone();
        self.0
            .read(move |disk| read::events(disk, &task, after, limit))
            .await
    }

    /// The most progress of a task that is an event, with its number.
    pub async fn progress(&self, task: &TaskKey) -> Result<Option<Event>, Error> {
        let task = task.clone();
        self.0.read(move |disk| read::progress(disk, &task)).await
    }

    /// The tasks that have not ended, in no order. Nothing is read from the disk.
    pub fn live(&self) -> Vec<Arc<Record>> {
        self.0.shared().all_live()
    }

    /// The task, if it has not ended. Nothing is read from the disk.
    pub fn live_one(&self, task: &TaskKey) -> Option<Arc<Record>> {
        self.0.shared().live(task)
    }

    /// Up to `limit` tasks that have ended and whose time to be kept is over at `now`.
    pub async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskKey>, Error> {
        self.0
            .read(move |disk| read::expired(disk, now, limit))
            .await
    }

    /// Removes an expired task with all that is kept of it: its record at once, the rest in pages.
    /// Returns whether there was anything to remove; a task that is live, or is not expired at
    /// `now`, is left alone. Where the process ends in between, [`Store::expired`] names it again.
    pub async fn remove(&self, task: &TaskKey, now: Timestamp) -> Result<bool, Error> {
        sweep::remove(&self.0, task, now).await
    }

    /// Removes, in pages, the rows of a task that it can't come back to: those in holes, and those
    /// of past stretches in which no kept client's checkpoint lies. Returns how many went.
    ///
    /// Worth a call after a checkpoint, a restore, and for each live task after opening. It is
    /// safe at any time.
    pub async fn sweep(&self, task: &TaskKey) -> Result<usize, Error> {
        sweep::sweep(&self.0, task).await
    }

    /// The newest instant in the store, for [`crate::clock::Clock::not_before`].
    pub fn newest(&self) -> Timestamp {
        self.0.shared().newest()
    }

    /// Changes with every commit, those of log entries too: whoever follows a task's events reads
    /// on then.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.0.shared().commits()
    }

    /// Why the store has failed, if it has: then nothing is acknowledged any more.
    pub fn failed(&self) -> Option<Error> {
        self.0.shared().failed()
    }

    /// How long the writer has been at the commit that it is at; nothing while it waits. A disk
    /// that hangs shows here before it fails.
    pub fn committing_for(&self) -> Option<Duration> {
        self.0.shared().committing_for()
    }

    /// Writes what was asked for before, syncs everything and lets go of the directory, though
    /// clones may be left: they answer [`Error::Closed`].
    pub async fn close(self) -> Result<(), Error> {
        self.0.close().await
    }
}

/// Whether `change` has to be on the disk before it is answered.
fn is_durable(change: &Change) -> bool {
    !matches!(change.event, task::Event::Admitted)
}

/// The byte that stands for a status in an index entry. It never changes.
fn status_byte(status: Status) -> u8 {
    match status {
        Status::Queued => 0,
        Status::Running => 1,
        Status::WaitingTimer => 2,
        Status::WaitingInput => 3,
        Status::Paused => 4,
        Status::Completed => 5,
        Status::Failed => 6,
        Status::Cancelled => 7,
    }
}
