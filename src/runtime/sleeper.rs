//! Waiting for an instant of the clock, whoever moves it: one wheel for all who wait.
//!
//! A timer of its own for each guest's deadline would wake the threads that serve with every call,
//! to look at their timers anew. Here it is an entry in a map, and one task naps until the first is
//! due.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::lock;
use crate::clock::{Clock, Timestamp};

/// The longest nap. Timers stand still while the machine is suspended, and the clock goes on: an
/// instant that has passed meanwhile is noticed at the end of the nap.
const NAP_MAX: Duration = Duration::from_secs(30);

/// Waits on a clock. A hand that moves the clock wakes everybody whose time has come.
#[derive(Clone)]
pub(super) struct Sleeper {
    shared: Arc<Shared>,
    _driver: Arc<AbortOnDropHandle<()>>,
}

struct Shared {
    clock: Clock,
    wheel: Mutex<Wheel>,
    /// Told when the nap turns out to be too long.
    sooner: Notify,
}

#[derive(Default)]
struct Wheel {
    /// By instant, and by a number of their own.
    waiting: BTreeMap<(Timestamp, u64), Waker>,
    numbers: u64,
    /// When the nap is over.
    until: Timestamp,
}

impl Sleeper {
    /// Needs a tokio runtime with time enabled.
    pub(super) fn new(clock: &Clock) -> Self {
        let shared = Arc::new(Shared {
            clock: clock.clone(),
            wheel: Mutex::default(),
            sooner: Notify::new(),
        });
        let moved = Arc::downgrade(&shared);
        clock.on_moved(Arc::new(move || {
            moved.upgrade().map(|shared| shared.ring());
        }));
        let driver = tokio::spawn(drive(shared.clone()));
        Self {
            shared,
            _driver: Arc::new(AbortOnDropHandle::new(driver)),
        }
    }

    /// Returns when the clock shows `at` or later.
    pub(super) fn until(&self, at: Timestamp) -> Until {
        Until {
            shared: self.shared.clone(),
            at,
            number: None,
        }
    }

    /// As [`Self::until`], or for ever.
    pub(super) async fn until_some(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.until(at).await,
            None => std::future::pending().await,
        }
    }
}

async fn drive(shared: Arc<Shared>) {
    loop {
        let nap = shared.ring();
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = shared.sooner.notified() => {}
        }
    }
}

impl Shared {
    /// Wakes everybody whose time has come. Returns how long to nap then.
    fn ring(&self) -> Duration {
        let now = self.clock.now();
        let mut wheel = lock(&self.wheel);
        let later = wheel.waiting.split_off(&(Timestamp(now.0 + 1), 0));
        let due = std::mem::replace(&mut wheel.waiting, later);
        let first = wheel.waiting.first_key_value().map(|((at, _), _)| *at);
        let nap = match first {
            // Whoever moves the clock rings.
            _ if self.clock.is_manual() => Duration::MAX,
            Some(at) => at.since(now).min(NAP_MAX),
            None => NAP_MAX,
        };
        wheel.until = now.plus(nap);
        drop(wheel);
        due.into_values().for_each(Waker::wake);
        nap
    }
}

/// See [`Sleeper::until`].
pub(super) struct Until {
    shared: Arc<Shared>,
    at: Timestamp,
    /// Its number in the wheel, once it is there.
    number: Option<u64>,
}

impl Until {
    fn enter(&mut self, waker: &Waker) {
        let mut wheel = lock(&self.shared.wheel);
        let number = *self.number.get_or_insert_with(|| {
            wheel.numbers += 1;
            wheel.numbers
        });
        wheel.waiting.insert((self.at, number), waker.clone());
        if self.at < wheel.until && !self.shared.clock.is_manual() {
            wheel.until = self.at;
            self.shared.sooner.notify_one();
        }
    }

    fn is_over(&self) -> bool {
        self.shared.clock.now() >= self.at
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over() {
            return Poll::Ready(());
        }
        self.enter(cx.waker());
        // The clock may have been moved before this was in the wheel.
        match self.is_over() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            lock(&self.shared.wheel).waiting.remove(&(self.at, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_when_the_hand_passes() {
        let (clock, hand) = Clock::manual(Timestamp(0));
        let sleeper = Sleeper::new(&clock);
        let until = |at| tokio::spawn(sleeper.until(Timestamp(at)));
        let (late, early) = (until(2_000), until(1_000));
        sleeper.until(Timestamp(0)).await;
        hand.advance(Duration::from_secs(1));
        early.await.unwrap();
        assert!(!late.is_finished());
        hand.advance(Duration::from_secs(1));
        late.await.unwrap();
        assert!(lock(&sleeper.shared.wheel).waiting.is_empty());
    }

    #[tokio::test]
    async fn a_nap_is_cut_short_for_whoever_wants_to_be_woken_sooner() {
        let clock = Clock::system();
        let sleeper = Sleeper::new(&clock);
        let hour = sleeper.until(clock.now().plus(Duration::from_secs(3_600)));
        let soon = clock.now().plus(Duration::from_millis(20));
        tokio::select! {
            biased;
            () = hour => panic!("an hour has passed"),
            () = sleeper.until(soon) => {}
        }
        assert!(clock.now() >= soon);
        assert!(lock(&sleeper.shared.wheel).waiting.is_empty());
    }
}
