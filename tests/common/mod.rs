//! A house to run tasks in: a data directory, a world outside that counts effects, a runtime.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test file uses a part of it, and fails by panicking"
)]

pub mod scratch;
pub mod warm;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::clock::{Clock, Hand, Timestamp};
use stepwell::id::{Digest, Principal, TaskKey};
use stepwell::limit::Limits;
use stepwell::runtime::{Error, Options, Request, Runtime};
use stepwell::task::{Entry, Outcome, Record, State};
use tempfile::TempDir;

/// A runtime with its data directory and a folder that the guest sees as `/world`.
pub struct House {
    pub runtime: Runtime,
    pub component: Digest,
    /// Moves the time, where it stands still otherwise.
    pub hand: Option<Hand>,
    dir: TempDir,
    options: Options,
}

impl House {
    /// On the machine's clock.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Where time stands still until the hand is moved.
    pub async fn still() -> Self {
        Self::still_with(|_| {}).await
    }

    /// As [`House::still`], with other options.
    pub async fn still_with(set: impl FnOnce(&mut Options)) -> Self {
        let (clock, hand) = Clock::manual(Timestamp(1_800_000_000_000));
        let mut house = Self::with(|options| {
            options.clock = clock;
            set(options);
        })
        .await;
        house.hand = Some(hand);
        house
    }

    /// With other options.
    pub async fn with(set: impl FnOnce(&mut Options)) -> Self {
        let dir = scratch::scratch();
        std::fs::create_dir(dir.path().join("world")).expect("a folder for the world");
        let mut options = Options::new(dir.path().join("data"));
        options.running_max = 16;
        set(&mut options);
        warm::seed(&options.data_dir);
        let runtime = Runtime::start(options.clone())
            .await
            .expect("the runtime starts");
        let component = add(&runtime).await;
        warm::keep(&options.data_dir);
        Self {
            runtime,
            component,
            hand: None,
            dir,
            options,
        }
    }

    /// Ends the runtime in order, and starts it again on the same directory.
    pub async fn reopen(self) -> Self {
        self.runtime.drain(Duration::from_secs(20)).await;
        self.start().await
    }

    /// Ends the runtime as a crash would, and starts it again on the same directory.
    pub async fn crash(self) -> Self {
        self.runtime.abandon().await;
        self.start().await
    }

    async fn start(self) -> Self {
        let Self {
            runtime,
            component,
            hand,
            dir,
            options,
        } = self;
        drop(runtime);
        let runtime = Runtime::start(options.clone())
            .await
            .expect("the runtime starts again");
        // The component is kept in the data directory: nobody adds it again.
        Self {
            runtime,
            component,
            hand,
            dir,
            options,
        }
    }

    /// What is left when the runtime is gone.
    pub fn dismantle(self) -> (Options, TempDir) {
        (self.options, self.dir)
    }

    /// Where the world's files are.
    pub fn world(&self, file: &str) -> PathBuf {
        self.dir.path().join("world").join(file)
    }

    /// The lines of one of the world's files.
    pub fn lines(&self, file: &str) -> Vec<String> {
        lines(&self.world(file))
    }

    /// The files of the world that this process has open.
    pub fn open_files(&self) -> Vec<PathBuf> {
        let world = self.world("");
        let open = std::fs::read_dir("/proc/self/fd").expect("the open files are listed");
        // One that is closed meanwhile has no path any more.
        let open = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        open.filter(|path| path.starts_with(&world)).collect()
    }

    /// A call of a tool of the test guest, which may write in `/world`.
    pub fn request(&self, tool: &str, arguments: Value) -> Request {
        let world = format!("{}:/world:rw", self.dir.path().join("world").display());
        let grant = world.parse().expect("a grant");
        Request {
            grants: vec![grant],
            ..Request::new(self.component, tool, arguments)
        }
    }

    /// Submits a script.
    pub async fn script(&self, arguments: Value) -> TaskKey {
        self.submit(self.request("script", arguments)).await
    }

    /// Submits a script with limits of its own.
    pub async fn script_within(&self, limits: Limits, arguments: Value) -> TaskKey {
        self.submit(Request {
            limits,
            ..self.request("script", arguments)
        })
        .await
    }

