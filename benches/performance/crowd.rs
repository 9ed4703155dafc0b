//! A runtime in a folder of its own, with guests in it.
//!
//! The process has two kinds of threads, as it has in use: those that serve, which are tokio's, and
//! those of the guests.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use stepwell::id::{Digest, TenantId};
use stepwell::limit::Limits;
use stepwell::runtime::{Options, Request, Runtime};
use stepwell::tool::Output;
use stepwell_guest_examples::TEST_GUEST;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// More than any guest here uses.
pub(crate) const FUEL: u64 = 1_000_000_000_000_000;

/// What a guest needs that only spins, or answers at once: a hundred of them are loaded.
pub(crate) const SMALL_MEMORY: u64 = 4 << 20;

/// How long loading so many guests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A runtime, and where it lives.
pub(crate) struct House {
    pub(crate) serving: tokio::runtime::Runtime,
    pub(crate) runtime: Runtime,
    folder: TempDir,
}

/// Guests that spin until this is dropped.
pub(crate) struct Spinning<'a> {
    house: &'a House,
    /// How many were there before.
    before: usize,
    guests: usize,
    calls: JoinSet<anyhow::Result<Output>>,
}

impl House {
    /// A runtime with the usual settings, but for what `set` changes.
    pub(crate) fn open(set: impl FnOnce(&mut Options)) -> anyhow::Result<Self> {
        let folder = crate::disk::folder()?;
        let mut options = Options::new(folder.path().join("data"));
        set(&mut options);
        let serving = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: serving.block_on(Runtime::start(options))?,
            serving,
            folder,
        })
    }

    /// An empty folder beside the runtime's data, on the same disk.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<std::path::PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Makes a component's tools ready to be called.
    pub(crate) fn add(&self, component: &[u8]) -> anyhow::Result<Digest> {
        let added = self.runtime.add(component.to_vec());
        Ok(self.serving.block_on(added)?.manifest.component)
    }

    /// Loads so many guests of each tenant that spin, and waits until all of them are at work.
    pub(crate) fn spin(&self, tenants: &[(TenantId, usize)]) -> anyhow::Result<Spinning<'_>> {
        let component = self.add(TEST_GUEST)?;
        let before = self.runtime.gauges().running;
        let mut calls = JoinSet::new();
        for (tenant, guests) in tenants {
            for _ in 0..*guests {
                let request = small(component, tenant, "spin", json!({}));
                calls.spawn_on(call(self.runtime.clone(), request), self.serving.handle());
            }
        }
        let guests = calls.len();
        let spinning = Spinning {
            house: self,
            before,
            guests,
            calls,
        };
        until("the guests to be loaded", || {
            self.runtime.gauges().running == before + guests
        })?;
        Ok(spinning)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.block_on(self.runtime.abandon());
    }
}

impl Spinning<'_> {
    /// Ends them, and waits until they are gone. Fails where one was gone before.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        if let Some(ended) = self.calls.try_join_next() {
            anyhow::bail!("a guest spins no more: {:?}", ended?);
        }
        ensure!(self.calls.len() == self.guests, "a guest was lost");
        self.calls.abort_all();
        let runtime = &self.house.runtime;
        until("the guests to be gone", || {
            runtime.gauges().running == self.before
        })
    }
}

/// Calls a tool of which nothing is kept, and returns what it returned.
pub(crate) async fn call(runtime: Runtime, request: Request) -> anyhow::Result<Output> {
    let called = runtime.call(request, |_| {}).await?;
    called.result.map_err(|failure| anyhow!("{failure}"))
}

/// A call for somebody, with all the fuel there is.
pub(crate) fn request(component: Digest, tool: &str, arguments: Value) -> Request {
    let limits = Limits {
        fuel: FUEL,
        ..Limits::default()
    };
    Request {
        limits,
        ..Request::new(component, tool, arguments)
    }
}

/// A call for a tenant, with little memory.
pub(crate) fn small(component: Digest, tenant: &TenantId, tool: &str, arguments: Value) -> Request {
    let mut request = request(component, tool, arguments);
    request.limits.memory = SMALL_MEMORY;
    request.owner.tenant = tenant.clone();
    request
}

pub(crate) fn tenant(name: &str) -> anyhow::Result<TenantId> {
    Ok(TenantId::try_from(name.to_owned())?)
}

/// How many cores there are.
pub(crate) fn cores() -> u32 {
    let cores = thread::available_parallelism().ok();
    let cores = cores.and_then(|cores| u32::try_from(cores.get()).ok());
    cores.unwrap_or(2)
}

/// Sees to it that the process keeps the machine busy meanwhile: more than a tenth of it, since
/// others may be at work on it too, and guests give way to them.
pub(crate) fn busy<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (begun, before) = (Instant::now(), cpu_time());
    let done = work()?;
    let (time, used) = (begun.elapsed(), cpu_time().saturating_sub(before));
    ensure!(
        used > time * cores() / 10,
        "{used:?} of CPU time in {time:?}"
    );
    Ok(done)
}

/// The CPU time that this process has used on all its threads.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so() {
        ensure!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
