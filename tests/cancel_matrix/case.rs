//! One case of the matrix: a script in a folder of its own, a cancel, and what must come of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::clock::{Clock, Timestamp};
use stepwell::id::TaskKey;
use stepwell::runtime::{Cancellation, Gauges, Request};
use stepwell::task::{Actor, Entry, How, Mode, Outcome, Record, State};

use crate::common::{House, hold, me, refused, within};

/// The slots of the matrix's houses.
pub(crate) const SLOTS: usize = 2;

/// What every cancel of the matrix says.
pub(crate) const WHY: &str = "it is not needed any more";

/// A house with few slots where time stands still.
pub(crate) async fn house() -> House {
    let (clock, hand) = Clock::manual(Timestamp(1_800_000_000_000));
    let mut house = House::with(|options| {
        options.clock = clock;
        options.running_max = SLOTS;
    })
    .await;
    house.hand = Some(hand);
    house
}

/// Returns once nothing is held any more: no slot, no place in the queue, no memory, and no file
/// of the world.
pub(crate) async fn settled(house: &House) {
    within(async {
        while house.runtime.gauges() != Gauges::default() || !house.open_files().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A script in a folder of its own.
pub(crate) struct Case<'h> {
    pub(crate) house: &'h House,
    folder: String,
    mode: Mode,
}

/// What a cancelled task must have come to.
pub(crate) struct Expect<'e> {
    pub(crate) how: How,
    /// The effects in the world, in order.
    pub(crate) effects: &'e [&'e str],
    /// The `once` steps in doubt.
    pub(crate) doubts: &'e [&'e str],
}

impl<'h> Case<'h> {
    pub(crate) fn new(house: &'h House, mode: Mode) -> Self {
        static CASES: AtomicU32 = AtomicU32::new(0);
        let folder = format!("case-{}", CASES.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir(house.world(&folder)).expect("a folder for the case");
        Self {
            house,
            folder,
            mode,
        }
    }

    /// The name of its folder in the world.
    pub(crate) fn folder(&self) -> String {
        self.folder.clone()
    }

    pub(crate) fn is_immediate(&self) -> bool {
        self.mode == Mode::Immediate
    }

    /// A step that appends its name to the effects.
    pub(crate) fn step(&self, name: &str) -> Value {
        json!({"step": {"name": name, "output": name, "effect_line": self.line(name)}})
    }

    /// As [`Self::step`], once.
    pub(crate) fn once(&self, name: &str) -> Value {
        json!({"step": {"name": name, "output": name, "effect": "once",
            "effect_line": self.line(name)}})
    }

    /// An effect outside any step.
    pub(crate) fn effect(&self, name: &str) -> Value {
        json!({"effect": format!("/world/{}/effects", self.folder), "line": name})
    }

    fn line(&self, name: &str) -> Value {
        json!({"path": format!("/world/{}/effects", self.folder), "line": name})
    }

    /// The operations by which the script waits at `gate`.
    pub(crate) fn hold(&self, gate: &str) -> [Value; 2] {
        hold(&self.file(gate))
    }

    /// Returns once the script is at `gate`.
    pub(crate) async fn at(&self, gate: &str) {
        self.house.at(&self.file(gate)).await;
    }

    /// Opens `gate`.
    pub(crate) fn go(&self, gate: &str) {
        self.house.go(&self.file(gate));
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// A script that undoes what it did when it is told to stop: a step `undo`.
    pub(crate) fn request(&self, ops: impl IntoIterator<Item = Value>) -> Request {
        let ops: Vec<_> = ops.into_iter().collect();
        let script = json!({"ops": ops, "on_stop": [self.step("undo")],
            "transcript_file": format!("/world/{}", self.file("transcript"))});
        self.house.request("script", script)
    }

    pub(crate) async fn script(&self, ops: impl IntoIterator<Item = Value>) -> TaskKey {
        self.house.submit(self.request(ops)).await
    }

    /// Moves the time on.
    pub(crate) fn pass(&self, by: Duration) {
        self.house
            .hand
            .as_ref()
            .expect("time stands still")
            .advance(by);
    }

    /// Cancels the task in the case's mode, which is on record when this returns.
    pub(crate) async fn cancel(&self, task: &TaskKey) -> Arc<Record> {
        let cancel = Cancellation {
            why: Some(WHY.into()),
            mode: self.mode,
            ..Cancellation::graceful(me())
        };
        let record = self.house.runtime.cancel(task, cancel).await;
        let record = record.expect("the task is live");
        assert!(
            record
                .state
                .stop()
                .is_some_and(|stop| stop.cancel.is_some())
        );
        record
    }

    /// The effects in the world.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.house.lines(&self.file("effects"))
    }

    /// What the operations of the `attempt`th attempt got.
    pub(crate) fn transcript(&self, attempt: u32) -> Vec<Value> {
        let lines = self.house.lines(&self.file("transcript"));
        let entries = lines
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let entries =
            entries.filter_map(|(of, entry): (u32, Value)| (of == attempt).then_some(entry));
        entries.collect()
    }

    /// Whether the `attempt`th attempt was told that the task is cancelled.
    pub(crate) fn is_told(&self, attempt: u32) -> bool {
        let mut entries = self.transcript(attempt).into_iter();
        entries.any(|entry| entry["stop"] == "cancelled")
    }

    /// The task's end, which must be as is expected, with the case's cancel on record.
    pub(crate) async fn ends(&self, task: &TaskKey, expect: Expect<'_>) -> Arc<Record> {
        let record = ends(self.house, task, expect.how, expect.doubts).await;
        let cancel = record.state.stop().and_then(|stop| stop.cancel.clone());
        let cancel = cancel.expect("the cancel is on record");
        assert_eq!(cancel.by, Actor::Principal(Arc::new(me())));
        assert_eq!((cancel.why.as_deref(), cancel.mode), (Some(WHY), self.mode));
        assert_eq!(self.effects(), expect.effects);
        record
    }
}

/// The task's end: `cancelled`, exactly once, for good.
pub(crate) async fn ends(
    house: &House,
    task: &TaskKey,
    expect: How,
    in_doubt: &[&str],
) -> Arc<Record> {
    let record = house.end(task).await;
    let State::Finished {
        outcome: Outcome::Cancelled { how },
        doubts,
        ..
    } = &record.state
    else {
        panic!("not cancelled: {}", crate::common::ending(&record));
    };
    assert_eq!(*how, expect);
    let doubts: Vec<_> = doubts.iter().map(|name| &**name).collect();
    assert_eq!(doubts, in_doubt);
    assert_eq!(terminals(house, task).await, ["cancelled"]);
    // It never changes: neither the guest nor anybody else comes to the record any more.
    settled(house).await;
    let again = Cancellation::immediate(me());
    let again = refused(house.runtime.cancel(task, again).await);
    assert_eq!(again, "the task has ended: it is cancelled");
    let now = house.runtime.record(task).await.expect("the task is kept");
    assert_eq!(now, record);
    record
}

/// The terminal states that were recorded.
pub(crate) async fn terminals(house: &House, task: &TaskKey) -> Vec<&'static str> {
    let events = house.events(task).await;
    let ends = events.into_iter().filter_map(|entry| match entry {
        Entry::Status { to, .. } if to.is_terminal() => Some(to.as_str()),
        _ => None,
    });
    ends.collect()
}
