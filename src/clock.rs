//! The only place where the time is read.
//!
//! Elapsed time is monotonic from an anchor: a wall clock that is set back while the process runs
//! moves no deadline. A test holds a [`Hand`] instead and moves the time itself. This module
//! knows nothing of timers; those who wait ask to be told when the hand was moved.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

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

/// A duration in whole milliseconds, the unit of every stored time.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A source of the time, cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System {
        wall: Timestamp,
        since: Instant,
        floor: AtomicU64,
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
            since: Instant::now(),
            floor: AtomicU64::new(0),
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
            Source::System { wall, since, floor } => {
                let now = wall.plus(since.elapsed());
                Timestamp(now.0.max(floor.load(Ordering::Relaxed)))
            }
            Source::Manual { now, .. } => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Keeps the clock from showing a time before `newest`, the newest instant in the store: a
    /// machine whose clock was set back while it was down would else reorder what is recorded.
    pub fn not_before(&self, newest: Timestamp) {
        match &*self.0 {
            Source::System { floor, .. } => floor.fetch_max(newest.0, Ordering::Relaxed),
            Source::Manual { now, .. } => now.fetch_max(newest.0, Ordering::SeqCst),
        };
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
    fn the_time_never_lies_before_the_newest_that_was_stored() {
        let clock = Clock::system();
        let later = clock.now().plus(Duration::from_secs(3600));
        clock.not_before(later);
        assert_eq!(clock.now(), later);
    }
}
