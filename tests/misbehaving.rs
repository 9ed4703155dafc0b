//! Guests that misbehave: each ends with its kind, within its limits, and the task beside it is not
//! disturbed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{House, ending, hold, message, step, step_once, within};
use serde_json::{Value, json};
use stepwell::id::TaskKey;
use stepwell::limit::Limits;
use stepwell::runtime::{Gauges, Request};
use stepwell::task::{Entry, How, Outcome, Record, Source, State};

const MIB: u64 = 1 << 20;

/// A house in which a neighbour is at work, half way through.
struct Street {
    house: House,
    neighbour: TaskKey,
}

impl Street {
    async fn new() -> Self {
        Self::of(House::with(|options| options.grace_max = Duration::from_millis(20)).await).await
    }

    async fn of(house: House) -> Self {
        let ops: Vec<_> = [step("a"), step_once("b")]
            .into_iter()
            .chain(hold("gate"))
            .chain([step("c"), step_once("d")])
            .collect();
        let neighbour = house.script(json!({"ops": ops})).await;
        house.at("gate").await;
        Self { house, neighbour }
    }

    fn request(&self, tool: &str, arguments: Value, limits: Limits) -> Request {
        Request {
            limits,
            ..Request::new(self.house.component, tool, arguments)
        }
    }

    /// Runs a guest to its end, and then the neighbour to its own.
    async fn run(&self, tool: &str, arguments: Value, limits: Limits) -> Arc<Record> {
        let request = self.request(tool, arguments, limits);
        let task = self.house.submit(request).await;
        let record = self.house.end(&task).await;
        is_within_limits(&record);
        self.neighbour_completes().await;
        record
    }

    async fn neighbour_completes(&self) {
        self.house.go("gate");
        let record = self.house.end(&self.neighbour).await;
        assert_eq!((ending(&record).as_str(), record.attempt), ("completed", 1));
        assert_eq!(self.house.lines("effects"), ["a", "b", "c", "d"]);
    }

