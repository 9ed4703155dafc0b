//! What the writer and everyone else see of the store at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::account::{Accounts, Delta};
use super::disk::Disk;
use super::feed::{Source, feed};
use super::log::{Buffer, Logged};
use super::writer::{Request, Writer};
use super::{Error, Feed, Options, audit, open, read};
use crate::audit::Entry;
use crate::clock::{Stopwatch, Timestamp};
use crate::id::{TaskKey, TenantId};
use crate::task::Record;

/// The record of a task; nothing where it is removed.
pub(super) type Kept = (TaskKey, Option<Arc<Record>>);

/// What is committed, as far as it is in memory. Only the writer changes it.
#[derive(Default)]
pub(super) struct Shared {
    live: RwLock<HashMap<TaskKey, Arc<Record>>>,
    newest: AtomicU64,
    failure: OnceLock<Error>,
    log: Mutex<Buffer>,
    audit: Mutex<audit::Buffer>,
    /// The number that the next entry of the audit gets.
    next_number: AtomicU64,
    /// What tenants are charged for.
    accounts: Mutex<Accounts>,
    /// What of that is still to be written: of calls of which nothing else is kept.
    charges: Mutex<Accounts>,
    /// Runs while a commit does.
    committing: Mutex<Option<Stopwatch>>,
    commits: watch::Sender<u64>,
}

