//! What was acknowledged is there after the power went, at every write of the store in turn.
//!
//! The child is this executable run again: it opens the store, does its work, writes down what was
//! acknowledged, and kills itself before or after the commit that it is told. Then what was not
//! synced is cut off the journal, and the store is opened again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

#[path = "common/cut.rs"]
mod cut;
#[path = "common/scratch.rs"]
mod scratch;

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cut::Ends;
use scratch::scratch;
use stepwell::audit::{self, Act};
use stepwell::clock::Timestamp;
use stepwell::id::{Digest, Principal, TaskId, TaskKey};
use stepwell::limit::Limits;
use stepwell::store::{Group, NewTask, Options, Probe, Store};
use stepwell::task::{
    Actor, Cancel, Change, Ending, Entry, Event, Fenced, Mode, Policy, Reason, Record, Row,
    RowKind, Source, Spec, Status, StepKey, Usage,
};

const CHILD: &str = "STEPWELL_CRASH_DIR";
const KILL: &str = "STEPWELL_CRASH_AT";

/// The places of a child's files.
struct Files(PathBuf);

impl Files {
    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// Where the journal ended at the last sync.
    fn ends(&self) -> PathBuf {
        self.0.join("ends")
    }

    /// What was acknowledged, a line each.
    fn told(&self) -> PathBuf {
        self.0.join("told")
    }
}

/// Kills this process at a commit, and notes the journal's ends at every sync.
struct Killer {
    files: Files,
    at: u64,
    after: bool,
}

impl Killer {
    fn kill_at(&self, group: &Group, after: bool) {
        if (group.number, after) == (self.at, self.after) {
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
        }
    }
}

impl Probe for Killer {
    fn before_commit(&self, _: &Path, group: &Group) -> io::Result<()> {
        self.kill_at(group, false);
        Ok(())
    }

    fn after_commit(&self, dir: &Path, group: &Group, _: Duration) {
        if group.synced {
            Ends::note(dir).unwrap().save(&self.files.ends()).unwrap();
        }
        self.kill_at(group, true);
    }
}

fn task() -> TaskKey {
    TaskKey {
        tenant: Principal::local().tenant,
        id: TaskId::from_bytes([7; 16]),
    }
}

fn new_task() -> NewTask {
    let spec = Spec {
        owner: Principal::local(),
        component: Digest::of(b"component"),
        tool: "convert".into(),
        arguments: Digest::of(b"{}"),
        key: None,
        limits: Limits::default(),
        grants: Vec::new(),
        policy: Policy::Auto,
        created: Timestamp(1_000),
        forked_from: None,
        name: None,
    };
    NewTask {
        id: task().id,
        spec,
        arguments: b"{}"[..].into(),
        answered: None,
    }
}

fn change(event: Event) -> Change {
    let fenced = Fenced {
        attempt: 1,
        usage: Usage::default(),
        grace_used: 0,
        told: false,
    };
    Change {
        attempt: Some(fenced),
        ..Change::by_host(Timestamp(2_000), event)
    }
}

fn step(name: &str) -> Event {
    let at = StepKey {
        stretch: 0,
        name: name.into(),
    };
    let row = Row {
        at,
        kind: RowKind::Step,
        input: Digest::of(b""),
        place: 0,
        clean_up: false,
    };
    Event::Done {
        row,
        output: name.as_bytes().into(),
        once: None,
    }
}

const STEPS: [&str; 4] = ["a", "b", "c", "d"];

