//! Start, recovery, and the orderly end of a runtime.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Caps};
use super::executor::Executor;
use super::grant;
use super::sleeper::Sleeper;
use super::supervisor::{Message, Supervisor};
use super::watches::Watches;
use super::{CutOff, Error, Options, Runtime, Shared, lock};
use crate::id::{Digest, TaskKey};
use crate::limit::BARREN_ATTEMPTS_MAX;
use crate::registry::Registry;
use crate::sandbox::{self, Sandbox};
use crate::store::{self, Store};
use crate::task::{Change, Event, Record, State};

/// The registry's folder in the data directory.
const REGISTRY: &str = "registry";

/// The name of the socket by which a server can be reached, in the data directory that it holds.
pub const SOCKET: &str = "socket";

fn registry_folder(data_dir: &Path) -> std::io::Result<Dir> {
    let data_dir = Dir::open_ambient_dir(data_dir, ambient_authority())?;
    data_dir.create_dir_all(REGISTRY)?;
    data_dir.open_dir(REGISTRY)
}

impl Runtime {
    /// Opens the data directory, and goes on with the unfinished tasks in it if the options say so.
    /// Needs a tokio runtime with time enabled.
    pub async fn start(options: Options) -> Result<Self, Error> {
        options.check()?;
        let store_options = store::Options {
            beside: &[REGISTRY, SOCKET],
            ..options.store.clone()
        };
        let (store, feed) = Store::open(&options.data_dir, store_options)?;
        options.clock.not_before(store.newest());
        let sandbox = Sandbox::new(&sandbox::Options {
            slots: options.running_max,
            clock: options.clock.clone(),
            ..sandbox::Options::default()
        })?;
        let folder = registry_folder(&options.data_dir).map_err(|source| Error::Io {
            what: "the data directory can't be read",
            source,
        })?;
        let registry = Registry::open(folder, sandbox.clone())?;
        let preempt = sandbox.clone();
        let executor = Executor::new(options.guest_threads.max(1), move || preempt.preempt());
        let executor = executor.map_err(|source| Error::Io {
            what: "no threads for guests",
            source,
        })?;
        let (messages, received) = mpsc::unbounded_channel();
        let caps = Caps {
            running_max: options.running_max.min(sandbox.slots()),
            queued_max: options.queued_max,
            memory_max: options.memory_max,
        };
        let admission = Admission::new(caps, options.tenants.clone(), messages.clone());
        let shared = Arc::new(Shared {
            clock: options.clock.clone(),
            sleeper: Sleeper::new(&options.clock),
            store,
            sandbox,
            registry,
            executor,
            serving: Handle::current(),
            tracker: TaskTracker::new(),
            messages,
            admission,
            fresh: Mutex::new(HashMap::new()),
            mine: Mutex::new(HashSet::new()),
            loaded: Mutex::new(HashMap::new()),
            loads: watch::channel(()).0,
            watches: Watches::new(),
            sweeping: Mutex::new(HashSet::new()),
            added: Mutex::new(HashSet::new()),
            draining: watch::channel(false).0,
            cut_off: watch::channel(None).0,
            failed: watch::channel(None).0,
            options,
        });
        let supervisor = Supervisor::new(shared.clone());
        tokio::spawn(supervisor.run(feed, received));
        let runtime = Self(shared);
        if runtime.0.runs_all() {
            for record in runtime.0.store.live() {
                runtime.recover(record).await?;
            }
        }
        runtime.spawn_retention();
        Ok(runtime)
    }

    /// Takes over a task that another process left: it is this one's to run from now on.
    pub async fn adopt(&self, task: &TaskKey) -> Result<(), Error> {
        let record = self.record(task).await?;
        // A folder that is missing now is the host's affair: the task waits for it.
        if !record.state.is_terminal() {
            grant::open_all(&record.spec.grants)?;
        }
        self.recover(record).await
    }

    /// The task as it is, where the process that ran it is gone: what was running then is queued
    /// again. It is not run here; [`Runtime::adopt`] does that.
    pub async fn settle(&self, task: &TaskKey) -> Result<Arc<Record>, Error> {
        let record = self.record(task).await?;
        if !self.is_abandoned(&record) || lock(&self.0.mine).contains(task) {
            return Ok(record);
        }
        self.crashed(record).await
    }

    /// Lifts the quarantine of a component, for somebody who knows better.
    pub async fn release(&self, component: Digest) -> Result<(), Error> {
        Ok(self.0.registry.release(component).await?)
    }

    /// A task that is found running has lost its process with its attempt.
    async fn recover(&self, record: Arc<Record>) -> Result<(), Error> {
        let key = record.key();
        if !lock(&self.0.mine).insert(key.clone()) {
            return Ok(());
        }
        if matches!(record.state, State::Running { .. }) {
            self.crashed(record).await?;
        }
        self.0.tell(Message::Adopt(key));
        Ok(())
    }

    async fn crashed(&self, record: Arc<Record>) -> Result<Arc<Record>, Error> {
        let key = record.key();
        let (_, doubts) = self.0.snapshot(&key).await;
        let at = self.0.clock.now();
        let change = Change {
            doubts,
            ..Change::by_host(at, Event::Crashed)
        };
        // Before the end is recorded: else a process that ends in between lets the component go on.
        if record.barren >= BARREN_ATTEMPTS_MAX {
            let reason = "it took the process with it three times in a row".to_owned();
            let component = record.spec.component;
            self.0.registry.quarantine(component, reason).await?;
        }
        let record = self.0.store.change(&key, change).await?;
        Ok(record)
    }

    /// Ends the runtime: nothing is started any more, and whoever waits for that is refused.
    /// Guests leave at their next boundary, calls of which nothing is kept go on to their end, and
    /// what is still there after `patience` is cut off. Every task goes on at the next start.
    pub async fn drain(&self, patience: Duration) {
        self.halt(patience).await;
        self.close().await;
    }

    /// The first half of [`Runtime::drain`]: when this returns there is no guest any more, and
    /// tasks can still be looked at, by those who waited for their ends.
    pub async fn halt(&self, patience: Duration) {
        let shared = &self.0;
        self.start_no_more();
        let loaded: Vec<_> = lock(&shared.loaded).values().cloned().collect();
        loaded.iter().for_each(|link| link.want_drain());
        if tokio::time::timeout(patience, shared.tracker.wait())
            .await
            .is_err()
        {
            shared.cut_off.send_replace(Some(CutOff::Suspend));
            shared.tracker.wait().await;
        }
    }

    /// Ends the runtime as a crash would: guests are dropped where they are, and nothing is
    /// written about it. Tasks are recovered at the next start.
    pub async fn abandon(&self) {
        let shared = &self.0;
        self.start_no_more();
        shared.cut_off.send_replace(Some(CutOff::Abandon));
        shared.tracker.wait().await;
        self.close().await;
    }

    /// Sends away who waits in line, here or for a task there, and refuses who comes.
    fn start_no_more(&self) {
        let shared = &self.0;
        shared.draining.send_replace(true);
        shared.admission.close();
        shared.tracker.close();
    }

    /// The second half of [`Runtime::drain`]: everything is on disk, and the directory is free.
    /// Whoever follows a task that is left is let go of.
    pub async fn close(&self) {
        let shared = &self.0;
        if let Err(error) = shared.store.clone().close().await {
            tracing::error!(%error, "the store could not be closed");
        }
        shared.watches.end();
    }
}
