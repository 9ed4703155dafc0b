//! A house for one task and the children that work on it, one after the other.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stepwell::runtime::{Options, Runtime};
use stepwell_guest_examples::TEST_GUEST;
use tempfile::TempDir;

use super::child::{DIR, Orders};
use super::common::scratch::scratch;
use super::common::{lines, warm};
use super::cut::Ends;
use super::plan::{Kill, Plan, Side};
use super::rules::{self, Seen};

/// SIGKILL.
const KILLED: i32 = 9;

/// The places of a child's files.
pub(crate) struct Files(pub(crate) PathBuf);

impl Files {
    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What the tool sees as `/world`.
    pub(crate) fn world(&self) -> PathBuf {
        self.0.join("world")
    }

    /// Where the journal ended at the last sync.
    pub(crate) fn ends(&self) -> PathBuf {
        self.0.join("ends")
    }

    /// What the task's owner was told, a line each.
    pub(crate) fn told(&self) -> PathBuf {
        self.0.join("told")
    }

    /// What the store wrote, a line each: to find out where a kill was.
    pub(crate) fn writes(&self) -> PathBuf {
        self.0.join("writes")
    }

    pub(crate) fn orders(&self) -> PathBuf {
        self.0.join("orders")
    }

    fn output(&self) -> PathBuf {
        self.0.join("output")
    }
}

/// A data directory without tasks, to copy: with the component compiled.
pub(crate) struct Template(TempDir);

impl Template {
    pub(crate) fn new() -> Self {
        let dir = scratch();
        let data = dir.path().join("data");
        warm::seed(&data);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let runtime = Runtime::start(Options::new(&data))
                .await
                .expect("it starts");
            runtime.add(TEST_GUEST.to_vec()).await.expect("a component");
            runtime.drain(Duration::from_secs(20)).await;
        });
        warm::keep(&data);
        // The journal's files are long and empty: without their ends they are quick to copy.
        let ends = Ends::note(&data).expect("the ends");
        ends.cut(&data).expect("the journal is cut");
        Self(dir)
    }
}

/// One task, and the children that work on it.
pub(crate) struct House<'a> {
    dir: TempDir,
    plan: &'a Plan,
}

impl<'a> House<'a> {
    pub(crate) fn new(template: &Template, plan: &'a Plan) -> Self {
        let dir = scratch();
        let house = Self { dir, plan };
        copy(&template.0.path().join("data"), &house.data()).expect("a copy of the template");
        fs::create_dir(house.files().world()).expect("a folder for the world");
        house
    }

    fn files(&self) -> Files {
        Files(self.dir.path().join("house"))
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.files().data()
    }

    /// Runs a child that goes on with the task to its end.
    pub(crate) fn run(&self) {
        assert!(!self.start(None, false), "nobody killed it");
    }

    /// Runs a child that kills itself at `kill`, if it comes there, with writes counted from the
    /// cancel on where the task is to be cancelled. Returns whether it was killed.
    pub(crate) fn run_to(&self, kill: Kill) -> bool {
        self.start(Some(kill), self.plan.is_cancelled)
    }

    /// As [`Self::run_to`], with writes counted from the child's start.
    pub(crate) fn run_again_to(&self, kill: Kill) -> bool {
        self.start(Some(kill), false)
    }

    fn start(&self, kill: Option<Kill>, from_cancel: bool) -> bool {
        let files = self.files();
        let orders = Orders {
            arguments: self.plan.arguments.clone(),
            is_cancelled: self.plan.is_cancelled,
            kill,
            from_cancel,
        };
        let orders = serde_json::to_vec(&orders).expect("orders are JSON");
        fs::write(files.orders(), orders).expect("the orders are written");
        let output = File::create(files.output()).expect("a file for the child's output");
        let status = Command::new(std::env::current_exe().expect("this executable"))
            .args(["--exact", "child::run", "--test-threads=1", "--nocapture"])
            .env(DIR, &files.0)
            .stderr(output.try_clone().expect("the same file"))
            .stdout(output)
            .status()
            .expect("a child");
        let was_killed = status.signal() == Some(KILLED);
        assert!(was_killed || status.success(), "{status}: {}", self.story());
        was_killed
    }

    /// Takes the power away where a child was killed at `kill`: what was not synced is lost, and
    /// half of a write in the middle of which that was. Returns how many bytes that were.
    pub(crate) fn cut(&self, kill: Kill) -> u64 {
        let ends = Ends::load(&self.files().ends()).expect("the ends were noted");
        let lost = match kill.side {
            Side::Before | Side::After => ends.cut(&self.data()),
            Side::Within => ends.tear(&self.data()),
        };
        lost.expect("the journal can be cut")
    }

    /// Checks what was seen from outside, up to the task's end, and returns it.
    pub(crate) fn check(&self, what: &str, expected: Option<&Seen>) -> Seen {
        let files = self.files();
        let (log, told) = (lines(&files.world().join("log")), lines(&files.told()));
        let seen = rules::check(self.plan, &log, &told);
        let seen = seen.unwrap_or_else(|broken| panic!("{what}: {broken}\n{}", self.story()));
        if let Some(expected) = expected {
            assert_eq!(seen.end, expected.end, "{what}: {}", self.story());
        }
        seen
    }

    /// A copy of everything.
    pub(crate) fn keep(&self) -> TempDir {
        let kept = scratch();
        copy(&self.files().0, &kept.path().join("house")).expect("a copy");
        kept
    }

    /// Everything as it was kept.
    pub(crate) fn bring_back(&self, kept: &TempDir) {
        fs::remove_dir_all(self.files().0).expect("the house is cleared");
        copy(&kept.path().join("house"), &self.files().0).expect("a copy");
    }

    fn story(&self) -> String {
        let files = self.files();
        let story = |what: &str, file: &Path| format!("--- {what}\n{}\n", lines(file).join("\n"));
        [
            story("writes", &files.writes()),
            story("told", &files.told()),
            story("log", &files.world().join("log")),
            story("output", &files.output()),
        ]
        .concat()
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
