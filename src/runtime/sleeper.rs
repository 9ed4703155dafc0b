//! Waiting for an instant of the clock, whoever moves it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, Timestamp};

/// The longest nap. Timers stand still while the machine is suspended, and the clock goes on: an
/// instant that has passed meanwhile is noticed at the end of the nap.
const NAP_MAX: Duration = Duration::from_secs(30);

/// Waits on a clock. A hand that moves the clock wakes everybody who waits.
#[derive(Clone)]
pub(super) struct Sleeper {
    clock: Clock,
    moved: watch::Receiver<()>,
}

impl Sleeper {
    pub(super) fn new(clock: Clock) -> Self {
        let (tell, moved) = watch::channel(());
        clock.on_moved(Arc::new(move || {
            tell.send_replace(());
        }));
        Self { clock, moved }
    }

    /// Returns when the clock shows `at` or later.
    pub(super) async fn until(&self, at: Timestamp) {
        let mut moved = self.moved.clone();
        loop {
            moved.mark_unchanged();
            let left = at.since(self.clock.now());
            if left.is_zero() {
                return;
            }
            let nap = if self.clock.is_manual() {
                Duration::MAX
            } else {
                left.min(NAP_MAX)
            };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = moved.changed() => if changed.is_err() {
                    // The clock is the machine's and is never moved by hand.
                    tokio::time::sleep(nap).await;
                },
            }
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
