//! The child: it sees the task through, or kills itself on the way.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepwell::clock::{Clock, Hand, Timestamp};
use stepwell::id::TaskKey;
use stepwell::runtime::{Answer, Cancellation, Options, Request, Runtime};
use stepwell::store::{Group, Probe};
use stepwell::task::{Record, State, Wait};
use stepwell_guest_examples::TEST_GUEST;

use super::common::{ending, lines, me, within};
use super::cut::Ends;
use super::house::Files;
use super::plan::{GATE, Kill, Side, answer};

/// Where the child finds its files. Without it, it is no child.
pub(crate) const DIR: &str = "STEPWELL_CRASH_DIR";

/// What the child is to do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) arguments: Value,
    pub(crate) is_cancelled: bool,
    pub(crate) kill: Option<Kill>,
    /// Whether writes are counted from the cancel on.
    pub(crate) from_cancel: bool,
}

/// Not a test by itself: what the child does, when the tests run this executable again.
#[test]
fn run() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let files = Files(dir.into());
    let orders = fs::read(files.orders()).expect("the orders");
    let orders = serde_json::from_slice(&orders).expect("the orders are JSON");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(within(live(&files, &orders)));
}

async fn live(files: &Files, orders: &Orders) {
    let _ = fs::remove_file(files.world().join(format!("{GATE}.here")));
    // Each child comes a minute after the one before it.
    let children = lines(&files.told())
        .iter()
        .filter(|line| line.starts_with("accepted"))
        .count();
    let (clock, hand) = Clock::manual(Timestamp(1_800_000_000_000 + 60_000 * children as u64));
    let killer = Arc::new(Killer::new(files, orders));
    let mut options = Options::new(files.data());
    (options.running_max, options.guest_threads) = (2, 1);
    options.clock = clock;
    options.store.probe = Some(killer.clone());
    let runtime = Runtime::start(options).await.expect("the runtime starts");
    let owner = Owner {
        runtime,
        hand,
        files,
    };
    let task = owner.submit(&orders.arguments).await;
    if orders.is_cancelled {
        owner.cancel(&task, &killer).await;
    }
    owner.see_through(&task).await;
    if orders
        .kill
        .is_some_and(|kill| kill.number == Kill::AT_THE_END.number)
    {
        kill();
    }
    owner.runtime.drain(Duration::from_secs(20)).await;
}

/// The task's owner, who notes what they are told.
struct Owner<'a> {
    runtime: Runtime,
    hand: Hand,
    files: &'a Files,
}

