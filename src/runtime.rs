//! The runtime: supervises tasks behind one cheap-clone handle.
//!
//! It is the only place where a guest meets the store. What follows from a change is decided in one
//! loop (`supervisor`), which reacts to the records in the order in which they were committed; an
//! attempt has two sides, the guest's (`boundary`) and the supervising one (`attempt`), which share
//! a `link`. The rules themselves are in [`crate::task`], and this module only carries them out.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Timestamp, millis};
use crate::id::{Digest, Principal, TaskKey, TenantId};
use crate::limit::Limits;
use crate::registry::{Registered, Registry};
use crate::sandbox::Sandbox;
use crate::store::{self, Store};
use crate::task::{Fenced, Record};

mod admission;
mod answer;
mod answered;
mod attempt;
mod audit;
mod boundary;
mod budget;
mod call;
mod checkpoint;
mod control;
mod error;
mod executor;
mod grant;
mod inspect;
mod link;
mod notes;
mod policy;
mod read;
mod retention;
mod settings;
mod sleeper;
mod start;
mod submit;
mod supervisor;
mod tenants;
mod turns;
mod watches;
mod wheel;

pub use answer::Answer;
pub use answered::Answered;
pub use call::Called;
pub use checkpoint::Envelope;
pub use control::Cancellation;
pub use error::Error;
pub use grant::{CannotGrant, Grant};
pub use inspect::inspect;
pub use policy::{Contradiction, policy};
pub use start::SOCKET;
pub use submit::{Accepted, Request};
pub use tenants::{Share, Tenants};
pub use watches::Progress;

use admission::{Admission, Full, Place};
use executor::{CpuTime, Executor, Running};
use link::Link;
use retention::JUMP_MAX;
use sleeper::Sleeper;
use supervisor::Message;
use watches::{Interest, Watches};

/// How a runtime is set up.
#[derive(Clone)]
pub struct Options {
    /// Where everything durable is kept.
    pub data_dir: PathBuf,
    /// Whether unfinished tasks that are found there are run. Without it only those are that were
    /// submitted here, or adopted by name.
    pub run_found: bool,
    /// The most guests that are loaded at once, of all tenants.
    pub running_max: usize,
    /// The most new tasks and calls of all tenants that wait for their turn; past it they are
    /// refused at once. The last tenth is for tenants with less than a thousandth in line.
    pub queued_max: usize,
    /// The most bytes of linear memory that all loaded guests may come to use, by their limits.
    pub memory_max: u64,
    /// What each tenant gets of that.
    pub tenants: Tenants,
    /// The threads on which guests run.
    pub guest_threads: usize,
    /// The longest that any guest may run after it was asked to stop, in wall time.
    pub grace_max: Duration,
    /// How long an entry of the audit is kept.
    pub audit_age_max: Duration,
    /// The most entries of the audit that are kept; the oldest go first.
    pub audit_max: u64,
    /// Where the time comes from.
    pub clock: Clock,
    /// The store's own settings.
    pub store: store::Options,
}

impl Options {
    /// The usual settings, for everything kept in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            data_dir: data_dir.into(),
            run_found: true,
            running_max: 256,
            queued_max: 10_000,
            memory_max: usual_memory(),
            tenants: Tenants::default(),
            guest_threads: cores,
            grace_max: Duration::from_secs(30),
            audit_age_max: Duration::from_secs(90 * 24 * 3_600),
            audit_max: 10_000_000,
            clock: Clock::system(),
            store: store::Options::default(),
        }
    }
}

/// Three quarters of the memory that this process may have: the rest is for the system, the store
/// and what serves.
fn usual_memory() -> u64 {
    let machine = rustix::system::sysinfo();
    let machine = machine.totalram.saturating_mul(machine.mem_unit.into());
    // In a container the machine's is not all ours.
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse().ok());
    container.map_or(machine, |max: u64| max.min(machine)) / 4 * 3
}

/// Supervises tasks. Cheap to clone; all clones are the same runtime.
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

/// What is held at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gauges {
    /// Guests that have a slot.
    pub running: usize,
    /// Places taken in the queue.
    pub queued: usize,
    /// Bytes of linear memory of all guests.
    pub memory: u64,
}

/// What one tenant holds at this moment, and has used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TenantGauges {
    /// Guests that have a slot.
    pub running: usize,
    /// Places taken in the queue.
    pub queued: usize,
    /// Bytes of linear memory that the guests may come to use, by their limits.
    pub memory: u64,
    /// The CPU time that its guests have used since the start of the process.
    pub cpu: Duration,
    /// The fuel that its tasks and calls have used since the day began, in UTC: of those at work, up
    /// to their newest records.
    pub fuel_today: u64,
    /// The bytes that are kept for it.
    pub stored: u64,
}

