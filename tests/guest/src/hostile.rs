//! Tools that are out to do harm: each runs into one limit.

#![allow(clippy::unnecessary_wraps, reason = "all tools have one signature")]

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::contract::exports::stepwell::tool::tools::Output;
use crate::contract::stepwell::tool::steps::{self, Effect, Entry};
use crate::contract::stepwell::tool::types::Content;
use crate::{Error, Result, failed, number, output, text};

/// Returns its arguments at once.
pub(crate) fn echo(arguments: &Value) -> Result<Output> {
    Ok(output(arguments))
}

/// Loops for ever.
pub(crate) fn spin(_: &Value) -> Result<Output> {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

/// Takes memory for ever, and touches all of it.
pub(crate) fn allocate(_: &Value) -> Result<Output> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; 1 << 16]));
    }
}

/// Recurses until the stack is used up: that of the engine, not the guest's own, which is
/// hardly touched.
pub(crate) fn recurse(_: &Value) -> Result<Output> {
    #[expect(unconditional_recursion, reason = "that is what it is for")]
    fn deeper(depth: u64) -> u64 {
        black_box(deeper(black_box(depth) + 1)) + 1
    }
    Ok(text(deeper(0).to_string()))
}

/// Traps.
pub(crate) fn trap(_: &Value) -> Result<Output> {
    std::process::abort()
}

/// Writes `bytes` bytes to its standard output, in lines of 64.
pub(crate) fn flood(arguments: &Value) -> Result<Output> {
    let mut left = number(arguments, "bytes")?;
    let line = [[b'x'; 63].as_slice(), b"\n"].concat();
    let mut out = std::io::stdout().lock();
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(line.len());
        out.write_all(line.get(..size).unwrap_or_default())
            .map_err(failed)?;
        left -= size as u64;
    }
    out.flush().map_err(failed)?;
    Ok(text("ok".to_owned()))
}

/// Blocks for ever inside a call of the host.
pub(crate) fn sleep_host(_: &Value) -> Result<Output> {
    loop {
        std::thread::sleep(Duration::from_secs(u64::from(u32::MAX)));
    }
}

/// Journals steps of `bytes` bytes (1 KiB), `count` of them (without end).
pub(crate) fn journal(arguments: &Value) -> Result<Output> {
    let count = number(arguments, "count").unwrap_or(u64::MAX);
    let bytes = usize::try_from(number(arguments, "bytes").unwrap_or(1024)).unwrap_or(1024);
    let body = vec![b'x'; bytes];
    for index in 0..count {
        match steps::begin(&format!("step/{index}"), &[], Effect::Repeatable) {
            Ok(Entry::Run(step)) => steps::Step::complete(step, &body),
            Ok(Entry::InDoubt(doubt)) => steps::Step::complete(doubt.step, &body),
            Ok(Entry::Replay(_)) => {}
            Err(_) => return Err(Error::Stopped),
        }
    }
    Ok(text(count.to_string()))
}

/// Begins `count` steps (without end) and leaves them all at work.
pub(crate) fn begin_many(arguments: &Value) -> Result<Output> {
    let count = number(arguments, "count").unwrap_or(u64::MAX);
    let mut at_work = Vec::new();
    for index in 0..count {
        match steps::begin(&format!("step/{index}"), &[], Effect::Repeatable) {
            Ok(entry) => at_work.push(entry),
            Err(_) => return Err(Error::Stopped),
        }
    }
    Ok(text(at_work.len().to_string()))
}

/// Returns a text of `bytes` bytes, or `items` such texts.
pub(crate) fn big_output(arguments: &Value) -> Result<Output> {
    let bytes = usize::try_from(number(arguments, "bytes")?).map_err(failed)?;
    let items = usize::try_from(number(arguments, "items").unwrap_or(1)).map_err(failed)?;
    let content = (0..items)
        .map(|_| Content::Text("x".repeat(bytes)))
        .collect();
    Ok(Output {
        content,
        structured: None,
        meta: None,
    })
}
