//! A guest that spins for ever is cut off at its fuel.

use anyhow::Context as _;
use serde_json::Value;

use super::child::Child;
use super::{Seen, Stage};

/// What it may use: a second or two of one core.
const FUEL: &str = "20G";
const FUEL_MAX: u64 = 20_000_000_000;

pub(super) fn begin(stage: &Stage) -> anyhow::Result<Child> {
    let guest = stage.path("test_guest.wasm");
    let guest = guest.to_string_lossy();
    Child::start(
        &stage.path("spin-data"),
        &["run", &guest, "spin", "--fuel", FUEL],
    )
}

pub(super) fn end(child: Child) -> anyhow::Result<Seen> {
    let (code, printed) = child.end()?;
    let task = printed
        .into_iter()
        .next()
        .context("the spinning task was not shown")?;
    let kind = task.pointer("/failure/kind").and_then(Value::as_str);
    let used = task
        .pointer("/usage/fuel")
        .and_then(Value::as_u64)
        .unwrap_or(u64::MAX);
    let facts = vec![
        (
            "It was cut off when its fuel was used up.".to_owned(),
            kind == Some("out-of-fuel"),
        ),
        (
            "It used what it was allowed, and no more.".to_owned(),
            used > FUEL_MAX / 10 * 9 && used <= FUEL_MAX,
        ),
        (
            "A shell sees that by the exit code 3: a limit.".to_owned(),
            code == 3,
        ),
    ];
    Ok(Seen { facts, task })
}