async fn work(store: &Store, mut tell: impl FnMut(&str)) {
    store.submit(new_task()).await.unwrap();
    tell("submitted");
    let admitted = Change::by_host(Timestamp(2_000), Event::Admitted);
    store.change(&task(), admitted).await.unwrap();
    for name in STEPS {
        store.change(&task(), change(step(name))).await.unwrap();
        tell(name);
        let text = format!("after {name}").into();
        let source = Source::Stdout;
        let line = Entry::Line { source, text };
        store.log(&task(), 1, Timestamp(2_000), line);
        // So that the line has a commit of its own.
        while !store
            .events(&task(), 0, 100)
            .await
            .unwrap()
            .iter()
            .any(is_line_after(name))
        {
            tokio::task::yield_now().await;
        }
    }
    // A refusal is not synced by itself. Whoever has read it knows its number.
    store.audit(refusal());
    let number = loop {
        let page = store.audit_after(0, 100, None).await.unwrap();
        let last = page.entries.last().unwrap();
        if matches!(last.entry.act, Act::Refused { .. }) {
            break last.number;
        }
        tokio::task::yield_now().await;
    };
    tell(&format!("refused {number}"));
    let ending = Ending::Returned;
    let output = Some(b"result"[..].into());
    let ended = change(Event::Ended { ending, output });
    store.change(&task(), ended).await.unwrap();
    tell("ended");
}

fn refusal() -> audit::Entry {
    audit::Entry::refused(Timestamp(2_000), &Principal::local(), "submit", "busy")
}

fn is_line_after(name: &str) -> impl Fn(&stepwell::store::Event) -> bool {
    let expected = format!("after {name}");
    move |event| matches!(&event.entry, Entry::Line { text, .. } if **text == *expected)
}

/// Not a test by itself: what the child does, when the tests below run this executable again.
#[test]
fn child() {
    let (Ok(dir), Ok(kill)) = (env::var(CHILD), env::var(KILL)) else {
        return;
    };
    let files = Files(dir.into());
    let (at, side) = kill.split_once(' ').unwrap();
    let (dir, told) = (files.store(), files.told());
    let ends = files.ends();
    let killer = Killer {
        files,
        at: at.parse().unwrap(),
        after: side == "after",
    };
    let options = Options {
        probe: Some(Arc::new(killer)),
        ..Options::default()
    };
    let (store, _feed) = Store::open(&dir, options).unwrap();
    Ends::note(&dir).unwrap().save(&ends).unwrap();
    let mut told = OpenOptions::new()
        .create(true)
        .append(true)
        .open(told)
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(work(&store, |what| writeln!(told, "{what}").unwrap()));
}

/// Runs a child that is killed at `kill`. Returns whether it was.
fn run_child(files: &Files, kill: &str) -> bool {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1"])
        .env(CHILD, &files.0)
        .env(KILL, kill)
        .stdout(File::create(files.0.join("output")).unwrap())
        .status()
        .unwrap();
    match status.signal() {
        Some(9) => true,
        _ => {
            assert!(status.success(), "{status}");
            false
        }
    }
}

fn told(files: &Files) -> Vec<String> {
    let told = std::fs::read_to_string(files.told()).unwrap_or_default();
    told.lines().map(ToOwned::to_owned).collect()
}

/// Every acknowledgement holds, and what was never asked for is not there.
async fn check(files: &Files, kill: &str) {
    let (store, _feed) = Store::open(&files.store(), Options::default()).unwrap();
    let told = told(files);
    let record = store.get(&task()).await.unwrap();
    assert!(record.is_some() || told.is_empty(), "{kill}: {told:?}");
    let Some(record) = record else {
        assert!(store.live().is_empty());
        return;
    };
    let is_live = store.live().len() == 1;
    assert_eq!(is_live, record.status() != Status::Completed, "{kill}");
    for name in STEPS {
        let at = StepKey {
            stretch: 0,
            name: name.into(),
        };
        let output = store.row_output(&task(), &at).await.unwrap();
        let was_told = told.iter().any(|it| it == name);
        assert!(
            output.is_some() || !was_told,
            "{kill}: {name} of {told:?} is lost"
        );
        if output.is_some() {
            assert!(record.attempt == 1, "{kill}: {name} without its attempt");
        }
    }
    let output = store.output(&task()).await.unwrap();
    assert_eq!(output.is_some(), record.status() == Status::Completed);
    let has_ended = told.iter().any(|it| it == "ended");
    assert!(output.is_some() || !has_ended, "{kill}: the end is lost");
    check_audit(&store, &told, (&record, kill)).await;
    check_account(&store, (&record, kill)).await;
}

