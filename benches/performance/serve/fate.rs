//! What becomes of a call that is to become a task: it is accepted, or refused by name; and what is
//! accepted comes to its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::Value;
use tokio::time::sleep;

use super::client::Client;
use super::wire;

/// The refusals that say that there is too much to do: `docs/mcp.md`, "What a result says".
const REFUSALS: [&str; 4] = ["busy", "tenant-busy", "tenant-over-budget", "no-room"];

/// How an accepted call was answered, or which refusal it was.
pub(super) enum Fate {
    /// The task that it became.
    Accepted(String),
    /// Why it did not.
    Refused(&'static str),
}

/// Sends a call. Anything but a task that is at work, and a refusal by name, is an error.
pub(super) async fn submit(client: &mut Client, call: &[u8]) -> anyhow::Result<Fate> {
    let answer = client.ask(call).await?;
    let answer: Value = super::client::read(&answer)?;
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    if text("/result/resultType") == Some("task") {
        ensure!(text("/result/status") == Some("working"), "{answer}");
        let id = text("/result/taskId").context("a task without an id")?;
        return Ok(Fate::Accepted(id.to_owned()));
    }
    let kind = text("/error/data/kind");
    let refusal = REFUSALS.into_iter().find(|refusal| kind == Some(refusal));
    let refusal = refusal.with_context(|| format!("neither a task nor a refusal: {answer}"))?;
    Ok(Fate::Refused(refusal))
}

/// Asks for a task again and again, with this pause, until its result is there. Whether it is; it is
/// taken for lost once `patience` is over.
pub(super) async fn has_result(
    client: &mut Client,
    task: &str,
    (pause, patience): (Duration, Duration),
) -> anyhow::Result<bool> {
    let get = Bytes::from(wire::http(&wire::get(task)));
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let answer = client.ask(&get).await?;
        let is = |text: &str| {
            let mut parts = answer.windows(text.len());
            parts.any(|part| part == text.as_bytes())
        };
        if is(r#""status":"completed""#) {
            return Ok(is(r#""isError":false"#));
        }
        ensure!(is(r#""status":"working""#), "a task has come to {answer:?}");
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok(false)
}