/// The body that all clones of the handle share.
struct Shared {
    options: Options,
    clock: Clock,
    sleeper: Sleeper,
    store: Store,
    sandbox: Sandbox,
    registry: Registry,
    executor: Executor,
    /// The threads that serve.
    serving: Handle,
    tracker: TaskTracker,
    messages: mpsc::UnboundedSender<Message>,
    admission: Admission,
    /// Tasks that are accepted, or about to be, and were never admitted.
    fresh: Mutex<HashMap<TaskKey, Fresh>>,
    /// The tasks that are this process's to run.
    mine: Mutex<HashSet<TaskKey>>,
    loaded: Mutex<HashMap<TaskKey, Arc<Link>>>,
    /// Told whenever an attempt was loaded.
    loads: watch::Sender<()>,
    watches: Watches,
    sweeping: Mutex<HashSet<TaskKey>>,
    /// The components that were added by this process: they are kept without a task, too.
    added: Mutex<HashSet<Digest>>,
    draining: watch::Sender<bool>,
    cut_off: watch::Sender<Option<CutOff>>,
    failed: watch::Sender<Option<store::Error>>,
}

/// What is kept here of a task until it is first admitted.
struct Fresh {
    /// Its place, until it comes to the queue.
    place: Option<Place>,
    /// Its arguments, if they are short: most tasks are admitted soon, and need not go to the disk
    /// for what was here a moment ago.
    arguments: Option<Arc<[u8]>>,
}

/// The most bytes of arguments that are kept in memory until a task is admitted. Their number is
/// that of the places in the queue.
const ARGUMENTS_HELD_MAX: usize = 4_096;

/// What becomes of a guest that is cut off because the runtime ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CutOff {
    /// Its task is queued again.
    Suspend,
    /// Nothing is written any more.
    Abandon,
}

/// Keeps an attempt among the loaded ones while it lives.
struct Loaded {
    shared: Arc<Shared>,
    link: Arc<Link>,
}

impl Loaded {
    fn enter(shared: &Arc<Shared>, link: &Arc<Link>) -> Self {
        lock(&shared.loaded).insert(link.key.clone(), link.clone());
        shared.loads.send_replace(());
        Self {
            shared: shared.clone(),
            link: link.clone(),
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let mut loaded = lock(&self.shared.loaded);
        // The next attempt may have been loaded before this one was gone.
        let newest = loaded.get(&self.link.key);
        if newest.is_some_and(|newest| Arc::ptr_eq(newest, &self.link)) {
            loaded.remove(&self.link.key);
        }
    }
}

impl Runtime {
    /// What is held at this moment.
    pub fn gauges(&self) -> Gauges {
        let held = self.0.admission.all();
        Gauges {
            running: held.running,
            queued: held.queued,
            memory: self.0.admission.memory(),
        }
    }

    /// What `tenant` holds at this moment, and has used.
    pub fn tenant(&self, tenant: &TenantId) -> TenantGauges {
        let held = self.0.admission.of(tenant);
        let used = self.0.store.used(tenant, self.0.clock.now());
        TenantGauges {
            running: held.running,
            queued: held.queued,
            memory: held.reserved,
            cpu: self.0.executor.cpu(tenant),
            fuel_today: used.fuel,
            stored: used.stored,
        }
    }

    /// Why no new work should be sent here, if there is a reason.
    pub fn unready(&self) -> Option<String> {
        if let Some(error) = &*self.0.failed.borrow() {
            return Some(format!("the store has failed: {error}"));
        }
        if self.0.is_draining() {
            return Some("the runtime is about to end".into());
        }
        let jump = self.0.clock.jump();
        (jump > JUMP_MAX).then(|| format!("the machine's clock has jumped by {} s", jump.as_secs()))
    }