impl Owner<'_> {
    fn note(&self, what: &str) {
        append(&self.files.told(), what).expect("a note");
    }

    async fn submit(&self, arguments: &Value) -> TaskKey {
        let added = self
            .runtime
            .add(TEST_GUEST.to_vec())
            .await
            .expect("a component");
        let world = format!("{}:/world:rw", self.files.world().display());
        let request = Request {
            grants: vec![world.parse().expect("a grant")],
            key: Some("crash".to_owned()),
            ..Request::new(added.manifest.component, "script", arguments.clone())
        };
        let accepted = self.runtime.submit(request).await.expect("it is accepted");
        let task = accepted.record.key();
        self.note(&format!("accepted {task}"));
        task
    }

    /// Cancels the task when it is at the gate, if it is not cancelled yet, and lets it go on.
    async fn cancel(&self, task: &TaskKey, killer: &Killer) {
        let record = self.runtime.record(task).await.expect("the task");
        if record.state.stop().is_none() {
            let here = self.files.world().join(format!("{GATE}.here"));
            while !here.exists() {
                tokio::task::yield_now().await;
            }
            self.note("cancels it");
            killer.is_armed.store(true, Ordering::SeqCst);
            let cancelled = self
                .runtime
                .cancel(task, Cancellation::graceful(me()))
                .await;
            cancelled.expect("it can be cancelled");
        }
        self.note("cancelled it");
        fs::write(self.files.world().join(GATE), "").expect("a gate");
    }

    /// Gives the task what it waits for, until it ends.
    async fn see_through(&self, task: &TaskKey) {
        let mut seen = 0;
        loop {
            let is_to_act =
                |record: &Record| record.state.is_terminal() || record.state.wait().is_some();
            let next = |record: &Record| record.seq > seen && is_to_act(record);
            let record = self.runtime.wait_for(task, next).await.expect("the task");
            seen = record.seq;
            match &record.state {
                State::Waiting(Wait::Timer { name, until }) => {
                    self.note(&format!("sleeps {name} until {until:?}"));
                    let left = until.since(self.runtime.clock().now());
                    self.hand.advance(left);
                    let is_over = |record: &Record| record.seq > seen;
                    self.runtime
                        .wait_for(task, is_over)
                        .await
                        .expect("the task");
                    self.note(&format!("slept {name}"));
                }
                State::Waiting(Wait::Input { questions }) => {
                    let key = questions[0].key.clone();
                    self.note(&format!("asked {key}"));
                    let answer = Answer::Accept(answer());
                    let answered = self.runtime.answer(task, &me(), &key, &answer).await;
                    seen = answered.expect("it can be answered").seq;
                    self.note(&format!("answered {key}"));
                }
                _ => return self.note_end(task, &record).await,
            }
        }
    }

    async fn note_end(&self, task: &TaskKey, record: &Arc<Record>) {
        let output = self.runtime.output(task).await.expect("the output");
        let output = output.and_then(|output| output.structured);
        let output = output.unwrap_or_default();
        self.note(&format!("came to {}: {output}", ending(record)));
        self.note(&format!("ended in attempt {}", record.attempt));
    }
}

/// Kills this process at a write, and notes the journal's ends at every sync.
struct Killer {
    ends: PathBuf,
    writes: PathBuf,
    kill: Option<Kill>,
    is_armed: AtomicBool,
    writes_seen: AtomicU64,
}

impl Killer {
    fn new(files: &Files, orders: &Orders) -> Self {
        Self {
            ends: files.ends(),
            writes: files.writes(),
            kill: orders.kill,
            is_armed: AtomicBool::new(!orders.from_cancel),
            writes_seen: AtomicU64::new(0),
        }
    }

    fn note_ends(&self, dir: &Path) {
        let noted = Ends::note(dir).and_then(|ends| ends.save(&self.ends));
        noted.expect("the ends are noted");
    }

    /// Whether this process is to be killed here.
    fn is_due(&self, here: Side) -> bool {
        let seen = self.writes_seen.load(Ordering::SeqCst);
        self.kill
            .is_some_and(|kill| (kill.number, kill.side) == (seen, here))
    }
}

fn kill() {
    let this = rustix::process::getpid();
    rustix::process::kill_process(this, rustix::process::Signal::KILL).expect("a kill");
}

impl Probe for Killer {
    fn before_commit(&self, dir: &Path, group: &Group) -> io::Result<()> {
        // What is there before the first write was durable when the store was opened.
        if group.number == 1 {
            self.note_ends(dir);
        }
        if self.is_armed.load(Ordering::SeqCst) {
            self.writes_seen.fetch_add(1, Ordering::SeqCst);
        }
        if self.is_due(Side::Before) {
            kill();
        }
        Ok(())
    }

    fn after_commit(&self, dir: &Path, group: &Group, _: Duration) {
        // The note that is there then is of what was synced before this write.
        if self.is_due(Side::Within) {
            kill();
        }
        if group.synced {
            self.note_ends(dir);
        }
        let seen = self.writes_seen.load(Ordering::SeqCst);
        append(&self.writes, &format!("{seen}: {group:?}")).expect("a note");
        if self.is_due(Side::After) {
            kill();
        }
    }
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{line}\n").as_bytes())
}
