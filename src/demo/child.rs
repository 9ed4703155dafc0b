//! This program, once more, in a process of its own.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A command that is at work.
pub(super) struct Child {
    process: std::process::Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Child {
    /// Starts `stepwell` with these words, on the data directory `data`.
    pub(super) fn start(data: &Path, words: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program can't be found")?;
        let mut command = Command::new(program);
        command
            .args(words)
            .arg("--json")
            .arg("--data-dir")
            .arg(data);
        command.env_remove("RUST_LOG").env_remove("STEPWELL_LOG");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command
            .spawn()
            .context("this program can't be started again")?;
        let said = process
            .stderr
            .take()
            .context("a child without standard error")?;
        Ok(Self {
            process,
            said: BufReader::new(said).lines(),
        })
    }

    /// Waits for a line of its words that `find` finds something in.
    pub(super) fn until<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let mut last = String::new();
        for line in self.said.by_ref() {
            last = line?;
            if let Some(found) = find(&last) {
                return Ok(found);
            }
        }
        bail!("a child ended too early; it said last: {last}")
    }

    /// Whether it has not ended.
    pub(super) fn is_at_work(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Ends it with SIGKILL, and waits until it is gone.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().context("a child can't be killed")?;
        self.process.wait().context("a child can't be waited for")?;
        Ok(())
    }

    /// Sends it what ctrl-c sends.
    pub(super) fn interrupt(&self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::INT)
            .context("a child can't be interrupted")
    }

    /// Waits for its end: its exit code, and what it printed.
    pub(super) fn end(mut self) -> anyhow::Result<(i32, Vec<Value>)> {
        for line in self.said.by_ref() {
            line?;
        }
        let mut printed = String::new();
        if let Some(mut output) = self.process.stdout.take() {
            output.read_to_string(&mut printed)?;
        }
        let status = self.process.wait().context("a child can't be waited for")?;
        let values = printed
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>();
        Ok((
            status.code().unwrap_or(-1),
            values.context("a child printed no JSON")?,
        ))
    }
}

/// Runs a command to its end, and returns what it printed.
pub(super) fn ask(data: &Path, words: &[&str]) -> anyhow::Result<Vec<Value>> {
    let (code, printed) = Child::start(data, words)?.end()?;
    if code != 0 {
        bail!(
            "`stepwell {}` ended with {code}: {printed:?}",
            words.join(" ")
        );
    }
    Ok(printed)
}

impl Drop for Child {
    fn drop(&mut self) {
        // Only where the demo ends early; a process that has ended is left alone.
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