    /// Everything is given back.
    async fn settled(&self) {
        within(async {
            while self.house.runtime.gauges() != Gauges::default() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn is_within_limits(record: &Record) {
    let (usage, limits) = (&record.usage, &record.spec.limits);
    assert!(
        usage.fuel <= limits.fuel && usage.memory_peak <= limits.memory,
        "{usage:?}"
    );
    assert!(usage.log_bytes <= limits.log, "{usage:?}");
    assert!(record.steps <= limits.steps && record.journal <= limits.journal);
}

/// How a task came to its end that was asked to stop.
fn how(record: &Record) -> &How {
    match &record.state {
        State::Finished {
            outcome: Outcome::Failed { how: Some(how), .. } | Outcome::Cancelled { how },
            ..
        } => how,
        state => panic!("not stopped: {state:?}"),
    }
}

#[tokio::test]
async fn one_that_spins() {
    let street = Street::new().await;
    let limits = Limits {
        fuel: 50_000_000,
        ..Limits::default()
    };
    let record = street.run("spin", json!({}), limits).await;
    assert_eq!(ending(&record), "failed out-of-fuel");
    assert_eq!(message(&record), "fuel: 50000000 of 50000000 used");
    assert_eq!(record.usage.fuel, 50_000_000);
    street.settled().await;
}

/// Two that spin have all the threads there are; the neighbour goes on nevertheless.
#[tokio::test]
async fn one_that_spins_until_its_deadline() {
    let house = House::still().await;
    let street = Street::of(house).await;
    let limits = Limits {
        deadline: 60_000,
        ..Limits::default()
    };
    let mut spinning = Vec::new();
    for _ in 0..4 {
        let request = street.request("spin", json!({}), limits.clone());
        spinning.push(street.house.submit(request).await);
    }
    for task in &spinning {
        street.house.until(task, "running").await;
    }
    street.neighbour_completes().await;
    let hand = street.house.hand.as_ref().unwrap();
    hand.advance(Duration::from_secs(60));
    for task in &spinning {
        let is_stopped = |record: &Record| record.state.stop().is_some();
        within(street.house.runtime.wait_for(task, is_stopped))
            .await
            .unwrap();
    }
    hand.advance(Duration::from_secs(30));
    for task in &spinning {
        let record = street.house.end(task).await;
        assert_eq!(ending(&record), "failed deadline-exceeded forced");
        assert_eq!(message(&record), "deadline: 1m have passed");
        assert_eq!(*how(&record), How::Forced { step: None });
        assert_eq!(record.usage.active, 90_000);
    }
    street.settled().await;
}

#[tokio::test]
async fn one_that_spins_on_the_machines_clock() {
    let street = Street::new().await;
    let limits = Limits {
        deadline: 50,
        ..Limits::default()
    };
    let record = street.run("spin", json!({}), limits).await;
    assert_eq!(ending(&record), "failed deadline-exceeded forced");
    assert_eq!(*how(&record), How::Forced { step: None });
    street.settled().await;
}

#[tokio::test]
async fn one_that_allocates_without_end() {
    let street = Street::new().await;
    let limits = Limits {
        memory: 8 * MIB,
        ..Limits::default()
    };
    let record = street.run("allocate", json!({}), limits).await;
    assert_eq!(ending(&record), "failed out-of-memory");
    let message = message(&record);
    assert!(message.starts_with("memory: "), "{message}");
    assert!(
        message.contains(" of 8388608 bytes held, and "),
        "{message}"
    );
    let peak = record.usage.memory_peak;
    assert!(4 * MIB < peak && peak <= 8 * MIB, "{peak}");
    street.settled().await;
}

#[tokio::test]
async fn one_that_recurses_without_end() {
    let street = Street::new().await;
    let record = street.run("recurse", json!({}), Limits::default()).await;
    assert_eq!(
        (ending(&record).as_str(), record.attempt),
        ("failed trap", 1)
    );
    assert!(
        message(&record).contains("call stack exhausted"),
        "{}",
        message(&record)
    );
    street.settled().await;
}

#[tokio::test]
async fn one_that_floods_its_output() {
    let street = Street::new().await;
    let limits = Limits {
        log: 64 << 10,
        ..Limits::default()
    };
    let bytes = 4 * MIB;
    let arguments = json!({"bytes": bytes});
    let task = street
        .house
        .submit(street.request("flood", arguments, limits))
        .await;
    let record = street.house.end(&task).await;
    street.neighbour_completes().await;
    assert_eq!(ending(&record), "completed");
    let usage = record.usage;
    assert!(
        40 << 10 < usage.log_bytes && usage.log_bytes <= 64 << 10,
        "{usage:?}"
    );
    let events = street.house.events(&task).await;
    let lines = events.iter().filter_map(|entry| match entry {
        Entry::Line {
            source: Source::Stdout,
            text,
        } => Some(text.len() as u64 + 1),
        _ => None,
    });
    let lines: Vec<u64> = lines.collect();
    let kept: u64 = lines.iter().sum();
    // A line costs 32 bytes beside its text.
    assert_eq!(kept + 32 * lines.len() as u64, usage.log_bytes);
    assert_eq!(kept + usage.log_dropped, bytes);
    street.settled().await;
}

#[tokio::test]
async fn one_that_returns_one_pointer_over_and_over() {
    let street = Street::new().await;
    let limits = Limits {
        memory: 8 * MIB,
        output: 2 * MIB,
        ..Limits::default()
    };
    let record = street.run("repeat_pointer", json!({}), limits).await;
    assert_eq!(ending(&record), "failed limit-exceeded(output)");
    assert!(
        message(&record).starts_with("output: "),
        "{}",
        message(&record)
    );
    assert!(record.usage.memory_peak <= 8 * MIB);
    street.settled().await;
}

#[tokio::test]
async fn one_that_sleeps_in_the_host_for_ever() {
    let street = Street::new().await;
    let limits = Limits {
        deadline: 50,
        ..Limits::default()
    };
    let record = street.run("sleep_host", json!({}), limits).await;
    assert_eq!(ending(&record), "failed deadline-exceeded forced");
    assert_eq!(message(&record), "deadline: 50ms have passed");
    assert_eq!(*how(&record), How::Forced { step: None });
    street.settled().await;
}

#[tokio::test]
async fn one_that_journals_without_end() {
    let street = Street::new().await;
    let limits = Limits {
        steps: 50,
        ..Limits::default()
    };
    let record = street.run("journal", json!({}), limits).await;
    assert_eq!(ending(&record), "failed limit-exceeded(steps)");
    assert_eq!(
        message(&record),
        "steps: 50 of 50 since the checkpoint used"
    );
    assert_eq!(record.steps, 50);
    street.settled().await;
}

#[tokio::test]
async fn one_that_journals_too_much() {
    let street = Street::new().await;
    let limits = Limits {
        journal: 64 << 10,
        step_output: 8 << 10,
        ..Limits::default()
    };
    let record = street
        .run("journal", json!({"bytes": 4 << 10}), limits)
        .await;
    assert_eq!(ending(&record), "failed limit-exceeded(journal)");
    // Room for the largest output that a step may have is kept when it begins.
    assert_eq!(record.journal, 60 << 10);
    assert_eq!(message(&record), "journal: 61440 of 65536 bytes used");
    street.settled().await;
}

#[tokio::test]
async fn one_that_holds_everything_it_gets() {
    let street = Street::new().await;
    let limits = Limits {
        handles: 64,
        step_output: 1 << 10,
        ..Limits::default()
    };
    let record = street.run("begin_many", json!({}), limits).await;
    assert_eq!(ending(&record), "failed limit-exceeded(handles)");
    assert!(message(&record).contains("64"), "{}", message(&record));
    street.settled().await;
}

/// All of them together, over and over, beside one that behaves.
#[tokio::test]
async fn all_at_once() {
    let street = Street::new().await;
    let limits = Limits {
        fuel: 50_000_000,
        memory: 8 * MIB,
        log: 64 << 10,
        steps: 20,
        deadline: 2_000,
        ..Limits::default()
    };
    let tools = [
        "spin",
        "allocate",
        "recurse",
        "flood",
        "repeat_pointer",
        "sleep_host",
        "journal",
    ];
    let mut tasks = Vec::new();
    for tool in tools.iter().cycle().take(21) {
        let request = street.request(tool, json!({"bytes": 64 << 10}), limits.clone());
        tasks.push((tool, street.house.submit(request).await));
    }
    for (tool, task) in tasks {
        let record = street.house.end(&task).await;
        let ending = ending(&record);
        let expected: &[&str] = match *tool {
            "spin" => &["failed out-of-fuel"],
            "allocate" => &["failed out-of-memory", "failed out-of-fuel"],
            "recurse" => &["failed trap"],
            "flood" => &["completed"],
            "repeat_pointer" => &["failed limit-exceeded(output)"],
            "sleep_host" => &["failed deadline-exceeded forced"],
            _ => &["failed limit-exceeded(steps)"],
        };
        assert!(expected.contains(&ending.as_str()), "{tool}: {ending}");
        is_within_limits(&record);
    }
    street.neighbour_completes().await;
    street.settled().await;
}
