//! A gate before every operation, at which a test holds the guest to interfere there, and a
//! trace of the operations, for a comparison with the model's.
//!
//! With `"gate": true` the task has a folder of its own in `dir`, of its id. The test makes it,
//! with a file `holds` that has a line `attempt operation` for each place to be held at. There the
//! guest makes a file `at.attempt.operation` and waits for `go.attempt.operation`. The operations
//! of an attempt are counted from 0, and its end is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::contract::stepwell::tool::task;
use crate::{Result, failed, file};

/// How long the guest naps at most before it looks again.
const NAP_MAX: Duration = Duration::from_millis(16);

/// The gate of one attempt.
#[derive(Default)]
pub(super) struct Gate {
    folder: Option<PathBuf>,
    attempt: u32,
    holds: Vec<String>,
    calls: u32,
    /// Whether the tool was asked to stop.
    pub(super) is_told: bool,
}

impl Gate {
    pub(super) fn of(arguments: &Value) -> Result<Self> {
        if arguments.get("gate").and_then(Value::as_bool) != Some(true) {
            return Ok(Self::default());
        }
        let task = task::current();
        let dir = arguments.get("dir").and_then(Value::as_str);
        let folder = Path::new(dir.unwrap_or("/world")).join(&task.id);
        let holds = folder.join("holds");
        wait_for(&holds);
        let gate = Self {
            holds: file::lines(&holds).map_err(failed)?,
            folder: Some(folder),
            attempt: task.attempt,
            ..Self::default()
        };
        gate.trace(&format!("attempt {}", gate.attempt))?;
        Ok(gate)
    }

    /// The folder of the task.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Before an operation; the end has no name.
    pub(super) fn pass(&mut self, operation: &str) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let (attempt, call) = (self.attempt, self.calls);
        self.calls += 1;
        if self.holds.contains(&format!("{attempt} {call}")) {
            fs::write(folder.join(format!("at.{attempt}.{call}")), "").map_err(failed)?;
            wait_for(&folder.join(format!("go.{attempt}.{call}")));
        }
        match operation {
            "" => Ok(()),
            operation => self.trace(operation),
        }
    }

    /// After an operation by which the tool may have been asked to stop.
    pub(super) fn told(&mut self, stop: bool) -> Result<()> {
        self.is_told |= stop;
        if stop { self.trace("=> stop") } else { Ok(()) }
    }

    fn trace(&self, line: &str) -> Result<()> {
        match &self.folder {
            Some(folder) => file::note(folder.join("trace"), line).map_err(failed),
            None => Ok(()),
        }
    }
}

fn wait_for(path: &Path) {
    let mut nap = Duration::from_millis(1);
    while !path.exists() {
        std::thread::sleep(nap);
        nap = (nap * 2).min(NAP_MAX);
    }
}
