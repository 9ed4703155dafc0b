//! What an attempt has used so far, shared between the sandbox and whoever supervises the task.
//!
//! Inside a host function the amounts are exact: wasmtime's own count is noted when the guest
//! calls out, and what the call costs beyond that is a debt, which is taken from the store when
//! the call returns.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limit::Limits;
use crate::task::Usage;

/// What a kept line takes of the log's limit besides its own bytes: an empty one is a record too.
pub(super) const LINE_BYTES: u64 = 32;

/// The meter of one attempt.
///
/// Its log goes on from what the task had kept and dropped before: a line that a replay prints
/// again is kept again, and costs again. All else starts at nothing; [`Meter::raise`] takes it to
/// what the task had used before, once the attempt has replayed that.
#[derive(Debug)]
pub struct Meter {
    fuel_max: u64,
    log_max: u64,
    /// Fuel that the store held when it was last looked at.
    left: AtomicU64,
    /// Fuel that is used, but not taken from the store yet.
    debt: AtomicU64,
    memory: AtomicU64,
    memory_peak: AtomicU64,
    host_calls: AtomicU64,
    log_bytes: AtomicU64,
    log_dropped: AtomicU64,
}

impl Meter {
    /// A meter for an attempt, under these limits, at a task that has used what is recorded.
    pub fn new(limits: &Limits, recorded: &Usage) -> Self {
        Self {
            fuel_max: limits.fuel,
            log_max: limits.log,
            left: AtomicU64::new(limits.fuel),
            debt: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            memory_peak: AtomicU64::new(0),
            host_calls: AtomicU64::new(0),
            log_bytes: AtomicU64::new(recorded.log_bytes),
            log_dropped: AtomicU64::new(recorded.log_dropped),
        }
    }

    /// What was used so far. `active` and `cpu` are nothing: the sandbox does not measure time.
    pub fn usage(&self) -> Usage {
        Usage {
            fuel: self.fuel_used(),
            active: 0,
            cpu: 0,
            memory_peak: self.memory_peak.load(Ordering::Relaxed),
            host_calls: self.host_calls.load(Ordering::Relaxed),
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            log_dropped: self.log_dropped.load(Ordering::Relaxed),
        }
    }

    /// The fuel that is used: exact inside host functions and after the end, else as it was at the
    /// last host call, or a tick's worth ago. Never more than the limit.
    pub fn fuel_used(&self) -> u64 {
        let left = self.left.load(Ordering::Relaxed);
        let used = self.fuel_max.saturating_sub(left);
        used.saturating_add(self.debt.load(Ordering::Relaxed))
            .min(self.fuel_max)
    }

    /// The fuel that is left.
    pub fn fuel_left(&self) -> u64 {
        self.fuel_max - self.fuel_used()
    }

    /// The bytes of linear memory that the guest holds now.
    pub fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    /// Goes on from what is recorded, where that is more than the meter shows: each amount becomes
    /// the larger of both. The store pays the difference in fuel when the host call returns in
    /// which this is called; where the guest had less left, it ends there with `out-of-fuel`. The
    /// log is past what is recorded from the start.
    ///
    /// To be called inside a host call (a [`Durable`](super::Durable) method) only.
    pub fn raise(&self, recorded: &Usage) {
        self.charge(recorded.fuel.saturating_sub(self.fuel_used()));
        let raise = |amount: &AtomicU64, to| amount.fetch_max(to, Ordering::Relaxed);
        raise(&self.memory_peak, recorded.memory_peak);
        raise(&self.host_calls, recorded.host_calls);
    }

    /// Adds to what the guest owes for the host call that it is in.
    pub(super) fn charge(&self, fuel: u64) {
        let add = |debt: u64| Some(debt.saturating_add(fuel));
        // The closure never refuses.
        let _ = self
            .debt
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(super) fn owes(&self) -> bool {
        self.debt.load(Ordering::Relaxed) != 0
    }

    /// Notes what the store holds.
    pub(super) fn note_fuel(&self, left: u64) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// Takes the debt out of `left`. `None` where that is not enough.
    pub(super) fn pay(&self, left: u64) -> Option<u64> {
        let paid = left.checked_sub(self.debt.swap(0, Ordering::Relaxed));
        self.note_fuel(paid.unwrap_or(0));
        paid
    }

    pub(super) fn host_called(&self) {
        self.host_calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_memory(&self, now: u64) {
        self.memory.store(now, Ordering::Relaxed);
        self.memory_peak.fetch_max(now, Ordering::Relaxed);
    }

    /// Whether a line of so many bytes is kept. It is counted either way: a kept one as the record
    /// that it becomes, a dropped one as what was printed.
    pub(super) fn log(&self, bytes: u64) -> bool {
        let kept = self.log_bytes.load(Ordering::Relaxed);
        let kept = kept.saturating_add(bytes).saturating_add(LINE_BYTES);
        let fits = kept <= self.log_max;
        if fits {
            self.log_bytes.store(kept, Ordering::Relaxed);
        } else {
            self.log_dropped.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_meter_owes_only_the_difference() {
        let limits = Limits {
            fuel: 1_000_000,
            ..Limits::default()
        };
        let meter = Meter::new(&limits, &Usage::default());
        meter.note_fuel(999_000);
        meter.charge(500);
        assert_eq!(meter.fuel_used(), 1_500);
        let recorded = Usage {
            fuel: 20_000,
            host_calls: 7,
            ..Usage::default()
        };
        meter.raise(&recorded);
        meter.raise(&recorded);
        assert_eq!(meter.usage(), recorded);
        assert_eq!(meter.pay(999_000), Some(980_000));
        assert_eq!((meter.fuel_used(), meter.owes()), (20_000, false));
    }

    #[test]
    fn the_log_goes_on_from_what_is_recorded() {
        let limits = Limits {
            log: 1_000,
            ..Limits::default()
        };
        // Every attempt prints the same before it does anything new.
        let mut recorded = Usage::default();
        let mut kept = 0;
        for _ in 0..7 {
            let meter = Meter::new(&limits, &recorded);
            kept += (0..10).filter(|_| meter.log(18)).count() as u64;
            meter.raise(&recorded);
            recorded = meter.usage();
        }
        assert_eq!((kept, recorded.log_bytes), (20, 1_000));
        assert_eq!(recorded.log_dropped, 50 * 18);
    }

    #[test]
    fn a_debt_past_the_limit_is_the_limit() {
        let meter = Meter::new(&Limits::default(), &Usage::default());
        meter.charge(u64::MAX);
        assert_eq!(meter.fuel_left(), 0);
        assert_eq!(meter.pay(5), None);
        assert_eq!(meter.fuel_left(), 0);
    }
}