/// A transition is in the audit exactly where it is in the record, and no number comes again.
async fn check_audit(store: &Store, told: &[String], (record, kill): (&Record, &str)) {
    let entries = store.audit_after(0, 100, None).await.unwrap().entries;
    let words = entries.iter().filter_map(|it| match &it.entry.act {
        Act::Changed(changed) => Some(changed.to),
        _ => None,
    });
    let life = [Status::Queued, Status::Running, Status::Completed];
    let until = life.iter().position(|it| *it == record.status()).unwrap();
    assert_eq!(words.collect::<Vec<_>>(), life[..=until], "{kill}");
    let read = told.iter().find_map(|it| it.strip_prefix("refused "));
    let read: u64 = read.map_or(0, |number| number.parse().unwrap());
    store.audit_synced(refusal()).await.unwrap();
    let newest = store.audit_after(0, 100, None).await.unwrap().entries;
    let newest = newest.last().unwrap().number;
    assert!(newest > read, "{kill}: {newest} comes again, after {read}");
}

/// Whatever was lost, nobody is charged for anything once the task is gone.
async fn check_account(store: &Store, (record, kill): (&Record, &str)) {
    let used = || store.used(&record.spec.owner.tenant, Timestamp(2_000));
    assert!(used().stored > 0, "{kill}");
    if !record.state.is_terminal() {
        let cancel = Cancel {
            by: Actor::Host,
            at: Timestamp(3_000),
            why: None,
            grace: 0,
            mode: Mode::Immediate,
        };
        let stop = Event::Stop {
            reason: Reason::Cancelled,
            grace: 0,
            cancel: Some(cancel),
        };
        let stop = Change::by_host(Timestamp(3_000), stop);
        store.change(&task(), stop).await.unwrap();
    }
    assert!(store.remove(&task(), record.expires()).await.unwrap());
    assert_eq!(used().stored, 0, "{kill}");
}

#[test]
fn what_was_acknowledged_outlives_the_power_at_every_write() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut number = 1;
    loop {
        let mut any = false;
        for side in ["before", "after"] {
            let dir = scratch();
            let files = Files(dir.path().to_owned());
            let kill = format!("{number} {side}");
            any |= run_child(&files, &kill);
            if any {
                Ends::load(&files.ends())
                    .unwrap()
                    .cut(&files.store())
                    .unwrap();
            }
            runtime.block_on(check(&files, &kill));
        }
        if !any {
            break;
        }
        number += 1;
    }
    // A task, its attempt, steps and lines, and its end.
    assert!(number > 11, "only {number} writes");
}

/// The harness itself: what was not synced is lost with the cut, what was is not.
#[test]
fn the_cut_takes_what_was_not_synced_and_only_that() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let status = |files: &Files| {
        let (store, _feed) = Store::open(&files.store(), Options::default()).unwrap();
        let record = runtime.block_on(store.get(&task())).unwrap();
        record.unwrap().status()
    };
    // The second commit is the admission, which is not synced by itself.
    for (is_cut, expected) in [(false, Status::Running), (true, Status::Queued)] {
        let dir = scratch();
        let files = Files(dir.path().to_owned());
        assert!(run_child(&files, "2 after"));
        if is_cut {
            let lost = Ends::load(&files.ends())
                .unwrap()
                .cut(&files.store())
                .unwrap();
            assert!(lost > 0);
        }
        assert_eq!(status(&files), expected);
    }
    // The third is a step, and carries it.
    let dir = scratch();
    let files = Files(dir.path().to_owned());
    assert!(run_child(&files, "3 after"));
    let lost = Ends::load(&files.ends())
        .unwrap()
        .cut(&files.store())
        .unwrap();
    assert_eq!(lost, 0);
    assert_eq!(status(&files), Status::Running);
}
