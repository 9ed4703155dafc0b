//! The lines that a guest prints, on their way into the task's log.
//!
//! Printing never blocks and never fails: past the limit, lines are dropped and counted. What is
//! printed is gathered here and handed on when the host call returns, because a stream of WASI
//! does not reach the rest of the guest's data.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::Meter;
use crate::task::Source;
use crate::text::clean_line;

/// The most bytes of a line; a longer one is broken.
pub(super) const LINE_BYTES_MAX: usize = 4_096;

/// What a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// The lines of one guest.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    meter: Arc<Meter>,
    is_ready: AtomicBool,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    ready: Vec<(Source, String)>,
}

impl Log {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self(Arc::new(Shared {
            meter,
            is_ready: AtomicBool::new(false),
            lines: Mutex::default(),
        }))
    }

    /// Standard output or standard error.
    pub(super) fn stream(&self, source: Source) -> Stream {
        Stream {
            log: self.clone(),
            source,
        }
    }

    /// Adds one message, line by line.
    pub(super) fn message(&self, source: Source, message: &str) {
        let mut lines = self.lines();
        for line in message.trim_end_matches('\n').split('\n') {
            let mut rest = line.as_bytes();
            while rest.len() > LINE_BYTES_MAX {
                let (line, after) = rest.split_at(break_at(rest));
                self.add(&mut lines, source, line);
                rest = after;
            }
            self.add(&mut lines, source, rest);
        }
    }

    /// Takes the lines that are complete.
    pub(super) fn take(&self) -> Vec<(Source, String)> {
        if !self.0.is_ready.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.0.is_ready.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.lines().ready)
    }

    /// Makes a line of what was printed without a line break at its end.
    pub(super) fn flush(&self) {
        let mut lines = self.lines();
        for (source, rest) in [
            (Source::Stdout, std::mem::take(&mut lines.stdout)),
            (Source::Stderr, std::mem::take(&mut lines.stderr)),
        ] {
            if !rest.is_empty() {
                self.add(&mut lines, source, &rest);
            }
        }
    }

    fn print(&self, source: Source, bytes: &[u8]) {
        self.0.meter.charge(bytes.len() as u64);
        let mut lines = self.lines();
        let partial = match source {
            Source::Stderr => &mut lines.stderr,
            _ => &mut lines.stdout,
        };
        let mut rest = std::mem::take(partial);
        rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(after) = rest.get(start..) {
            let (len, skip) = match after.iter().position(|byte| *byte == b'\n') {
                Some(end) if end <= LINE_BYTES_MAX => (end, 1),
                _ if after.len() > LINE_BYTES_MAX => (break_at(after), 0),
                _ => break,
            };
            self.add(&mut lines, source, after.get(..len).unwrap_or_default());
            start += len + skip;
        }
        rest.drain(..start.min(rest.len()));
        match source {
            Source::Stderr => lines.stderr = rest,
            _ => lines.stdout = rest,
        }
    }

    fn add(&self, lines: &mut Lines, source: Source, line: &[u8]) {
        // The line break counts too.
        if self.0.meter.log(line.len() as u64 + 1) {
            let line = clean_line(&String::from_utf8_lossy(line), LINE_BYTES_MAX);
            lines.ready.push((source, line));
            self.0.is_ready.store(true, Ordering::Relaxed);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a line that is too long is broken: not within a character.
fn break_at(line: &[u8]) -> usize {
    let is_start = |at: &usize| line.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let mut places = (LINE_BYTES_MAX - 3..=LINE_BYTES_MAX).rev();
    places.find(is_start).unwrap_or(LINE_BYTES_MAX)
}

/// A stream that a guest prints to.
pub(super) struct Stream {
    log: Log,
    source: Source,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.log.stream(self.source))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.log.stream(self.source))
    }
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.print(self.source, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.log.print(self.source, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use crate::sandbox::meter::LINE_BYTES;
    use crate::task::Usage;

    fn log(max: u64) -> (Log, Arc<Meter>) {
        let limits = Limits {
            log: max,
            ..Limits::default()
        };
        let meter = Arc::new(Meter::new(&limits, &Usage::default()));
        (Log::new(meter.clone()), meter)
    }

    fn texts(log: &Log) -> Vec<String> {
        log.take().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (log, _) = log(1 << 20);
        log.print(Source::Stdout, b"one\ntw");
        log.print(Source::Stderr, b"err\x1b[2J\n");
        log.print(Source::Stdout, b"o\n\nthree");
        assert_eq!(texts(&log), ["one", "err[2J", "two", ""]);
        log.flush();
        assert_eq!(texts(&log), ["three"]);
        log.message(Source::Info, "a\nb\n");
        assert_eq!(texts(&log), ["a", "b"]);
    }

    #[test]
    fn a_long_line_is_broken_between_characters() {
        let (log, _) = log(1 << 20);
        let long = "x".to_owned() + &"\u{20ac}".repeat(3_000);
        for chunk in long.as_bytes().chunks(1_000) {
            log.print(Source::Stdout, chunk);
        }
        log.flush();
        let lines = texts(&log);
        assert_eq!(lines.concat(), long);
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX));
        log.message(Source::Info, &long);
        assert_eq!(texts(&log).concat(), long);
    }

    #[test]
    fn what_is_past_the_limit_is_counted() {
        let (log, meter) = log(1_024);
        for _ in 0..1_000 {
            log.print(Source::Stdout, b"123456789\n");
        }
        let usage = meter.usage();
        assert!(usage.log_bytes <= 1_024, "{usage:?}");
        let kept = texts(&log).len() as u64;
        assert_eq!(usage.log_bytes, kept * (10 + LINE_BYTES));
        assert_eq!(usage.log_dropped, 10_000 - kept * 10);
        assert_eq!(meter.fuel_used(), 10_000);
        log.print(Source::Stdout, &[b'\n'; 10_000]);
        assert!(texts(&log).len() < 40, "empty lines are records too");
    }
}