    /// Where everything durable is kept.
    pub fn data_dir(&self) -> &Path {
        &self.0.options.data_dir
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Returns when the clock shows `at` or later. It is an entry in the one wheel of all who wait:
    /// cheap to begin with for somebody who hardly ever has to wait so long.
    pub fn until(&self, at: Timestamp) -> impl Future<Output = ()> + Send + Unpin + use<> {
        self.0.sleeper.until(at)
    }

    /// A secret of this data directory, for one purpose: the same after a restart.
    pub fn secret(&self, purpose: &[u8]) -> [u8; 32] {
        self.0.registry.secret(purpose)
    }

    /// Registers a component, so that its tools can be called.
    pub async fn add(&self, component: Vec<u8>) -> Result<Arc<Registered>, Error> {
        // Before it is there: retention forgets what nobody has added.
        lock(&self.0.added).insert(Digest::of(&component));
        Ok(self.0.registry.add(component).await?)
    }

    /// Returns when the store has failed, with the reason. Nothing is acknowledged any more, and
    /// the process should end: it can't keep what it promises.
    pub async fn failed(&self) -> store::Error {
        let mut failed = self.0.failed.subscribe();
        let failed = failed.wait_for(Option::is_some).await;
        failed
            .ok()
            .and_then(|error| error.clone())
            .unwrap_or(store::Error::Closed)
    }
}

impl Shared {
    fn runs_all(&self) -> bool {
        self.options.run_found
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Returns when guests that have not left by themselves are to be cut off.
    async fn cut_off(&self) -> CutOff {
        let mut cut_off = self.cut_off.subscribe();
        let said = cut_off.wait_for(Option::is_some).await;
        said.ok()
            .and_then(|cut_off| *cut_off)
            .unwrap_or(CutOff::Abandon)
    }

    fn link(&self, key: &TaskKey) -> Option<Arc<Link>> {
        lock(&self.loaded).get(key).cloned()
    }

    /// Shows a committed record to the attempt that is loaded, and to whoever watches the task.
    fn show(&self, key: &TaskKey, record: &Arc<Record>) {
        if let Some(link) = self.link(key) {
            link.renew(record.clone());
        }
        self.watches.show(key, record, Interest::News);
    }

    /// What a request that may end the task has to know of its work: from the attempt that is
    /// loaded, else from the journal.
    async fn snapshot(&self, key: &TaskKey) -> (Option<Fenced>, Vec<Arc<str>>) {
        if let Some((fenced, doubts)) = self.link(key).and_then(|link| link.snapshot()) {
            return (Some(fenced), doubts);
        }
        let Ok(Some(record)) = self.store.get(key).await else {
            return (None, Vec::new());
        };
        if record.once_steps == 0 || record.state.is_terminal() {
            return (None, Vec::new());
        }
        let journal = self.store.journal(&record).await;
        (
            None,
            journal
                .map(|journal| journal.journal.doubts())
                .unwrap_or_default(),
        )
    }

    /// Runs a guest for `owner`, by the weight of its tenant.
    fn spawn_guest<F>(&self, owner: &Principal, cpu: CpuTime, guest: F) -> Running<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let weight = self.admission.weight(&owner.tenant);
        self.executor.spawn((owner, weight), cpu, guest)
    }

    /// A place in the queue, or a refusal at once.
    fn take_place(&self, tenant: &TenantId) -> Result<Place, Error> {
        self.admission.place(tenant).map_err(|full| match full {
            Full::Tenant { queued, max } => Error::TenantBusy { queued, max },
            Full::All { queued, max } => Error::Busy { queued, max },
        })
    }

    /// Refuses limits that can't be enforced, and a task that would never be loaded.
    fn check_limits(&self, limits: &Limits, tenant: &TenantId) -> Result<(), Error> {
        limits.check()?;
        let (memory, max) = (limits.memory, self.admission.memory_max(tenant));
        if memory > max {
            return Err(Error::NoRoom { memory, max });
        }
        Ok(())
    }

    /// The place that a task took before it was accepted.
    fn give_place(&self, key: &TaskKey) -> Option<Place> {
        lock(&self.fresh).get_mut(key)?.place.take()
    }

    fn tell(&self, message: Message) {
        // The loop ends with the store; whoever waits for it is told by `failed`.
        let _ = self.messages.send(message);
    }

    fn fail(&self, error: store::Error) {
        tracing::error!(%error, "the store has failed");
        self.failed.send_replace(Some(error));
        self.cut_off.send_replace(Some(CutOff::Abandon));
        self.watches.end();
    }

    /// The grace that a guest gets that is to have `wanted` milliseconds.
    fn grace(&self, wanted: u64) -> u64 {
        wanted.min(millis(self.options.grace_max))
    }

    /// Why nothing is to be had here any more.
    fn gone(&self) -> Error {
        match &*self.failed.borrow() {
            Some(error) => Error::Store(error.clone()),
            None => Error::Draining,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
