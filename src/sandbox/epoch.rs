//! The epoch: how guests come to let others run.
//!
//! Compiled code compares the engine's epoch at every loop and call. A thread advances it with every
//! tick; whoever should not have to wait for the tick advances it early. It is no clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

use super::Error;
use crate::clock::Stopwatch;

/// How often it is advanced early, at most: with every guest at every advance something is lost. It
/// is less than a short call takes, or one caller after the other would wait for it each time.
const GAP: Duration = Duration::from_micros(20);

/// Advances the epoch for as long as the engine lives.
pub(super) struct Epoch {
    early: Arc<Early>,
    ticker: Thread,
}

struct Early {
    since: Stopwatch,
    /// When it was last advanced early, in nanoseconds since then.
    last: AtomicU64,
    /// Whether it is to be advanced as soon as the gap is over.
    is_due: AtomicBool,
}

impl Epoch {
    pub(super) fn start(engine: EngineWeak, every: Duration) -> Result<Self, Error> {
        let early = Arc::new(Early {
            since: Stopwatch::start(),
            last: AtomicU64::new(0),
            is_due: AtomicBool::new(false),
        });
        let ticks = early.clone();
        let thread = thread::Builder::new().name("stepwell-epoch".into());
        let thread = thread.spawn(move || ticks.tick(&engine, every));
        let failed = |error| Error::Engine(format!("no thread for the epoch: {error}"));
        let ticker = thread.map_err(failed)?.thread().clone();
        Ok(Self { early, ticker })
    }

    /// Advances it now, or as soon as the gap since the last time is over.
    ///
    /// A guest that yielded, and was taken to be polled again but is not back in its code yet,
    /// misses this: wasmtime counts its next deadline from the epoch that it finds there. Whoever
    /// this was for waits for the tick then. It is a matter of microseconds in each poll, and a
    /// guest that is on its way can't be told from one that has arrived, so the tick is what bounds
    /// the wait, and this only makes it shorter.
    pub(super) fn advance(&self, engine: &Engine) {
        if self.early.try_advance(engine) {
            return;
        }
        if !self.early.is_due.swap(true, Ordering::AcqRel) {
            self.ticker.unpark();
        }
    }
}

impl Early {
    /// Whether there was no gap to wait for.
    fn try_advance(&self, engine: &Engine) -> bool {
        let now = nanos(self.since.elapsed());
        let last = self.last.load(Ordering::Relaxed);
        if now.saturating_sub(last) < nanos(GAP) {
            return false;
        }
        let swapped = self
            .last
            .compare_exchange(last, now, Ordering::AcqRel, Ordering::Relaxed);
        if swapped.is_ok() {
            engine.increment_epoch();
        }
        // If it was not, somebody else advances it in this moment.
        true
    }

    fn tick(&self, engine: &EngineWeak, every: Duration) {
        let mut last = Stopwatch::start();
        while let Some(engine) = engine.upgrade() {
            if self.is_due.load(Ordering::Acquire) {
                let since = self.since.elapsed();
                let at = Duration::from_nanos(self.last.load(Ordering::Relaxed)) + GAP;
                thread::sleep(at.saturating_sub(since));
                // First this, so that whoever comes from now on is not overlooked.
                self.is_due.store(false, Ordering::Release);
                self.try_advance(&engine);
            }
            if last.elapsed() >= every {
                last = Stopwatch::start();
                engine.increment_epoch();
            }
            drop(engine);
            thread::park_timeout(every.saturating_sub(last.elapsed()));
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Engine {
        let mut config = wasmtime::Config::new();
        Engine::new(config.epoch_interruption(true)).unwrap()
    }

    /// Runs a guest that never ends by itself, until the epoch was advanced `ticks` times.
    fn spin(engine: &Engine, ticks: u64, begun: impl FnOnce()) {
        let module = r#"(module (func (export "f") (loop br 0)))"#;
        let module = wat::parse_str(module).unwrap();
        let module = wasmtime::Module::new(engine, module).unwrap();
        let mut store = wasmtime::Store::new(engine, ());
        store.set_epoch_deadline(ticks);
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        let spin = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
        begun();
        let trap = spin.call(&mut store, ()).unwrap_err();
        assert!(trap.is::<wasmtime::Trap>(), "{trap:?}");
    }

    #[test]
    fn it_is_advanced_with_every_tick() {
        let engine = engine();
        let _epoch = Epoch::start(engine.weak(), Duration::from_millis(1)).unwrap();
        spin(&engine, 3, || {});
    }

    #[test]
    fn of_two_early_advances_at_once_the_second_is_late_and_not_lost() {
        let engine = engine();
        // It would take an hour without.
        let epoch = Epoch::start(engine.weak(), Duration::from_secs(3_600)).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let guest = engine.clone();
        thread::spawn(move || {
            spin(&guest, 2, || tell.send("it spins").unwrap());
            tell.send("it has ended").unwrap();
        });
        let within = Duration::from_secs(60);
        assert_eq!(told.recv_timeout(within), Ok("it spins"));
        epoch.advance(&engine);
        epoch.advance(&engine);
        assert_eq!(told.recv_timeout(within), Ok("it has ended"));
    }
}
