//! The only place where the time is read.
//!
//! Elapsed time is monotonic from an anchor: a wall clock that is set back while the process runs
//! moves no deadline. It counts the time for which the machine is suspended. A test holds a [`Hand`] instead and moves the time itself. This module
//! knows nothing of timers; those who wait ask to be told when the hand was moved.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The milliseconds of a day.
const DAY: u64 = 24 * 3_600 * 1_000;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The instant `by` later; the end of time if that is past it.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// The day in UTC that it lies in, counted from 1970-01-01.
    pub fn day(self) -> u64 {
        self.0 / DAY
    }

    /// The first instant of the day after: when what is counted by the day begins anew.
    #[must_use]
    pub fn next_day(self) -> Self {
        Self((self.day() + 1).saturating_mul(DAY))
    }

    /// How long it is from `earlier` to here; nothing if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    /// As RFC 3339 has it: with its offset from UTC, so that it means the same everywhere.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let instant = text.parse::<jiff::Timestamp>().map_err(|_| InvalidTime)?;
        let millis = u64::try_from(instant.as_millisecond());
        millis.map(Self).map_err(|_| InvalidTime)
    }
}

/// A text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write it as RFC 3339 has it, like 2027-01-31T00:00:00Z")]
pub struct InvalidTime;

/// A duration in whole milliseconds, the unit of every stored time.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A source of the time, cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System {
        /// What the machine's wall clock showed when the machine had run for `since`.
        wall: Timestamp,
        since: u64,
        /// How many milliseconds this clock is ahead of that one.
        ahead: AtomicU64,
    },
    Manual {
        now: AtomicU64,
        told: Mutex<Vec<Arc<dyn Fn() + Send + Sync>>>,
    },
}

/// Moves a manual clock.
#[derive(Clone)]
pub struct Hand(Clock);

impl Clock {
    /// The machine's clock, read once here and counted on from there.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that reads the time"
    )]
    pub fn system() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, millis);
        Self(Arc::new(Source::System {
            wall: Timestamp(wall),
            since: running(),
            ahead: AtomicU64::new(0),
        }))
    }

    /// A clock that stands at `start` until its hand is moved.
    pub fn manual(start: Timestamp) -> (Self, Hand) {
        let clock = Self(Arc::new(Source::Manual {
            now: AtomicU64::new(start.0),
            told: Mutex::default(),
        }));
        (clock.clone(), Hand(clock))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System { wall, since, ahead } => {
                let counted = counted(*wall, *since);
                Timestamp(counted.0.saturating_add(ahead.load(Ordering::Relaxed)))
            }
            Source::Manual { now, .. } => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Keeps the clock from showing a time before `newest`, the newest instant in the store: a
    /// machine whose clock was set back while it was down would else reorder what is recorded. The
    /// clock goes on from there; one that waited there would hold up every deadline and limit.
    pub fn not_before(&self, newest: Timestamp) {
        match &*self.0 {
            Source::System { wall, since, ahead } => {
                let behind = newest.0.saturating_sub(counted(*wall, *since).0);
                ahead.fetch_max(behind, Ordering::Relaxed)
            }
            Source::Manual { now, .. } => now.fetch_max(newest.0, Ordering::SeqCst),
        };
    }

    /// How far the machine's wall clock has been moved since the start. How far this one was put
    /// ahead of it does not count.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that reads the time"
    )]
    pub fn jump(&self) -> Duration {
        match &*self.0 {
            Source::System { wall, since, .. } => {
                let counted = counted(*wall, *since);
                let read = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, millis);
                Duration::from_millis(counted.0.abs_diff(read))
            }
            Source::Manual { .. } => Duration::ZERO,
        }
    }

    /// Calls `tell` whenever the time is moved by hand, which the machine's clock never is.
    pub fn on_moved(&self, tell: Arc<dyn Fn() + Send + Sync>) {
        if let Source::Manual { told, .. } = &*self.0 {
            told.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(tell);
        }
    }

    /// Whether time passes only when a hand moves it.
    pub fn is_manual(&self) -> bool {
        matches!(&*self.0, Source::Manual { .. })
    }
}

/// What a wall clock shows that showed `wall` when the machine had run for `since`, and that nobody
/// has set.
fn counted(wall: Timestamp, since: u64) -> Timestamp {
    Timestamp(wall.0.saturating_add(running().saturating_sub(since)))
}

/// For how many milliseconds the machine runs, with those for which it was suspended: the standard
/// library's `Instant` leaves them out.
fn running() -> u64 {
    let running = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let part = |part, unit| u64::try_from(part).unwrap_or_default().saturating_mul(unit);
    part(running.tv_sec, 1_000).saturating_add(part(running.tv_nsec, 1) / 1_000_000)
}

/// The CPU time that this thread has used. Unlike elapsed time it does not pass while the machine
/// runs somebody else.
pub fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or_default())
}

impl Hand {
    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { now, told } = &*self.0.0 {
            now.fetch_add(millis(by), Ordering::SeqCst);
            let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            told.iter().for_each(|tell| tell());
        }
    }
}

/// A point from which elapsed real time is measured, for spans and reports that a manual clock
/// must not hold still.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that reads the time"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_its_text() {
        let time = Timestamp(1_800_000_000_123);
        assert_eq!(time.to_string().parse(), Ok(time));
        for bad in [
            "",
            "2027-01-31",
            "2027-01-31T00:00:00",
            "1950-01-01T00:00:00Z",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTime), "{bad}");
        }
    }

    #[test]
    fn a_hand_moves_the_time_and_says_so() {
        let (clock, hand) = Clock::manual(Timestamp(1_000));
        let heard = Arc::new(AtomicU64::new(0));
        let count = heard.clone();
        clock.on_moved(Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        hand.advance(Duration::from_millis(5));
        assert_eq!(clock.now(), Timestamp(1_005));
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_day_begins_at_midnight() {
        let last = Timestamp(DAY * 20_000 - 1);
        assert_eq!(
            (last.day(), last.next_day()),
            (19_999, Timestamp(DAY * 20_000))
        );
        assert_eq!(last.next_day().day(), 20_000);
        assert_eq!(Timestamp(u64::MAX).next_day(), Timestamp(u64::MAX));
    }

    #[test]
    fn the_time_never_lies_before_the_newest_that_was_stored() {
        let clock = Clock::system();
        let later = clock.now().plus(Duration::from_secs(3600));
        clock.not_before(later);
        assert!(clock.now() >= later);
        clock.not_before(Timestamp(1));
        assert!(clock.now() >= later, "it is never put back");
    }

    #[test]
    fn a_machine_that_was_suspended_has_run_meanwhile() {
        let boottime = || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
            u64::try_from(time.tv_sec).unwrap()
        };
        let (before, now, after) = (boottime(), running() / 1_000, boottime());
        assert!((before..=after).contains(&now), "{before} {now} {after}");
    }

    #[test]
    fn the_time_goes_on_from_the_newest_that_was_stored() {
        let clock = Clock::system();
        clock.not_before(clock.now().plus(Duration::from_secs(3600)));
        let (first, stopwatch) = (clock.now(), Stopwatch::start());
        while clock.now() == first {
            let waited = stopwatch.elapsed();
            assert!(waited < Duration::from_secs(5), "it stands still");
            std::hint::spin_loop();
        }
        assert!(clock.now().since(first) < Duration::from_secs(60));
        let jump = clock.jump();
        assert!(jump < Duration::from_secs(60), "{jump:?} of a wall clock");
    }
}