    /// Submits a request that is accepted.
    pub async fn submit(&self, request: Request) -> TaskKey {
        let accepted = self
            .runtime
            .submit(request)
            .await
            .expect("the task is accepted");
        accepted.record.key()
    }

    /// The task's end.
    pub async fn end(&self, task: &TaskKey) -> Arc<Record> {
        within(self.runtime.wait(task))
            .await
            .expect("the task ends")
    }

    /// The task once its status is the word `status`.
    pub async fn until(&self, task: &TaskKey, status: &str) -> Arc<Record> {
        let is = |record: &Record| record.status().as_str() == status;
        within(self.runtime.wait_for(task, is))
            .await
            .expect("the task is known")
    }

    /// The transcript of a script that completed.
    pub async fn transcript(&self, task: &TaskKey) -> Vec<Value> {
        let record = self.end(task).await;
        let output = self
            .runtime
            .output(task)
            .await
            .expect("the output can be read");
        let Some(output) = output else {
            panic!("no output: {}", ending(&record))
        };
        let structured = output.structured.expect("a script returns its transcript");
        structured["transcript"].as_array().expect("a list").clone()
    }

    /// The entries of the task's log.
    pub async fn events(&self, task: &TaskKey) -> Vec<Entry> {
        let events = self
            .runtime
            .events(task, 0, 10_000)
            .await
            .expect("events can be read");
        events.into_iter().map(|event| event.entry).collect()
    }

    /// Returns once the guest has come to a `wait_file` of `file`, which it announces by an effect
    /// `file` with the ending `.here`.
    pub async fn at(&self, file: &str) {
        let here = self.world(&format!("{file}.here"));
        within(async {
            while !here.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Lets the guest go on that waits for `file`.
    pub fn go(&self, file: &str) {
        std::fs::write(self.world(file), "").expect("a file in the world");
    }
}

/// The operations by which a script waits until the test lets it go on: see [`House::at`].
pub fn hold(file: &str) -> [Value; 2] {
    [
        json!({"effect": format!("/world/{file}.here"), "line": "here"}),
        json!({"wait_file": format!("/world/{file}")}),
    ]
}

/// The arguments of a script of these operations.
pub fn ops(operations: impl IntoIterator<Item = Value>) -> Value {
    json!({"ops": operations.into_iter().collect::<Vec<_>>()})
}

/// A step that appends its name to `/world/effects` when it is performed.
pub fn step(name: &str) -> Value {
    json!({"step": {"name": name, "output": name,
        "effect_line": {"path": "/world/effects", "line": name}}})
}

/// As [`step`], once.
pub fn step_once(name: &str) -> Value {
    json!({"step": {"name": name, "output": name, "effect": "once",
        "effect_line": {"path": "/world/effects", "line": name}}})
}

/// How a task ended, in one line.
pub fn ending(record: impl AsRef<Record>) -> String {
    match &record.as_ref().state {
        State::Finished {
            outcome: Outcome::Completed,
            ..
        } => "completed".into(),
        State::Finished {
            outcome: Outcome::Failed { failure, how: None },
            ..
        } => {
            format!("failed {}", failure.kind)
        }
        State::Finished {
            outcome:
                Outcome::Failed {
                    failure,
                    how: Some(how),
                },
            ..
        } => {
            format!("failed {} {how}", failure.kind)
        }
        State::Finished {
            outcome: Outcome::Cancelled { how },
            ..
        } => format!("cancelled {how}"),
        state => state.status().to_string(),
    }
}

/// The message of the failure that a task ended with.
pub fn message(record: impl AsRef<Record>) -> String {
    match &record.as_ref().state {
        State::Finished {
            outcome: Outcome::Failed { failure, .. },
            ..
        } => failure.message.to_string(),
        state => panic!("not failed: {}", state.status()),
    }
}

/// The lines of a file; none if there is none.
pub fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The local user.
pub fn me() -> Principal {
    Principal::local()
}

/// What comes within a minute, which is only to keep a test that fails from hanging.
pub async fn within<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, future)
        .await
        .expect("nothing came within a minute")
}

/// The request's error.
pub fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

async fn add(runtime: &Runtime) -> Digest {
    let guest = stepwell_guest_examples::TEST_GUEST.to_vec();
    let registered = runtime
        .add(guest)
        .await
        .expect("the test guest is a component");
    registered.manifest.component
}
