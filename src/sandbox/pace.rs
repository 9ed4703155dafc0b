//! How many host calls a second a guest makes. Past its limit it is held up, not ended.

use std::time::Duration;

use crate::clock::Stopwatch;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts a guest's host calls by the second.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u64,
    calls: u64,
    since: Stopwatch,
}

impl Pace {
    pub(super) fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(1),
            calls: 0,
            since: Stopwatch::start(),
        }
    }

    pub(super) fn called(&mut self) {
        self.calls += 1;
    }

    /// How long the guest has to be held up for. It is asked with every tick, not with every call:
    /// between two, a guest gets ahead by what fits into a tick.
    pub(super) fn delay(&mut self) -> Option<Duration> {
        let elapsed = self.since.elapsed();
        let delay = delay(self.per_second, self.calls, elapsed);
        if delay.is_none() && elapsed >= WINDOW {
            self.calls = 0;
            self.since = Stopwatch::start();
        }
        delay
    }
}

/// What is missing of the time that so many calls may take, once they are more than a second's.
fn delay(per_second: u64, calls: u64, elapsed: Duration) -> Option<Duration> {
    if calls <= per_second {
        return None;
    }
    let micros = u128::from(calls) * WINDOW.as_micros() / u128::from(per_second);
    let due = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
    due.checked_sub(elapsed).filter(|delay| !delay.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_more_than_a_second_has_room_for_is_held_up() {
        let check = |calls, millis, expect| {
            let delay = delay(100, calls, Duration::from_millis(millis));
            assert_eq!(delay, Option::map(expect, Duration::from_millis));
        };
        check(100, 5, None);
        check(150, 5, Some(1_495));
        check(150, 1_500, None);
    }
}
