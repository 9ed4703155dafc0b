//! A client over standard input and output, of a server that is its child.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::client::Went;
use super::server::{command, configured};
use crate::rounds::each;
use crate::table::percentile;

/// The pipes to the server. Dropping them ends it.
pub(super) struct Pipe {
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    process: Child,
    _folder: TempDir,
}

impl Pipe {
    pub(super) fn open(policy: &str) -> anyhow::Result<Self> {
        let folder = configured(policy, "")?;
        let mut command = command(&folder);
        command.arg("--stdio");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // It says when it is ready, which whoever waits for the first answer need not know.
        let mut process = command.stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().context("a server without output")?;
        Ok(Self {
            input: process.stdin.take(),
            output: BufReader::new(output),
            process,
            _folder: folder,
        })
    }

    /// Sends `message` `count` times, so that `at_once` of them have no answer yet. Every answer has to have `text` in it.
    pub(super) fn calls(
        &mut self,
        (message, text): (&Value, &str),
        at_once: usize,
        count: usize,
    ) -> anyhow::Result<Went> {
        // A number that no other request has: they are at work at the same time.
        let line = |id: usize| {
            let mut message = message.as_object().cloned().unwrap_or_default();
            message.insert("id".to_owned(), id.into());
            format!("{}\n", Value::Object(message))
        };
        let lines: Vec<_> = (0..count).map(line).collect();
        let input = self.input.as_mut().context("the pipe is closed")?;
        let (mut lines, mut answer) = (lines.iter(), String::new());
        let mut took = Vec::with_capacity(count);
        let begun = Instant::now();
        for line in lines.by_ref().take(at_once) {
            input.write_all(line.as_bytes())?;
        }
        let mut last = begun;
        for _ in 0..count {
            answer.clear();
            self.output.read_line(&mut answer)?;
            ensure!(answer.contains(text), "answered {answer}");
            // From one answer to the next: for one caller that is a call.
            let now = Instant::now();
            took.push(now - last);
            last = now;
            if let Some(line) = lines.next() {
                input.write_all(line.as_bytes())?;
            }
        }
        Ok(Went {
            each: each(last - begun, count),
            p50: percentile(&mut took, 50.0),
        })
    }

    /// Ends it in order: its input is over.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to do.
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