impl Shared {
    /// The record of `task`, if it has not ended.
    pub(super) fn live(&self, task: &TaskKey) -> Option<Arc<Record>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.get(task).cloned()
    }

    pub(super) fn all_live(&self) -> Vec<Arc<Record>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.values().cloned().collect()
    }

    /// Takes over what was committed.
    pub(super) fn publish(&self, records: impl IntoIterator<Item = Kept>, newest: Timestamp) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        for (task, record) in records {
            match record.filter(|record| !record.state.is_terminal()) {
                Some(record) => drop(live.insert(task, record)),
                None => drop(live.remove(&task)),
            }
        }
        self.newest.fetch_max(newest.0, Ordering::Relaxed);
        drop(live);
        self.commits.send_modify(|commits| *commits += 1);
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    pub(super) fn newest(&self) -> Timestamp {
        Timestamp(self.newest.load(Ordering::Relaxed))
    }

    pub(super) fn failed(&self) -> Option<Error> {
        self.failure.get().cloned()
    }

    /// Makes the store fail. Only the first failure counts, which is returned.
    pub(super) fn fail(&self, error: &Error) -> Error {
        let failure = || match error {
            Error::Failed { .. } => error.clone(),
            other => Error::Failed {
                cause: other.to_string().into(),
            },
        };
        self.failure.get_or_init(failure).clone()
    }

    pub(super) fn committing_for(&self) -> Option<Duration> {
        let since = *self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }

    pub(super) fn set_committing(&self, since: Option<Stopwatch>) {
        *self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(super) fn with_audit<T>(&self, of: impl FnOnce(&mut audit::Buffer) -> T) -> T {
        of(&mut self.audit.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_number.load(Ordering::Relaxed)
    }

    pub(super) fn set_next_number(&self, next: u64) {
        self.next_number.store(next, Ordering::Relaxed);
    }

    /// What tenants are charged for.
    pub(super) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of that is still to be written.
    pub(super) fn charges(&self) -> MutexGuard<'_, Accounts> {
        self.charges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with_log<T>(&self, of: impl FnOnce(&mut Buffer) -> T) -> T {
        of(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The body that the clones of a [`super::Store`] share.
pub(super) struct Handle {
    requests: Option<mpsc::Sender<Request>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    disk: RwLock<Option<Arc<Disk>>>,
    reads: Arc<Semaphore>,
    options: Options,
    dir: PathBuf,
}

impl Handle {
    pub(super) fn open(dir: &Path, options: Options) -> Result<(Self, Feed), Error> {
        let disk = Arc::new(open::open(dir, &options)?);
        let shared = Arc::new(Shared::default());
        let live = read::live(&disk)?;
        let newest_stored = read::newest(&disk)?;
        let newest = live
            .iter()
            .filter_map(|((_, record), _)| Some(record.as_ref()?.updated));
        let newest = newest.max().unwrap_or_default().max(newest_stored);
        let settled = Accounts::read(&disk)?;
        *shared.accounts() = settled.with(&live);
        let numbers = audit::Numbers::read(&disk)?;
        shared.set_next_number(numbers.next());
        shared.publish(live.into_iter().map(|(kept, _)| kept), newest);
        let (source, feed) = feed(options.feed_max);
        let (requests, received) = mpsc::channel(options.queue_max.max(1));
        let writer = Writer::new(
            (disk.clone(), shared.clone()),
            source,
            options.clone(),
            (newest_stored, settled, numbers),
        );
        let writer = spawn(dir, writer, received)?;
        let handle = Self {
            requests: Some(requests),
            writer: Mutex::new(Some(writer)),
            shared,
            disk: RwLock::new(Some(disk)),
            reads: Arc::new(Semaphore::new(options.reads_max.max(1))),
            options,
            dir: dir.to_owned(),
        };
        Ok((handle, feed))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn outputs_max(&self) -> usize {
        self.options.outputs_max
    }

    /// Sends a request to the writer, and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Error> {
        if let Some(failure) = self.shared.failed() {
            return Err(failure);
        }
        let (reply, answer) = oneshot::channel();
        let gone = || self.shared.failed().unwrap_or(Error::Closed);
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        let sent = requests.send(request(reply)).await;
        sent.map_err(|_| gone())?;
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                // The writer lets go of its channel last of all, when it has said why.
                requests.closed().await;
                Err(gone())
            }
        }
    }

    /// Runs `read` on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Disk) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        // The permit goes along: a read whose asker is gone is still at work.
        let permit = self.reads.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::Closed)?;
        let disk = self.disk()?;
        let shared = self.shared.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let read = read(&disk);
            drop((disk, permit));
            read.inspect_err(|error| {
                if matches!(error, Error::Failed { .. }) {
                    shared.fail(error);
                }
            })
        });
        // It is never cancelled, so it panicked, or its runtime is gone.
        let stopped = |error: tokio::task::JoinError| Error::Failed {
            cause: error.to_string().into(),
        };
        reading.await.map_err(stopped)?
    }

    pub(super) fn log(&self, task: &TaskKey, logged: Logged) {
        if self.shared.live(task).is_none() {
            return;
        }
        let lines_max = self.options.log_lines_max;
        let is_first = self.shared.with_log(|log| log.add(task, logged, lines_max));
        if is_first {
            self.wake();
        }
    }

    /// Adds an entry to the audit, without waiting for it.
    pub(super) fn audit(&self, entry: Entry) {
        if self.shared.with_audit(|audit| audit.add(entry)) {
            self.wake();
        }
    }

    /// Charges a call of which nothing else is kept. It counts at once, and is written later.
    pub(super) fn charge(&self, tenant: &TenantId, delta: &Delta) {
        self.shared.accounts().add(tenant, delta);
        let mut charges = self.shared.charges();
        let is_first = charges.is_empty();
        charges.add(tenant, delta);
        drop(charges);
        if is_first {
            self.wake();
        }
    }

    /// Has the writer look at what waits. A full channel needs no waking: it looks before it waits.
    fn wake(&self) {
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(Request::Logged);
        }
    }

    pub(super) async fn close(&self) -> Result<(), Error> {
        let closed = self.ask(Request::Close).await;
        // Wait for the reads that are at work, and let no more begin.
        let all = u32::try_from(self.options.reads_max.max(1)).unwrap_or(u32::MAX);
        let waited = self.reads.clone().acquire_many_owned(all).await;
        self.reads.close();
        let disk = self
            .disk
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let writer = self.take_writer();
        // Of a store that has failed the journal stays as it is.
        let is_whole = matches!(closed, Ok(Ok(())));
        // Both may wait for the disk.
        let freed = tokio::task::spawn_blocking(move || {
            writer.map(JoinHandle::join);
            // Nobody else has it: the writer is gone, and so are those who read.
            match disk.and_then(Arc::into_inner) {
                Some(disk) if is_whole => disk.close(),
                disk => drop(disk),
            }
            drop(waited);
        });
        freed.await.map_err(|_| Error::Closed)?;
        closed?
    }

    fn disk(&self) -> Result<Arc<Disk>, Error> {
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        disk.clone().ok_or(Error::Closed)
    }

    fn take_writer(&self) -> Option<JoinHandle<()>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.take()
    }
}

impl Drop for Handle {
    /// Waits until the writer has written what was asked for.
    fn drop(&mut self) {
        self.requests.take();
        self.take_writer().map(JoinHandle::join);
    }
}

fn spawn(
    dir: &Path,
    writer: Writer,
    received: mpsc::Receiver<Request>,
) -> Result<JoinHandle<()>, Error> {
    let thread = std::thread::Builder::new().name("stepwell-store".into());
    let spawned = thread.spawn(move || writer.run(received));
    spawned.map_err(|error| Error::Unusable {
        dir: dir.to_owned(),
        cause: error.to_string().into(),
    })
}

/// Ends the feed when the writer is gone, however it went.
pub(super) struct Ender {
    pub(super) shared: Arc<Shared>,
    pub(super) source: Source,
}

impl Drop for Ender {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.fail(&Error::Failed {
                cause: "its writer panicked".into(),
            });
        }
        self.source.end(self.shared.failed().map_or(Ok(()), Err));
    }
}
