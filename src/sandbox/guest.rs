//! What a store knows of its guest, and how a store is set up.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

use super::clocks::{Monotonic, Wall};
use super::limiter::Limiter;
use super::log::Log;
use super::pace::Pace;
use super::{Durable, End, Grant, Meter};
use crate::clock::{Clock, Stopwatch};
use crate::limit::Limits;
use crate::task::Source;

/// The fuel that a host call costs, besides what it works on: about what it takes as long as.
const FUEL_PER_CALL: u64 = 500;

/// What one call may hand over besides the largest thing that it is there for: names, and the
/// host's own form of lists.
const LIFT_SLACK: u64 = 256 << 10;

/// How much fuel a guest uses before it brings the store's count, and so the meter, up to date.
/// Compiled code counts in a register and writes that back where it calls: a loop that never does,
/// cut off, would have used nothing. It is about what a plain loop uses in a tick.
const FUEL_PER_COUNT: u64 = 10_000_000;

/// The most random bytes that a guest gets at once.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// One guest: what its host functions work with.
pub(super) struct Guest {
    pub(super) durable: Box<dyn Durable>,
    pub(super) meter: Arc<Meter>,
    pub(super) limits: Limits,
    pub(super) limiter: Limiter,
    pub(super) table: ResourceTable,
    pub(super) log: Log,
    /// Why the host unwinds the guest, where it does.
    pub(super) ended: Option<End>,
    wasi: WasiCtx,
    pace: Pace,
}

/// What a guest is set up with.
pub(super) struct Setup<'a> {
    pub(super) clock: &'a Clock,
    pub(super) limits: Limits,
    pub(super) grants: &'a [Grant],
    pub(super) meter: Arc<Meter>,
    pub(super) durable: Box<dyn Durable>,
}

impl Guest {
    /// A store with a guest in it and every limit set.
    pub(super) fn store(engine: &Engine, setup: Setup<'_>) -> wasmtime::Result<Store<Self>> {
        let limits = setup.limits.clone();
        let mut store = Store::try_new(engine, Self::new(setup)?)?;
        store.limiter(|guest| &mut guest.limiter);
        store.fuel_async_yield_interval(Some(FUEL_PER_COUNT))?;
        store.set_fuel(limits.fuel)?;
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|guest| Ok(tick(guest)));
        store.call_hook(pay);
        store.set_max_component_handles(size(limits.handles));
        let largest = limits.output.max(limits.step_output).max(limits.checkpoint);
        store.set_hostcall_fuel(size(largest.saturating_add(LIFT_SLACK)));
        Ok(store)
    }

    fn new(setup: Setup<'_>) -> wasmtime::Result<Self> {
        let log = Log::new(setup.meter.clone());
        let mut table = ResourceTable::new();
        table.set_max_capacity(size(setup.limits.handles));
        let mut wasi = WasiCtx::builder();
        wasi.stdout(log.stream(Source::Stdout))
            .stderr(log.stream(Source::Stderr))
            .wall_clock(Wall(setup.clock.clone()))
            .monotonic_clock(Monotonic(Stopwatch::start()))
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        for grant in setup.grants {
            let perms = match grant.writable {
                true => FsPerms::ReadWrite,
                false => FsPerms::ReadOnly,
            };
            // The folder that was opened when it was granted, whatever its path means now.
            let folder = descriptor_path(grant);
            wasi.preopened_dir(folder, &grant.path, perms)?;
        }
        Ok(Self {
            durable: setup.durable,
            limiter: Limiter::new(&setup.limits, setup.meter.clone()),
            pace: Pace::new(setup.limits.calls_per_second),
            meter: setup.meter,
            limits: setup.limits,
            table,
            log,
            ended: None,
            wasi: wasi.build(),
        })
    }

    /// The guest, in a host call, which is counted and paid for. Every interface is linked by way
    /// of this.
    pub(super) fn called(&mut self) -> &mut Self {
        self.meter.charge(FUEL_PER_CALL);
        self.meter.host_called();
        self.pace.called();
        self
    }

    /// Adds what a host call works on to its price.
    pub(super) fn charge(&self, bytes: usize) {
        self.meter.charge(bytes as u64);
    }

    /// Unwinds the guest.
    pub(super) fn end(&mut self, end: End) -> wasmtime::Error {
        self.ended = Some(end);
        wasmtime::Error::msg("the host ended the attempt")
    }

    /// Takes an answer of the durable side, which may be the end.
    pub(super) fn answer<T>(&mut self, answer: Result<T, End>) -> wasmtime::Result<T> {
        answer.map_err(|end| self.end(end))
    }

    /// Hands complete lines on.
    pub(super) fn hand_on_lines(&mut self) {
        for (source, line) in self.log.take() {
            self.durable.write(source, line);
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let guest = self.called();
        WasiCtxView {
            ctx: &mut guest.wasi,
            table: &mut guest.table,
        }
    }
}

/// Keeps the meter exact, and takes what a host call cost when it returns.
///
/// wasmtime calls this for its own helpers too (growing a memory is one, and what a guest calls
/// when its [`FUEL_PER_COUNT`] is used), and then holds the fuel
/// where a change is lost. So a debt is only ever made by a host function, and it is paid before
/// any of the guest's code runs again: when the function returns, or when it calls the guest to
/// make room for what it returns.
fn pay(mut store: StoreContextMut<'_, Guest>, hook: CallHook) -> wasmtime::Result<()> {
    match hook {
        CallHook::CallingHost => {
            let left = store.get_fuel()?;
            let guest = store.data_mut();
            guest.limiter.settle();
            guest.meter.note_fuel(left);
        }
        CallHook::ReturningFromHost | CallHook::CallingWasm => {
            store.data_mut().hand_on_lines();
            if store.data().meter.owes() {
                let left = store.get_fuel()?;
                let paid = store.data().meter.pay(left);
                store.set_fuel(paid.unwrap_or(0))?;
                if paid.is_none() {
                    return Err(Trap::OutOfFuel.into());
                }
            }
        }
        CallHook::ReturningFromWasm => {
            let left = store.get_fuel()?;
            store.data().meter.note_fuel(left);
        }
    }
    Ok(())
}

/// Lets others run; holds a guest up that makes too many calls.
fn tick(mut store: StoreContextMut<'_, Guest>) -> UpdateDeadline {
    match store.data_mut().pace.delay() {
        Some(delay) => UpdateDeadline::YieldCustom(1, Box::pin(tokio::time::sleep(delay))),
        None => UpdateDeadline::Yield(1),
    }
}

fn descriptor_path(grant: &Grant) -> String {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", grant.folder.as_raw_fd())
}

fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
