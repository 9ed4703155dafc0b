//! Cancels that race the completion of their task, hundreds of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use stepwell::id::TaskKey;
use stepwell::runtime::{Cancellation, Error};
use stepwell::task::{How, Illegal, Mode, Outcome, State, Status};
use tokio::task::JoinSet;

use crate::case::{settled, terminals};
use crate::common::{House, ending, me};

const RACES: u64 = 600;
const AT_ONCE: u64 = 8;

/// How long a cancel lets its task run, in turns: longer after a cancel that came first, shorter
/// after one that came too late, so that most come close.
struct Turns(AtomicU64);

impl Turns {
    fn note(&self, came_first: bool) {
        let next = |turns: u64| {
            Some(match came_first {
                true => turns + turns / 8 + 1,
                false => turns - turns.div_ceil(8),
            })
        };
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    async fn pass(&self) {
        for _ in 0..self.0.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    }
}

/// One race. Returns whether the cancel came first.
async fn race(house: &House, task: &TaskKey, mode: Mode) -> bool {
    let cancel = Cancellation {
        mode,
        ..Cancellation::graceful(me())
    };
    let cancelled = house.runtime.cancel(task, cancel).await;
    let record = house.end(task).await;
    let status = record.status();
    let output = house.runtime.output(task).await.unwrap();
    assert_eq!(terminals(house, task).await, [status.as_str()]);
    match cancelled {
        Ok(_) => {
            let State::Finished {
                outcome: Outcome::Cancelled { how },
                ..
            } = &record.state
            else {
                panic!("it was cancelled, and ended as {}", ending(&record));
            };
            let returned = match how {
                How::Finished => true,
                How::NotStarted | How::Immediate | How::Clean => false,
                How::Failed { .. } | How::Forced { .. } => panic!("{}", ending(&record)),
            };
            assert_eq!(returned, output.is_some(), "{}", ending(&record));
            true
        }
        Err(Error::Illegal(Illegal::Ended(Status::Completed))) => {
            assert_eq!(ending(&record), "completed");
            assert!(output.is_some());
            assert_eq!(record.state.stop(), None);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_and_a_completion_never_both_win() {
    let house = Arc::new(House::new().await);
    let turns = Arc::new(Turns(AtomicU64::new(0)));
    let mut races = JoinSet::new();
    let mut first = 0;
    for number in 0..RACES {
        let (house, turns) = (house.clone(), turns.clone());
        races.spawn(async move {
            let ops = match number % 3 {
                0 => json!({"ops": []}),
                _ => json!({"ops": [{"step": {"name": "a", "output": "a"}}]}),
            };
            let mode = match number % 2 {
                0 => Mode::Graceful,
                _ => Mode::Immediate,
            };
            let task = house.script(ops).await;
            if number % 16 > 0 {
                // The others are cancelled while they are queued, or nearly.
                let begun = house
                    .runtime
                    .wait_for(&task, |record| record.attempt > 0)
                    .await;
                begun.expect("the task is known");
            }
            turns.pass().await;
            let came_first = race(&house, &task, mode).await;
            turns.note(came_first);
            came_first
        });
        if number >= AT_ONCE {
            first += u64::from(races.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(came_first) = races.join_next().await {
        first += u64::from(came_first.unwrap());
    }
    assert!(
        first > 0 && first < RACES,
        "{first} of {RACES} cancels came first"
    );
    settled(&house).await;
}
