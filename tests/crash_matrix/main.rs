//! A task outlives its process at every write of the store in turn, and the power with it.
//!
//! The child is this executable run again: it opens the data directory, finds or submits the task
//! by its idempotency key, and sees it through, answering its question and moving the clock past
//! its sleep. It kills itself right before or right after the write that it is told. What it wrote
//! without a sync is cut off then, or half of it, as if the power had gone, and the next child goes
//! on. All that counts is seen from outside: what the tool did to the world and was told, and what
//! the task's owner was told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod child;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/cut.rs"]
mod cut;
mod house;
mod plan;
mod rules;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use house::{House, Template};
use plan::{Kill, Plan, Side};
use rules::Seen;
use stepwell::store::{self, Store};
use stepwell::task::Status;

/// One test after the other: each keeps the machine busy by itself.
static TURN: Mutex<()> = Mutex::new(());

/// The children that are at work at once.
const AT_ONCE: u64 = 2;

/// What a test has come to.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    kills: u64,
    /// Doubts whose step the world knew, and doubts whose step it did not.
    doubts: [u64; 2],
}

impl Tally {
    fn of(is_killed: bool, seen: &Seen) -> Self {
        Self {
            kills: u64::from(is_killed),
            doubts: seen.doubts,
        }
    }

    fn and(self, other: Self) -> Self {
        let [known, unknown] = other.doubts;
        Self {
            kills: self.kills + other.kills,
            doubts: [self.doubts[0] + known, self.doubts[1] + unknown],
        }
    }
}

/// Calls `at` with numbers from 1 on, in two threads, until there is nothing to kill for one.
fn at_each(at: impl Fn(u64) -> Tally + Sync) -> Tally {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (next, end) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
    let all = Mutex::new(Tally::default());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= end.load(Ordering::SeqCst) {
                return;
            }
            let tally = at(number);
            if tally.kills == 0 {
                end.fetch_min(number, Ordering::SeqCst);
            }
            let mut all = all.lock().expect("nobody panics with it");
            *all = all.and(tally);
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    all.into_inner().expect("nobody panics with it")
}

/// What comes of the task where nobody kills anything.
fn undisturbed(template: &Template, plan: &Plan) -> Seen {
    let house = House::new(template, plan);
    house.run();
    house.check("undisturbed", None)
}

/// Kills a child on each side of each write, and lets the next one end the task.
fn kill_once(plan: &Plan) -> Tally {
    let template = Template::new();
    let expected = undisturbed(&template, plan);
    let kill = |kill: Kill| {
        let house = House::new(&template, plan);
        let is_killed = house.run_to(kill);
        if is_killed {
            house.cut(kill);
            house.run();
        }
        let seen = house.check(&kill.to_string(), Some(&expected));
        Tally::of(is_killed, &seen)
    };
    let all = at_each(|number| {
        let kills = Side::ALL.map(|side| kill(Kill { number, side }));
        kills.into_iter().fold(Tally::default(), Tally::and)
    });
    all.and(kill(Kill::AT_THE_END))
}

/// Kills a child, then the next one at one of its first writes: where the task is recovered, at
/// what is logged while it replays, and at what is new.
fn kill_twice(plan: &Plan) -> Tally {
    let template = Template::new();
    let expected = undisturbed(&template, plan);
    at_each(|place| {
        let first = Kill::first_of_two(place);
        let house = House::new(&template, plan);
        if !house.run_to(first) {
            return Tally::default();
        }
        house.cut(first);
        let kept = house.keep();
        let again = |second: Kill| {
            house.bring_back(&kept);
            let is_killed = house.run_again_to(second);
            if is_killed {
                house.cut(second);
                house.run();
            }
            let seen = house.check(&format!("{first}, then {second}"), Some(&expected));
            Tally::of(is_killed, &seen)
        };
        let kills = Kill::second_of_two(place).map(again);
        kills.fold(Tally::default(), Tally::and)
    })
}

#[test]
fn killed_at_every_write_of_its_work() {
    let tally = kill_once(&plan::work());
    assert!(tally.kills >= 100, "{tally:?}");
    // Both kinds of doubt came up: the matrix has found the gaps of a `once` step.
    assert!(tally.doubts.iter().all(|count| *count > 0), "{tally:?}");
}

#[test]
fn killed_at_every_write_of_its_clean_up() {
    let tally = kill_once(&plan::clean_up());
    assert!(tally.kills >= 30, "{tally:?}");
    assert!(tally.doubts.iter().all(|count| *count > 0), "{tally:?}");
}

#[test]
fn killed_again_while_it_replays() {
    let tally = kill_twice(&plan::work());
    assert!(tally.kills >= 80, "{tally:?}");
}

#[test]
fn killed_again_while_it_replays_its_clean_up() {
    let tally = kill_twice(&plan::clean_up());
    assert!(tally.kills >= 20, "{tally:?}");
}

/// The harness itself: what was written without a sync is lost with the cut, and only that.
#[test]
fn the_cut_takes_what_was_not_synced() {
    let (template, plan) = (Template::new(), plan::work());
    // The second write is the attempt's beginning, which is not synced by itself.
    let admitted = Kill {
        number: 2,
        side: Side::After,
    };
    for (is_cut, expected) in [(false, (Status::Running, 1)), (true, (Status::Queued, 0))] {
        let house = House::new(&template, &plan);
        assert!(house.run_to(admitted));
        if is_cut {
            assert!(house.cut(admitted) > 0, "nothing was cut off");
        }
        let options = store::Options {
            beside: &["registry"],
            ..store::Options::default()
        };
        let (store, _feed) = Store::open(&house.data(), options).expect("the store opens");
        let live = store.live();
        assert_eq!(live.len(), 1, "the task was accepted");
        assert_eq!((live[0].status(), live[0].attempt), expected);
    }
}
