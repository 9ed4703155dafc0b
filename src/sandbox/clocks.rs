//! The clocks that a guest sees: whole milliseconds, too coarse to time a cache with.

use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use crate::clock::{Clock, Stopwatch};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The time of day.
pub(super) struct Wall(pub(super) Clock);

/// The time since the attempt began.
pub(super) struct Monotonic(pub(super) Stopwatch);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        MILLISECOND
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().0)
    }
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        nanos(MILLISECOND)
    }

    fn now(&self) -> u64 {
        let millis = crate::clock::millis(self.0.elapsed());
        millis.saturating_mul(nanos(MILLISECOND))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_guest_sees_whole_milliseconds() {
        let clock = Monotonic(Stopwatch::start());
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let now = clock.now();
            assert_eq!(now % 1_000_000, 0);
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        assert_eq!(clock.resolution(), 1_000_000);
        let (clock, hand) = Clock::manual(Timestamp(5));
        hand.advance(MILLISECOND);
        assert_eq!(Wall(clock).now(), Duration::from_millis(6));
    }
}
