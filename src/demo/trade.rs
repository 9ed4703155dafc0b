//! A trade is cancelled between two steps, and undoes what it did.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::child::Child;
use super::{Seen, Stage, grant};

pub(super) fn play(stage: &Stage) -> anyhow::Result<Seen> {
    let exchange = stage.make("exchange")?;
    let tool = stage.path("trade_execution.wasm");
    let arguments = json!({
        "account": "demo", "symbol": "WELL", "side": "buy", "quantity": 10, "price_cents": 1_250,
        // Nobody fills it: the trade waits, unloaded, and looks at the order now and then.
        "fill": "external", "poll_ms": 2_000, "polls_max": 1_000,
    });
    stage.say("A tool reserves funds, places an order, and waits for the order to be filled.");
    let dir = format!("{}:rw", grant(&exchange, "/exchange"));
    let mut child = Child::start(
        &stage.path("trade-data"),
        &[
            "run",
            &tool.to_string_lossy(),
            "trade_execution",
            "--args",
            &arguments.to_string(),
            "--dir",
            &dir,
        ],
    )?;
    child.until(|line| line.contains("order placed").then_some(()))?;
    stage.say("The order is placed; now somebody presses ctrl-c.");
    child.interrupt()?;
    let (code, printed) = child.end()?;
    let task = printed
        .into_iter()
        .next()
        .context("the trade was not shown")?;
    let how = task.get("how").and_then(Value::as_str);
    let ledger = std::fs::read_to_string(exchange.join("ledger.ndjson")).unwrap_or_default();
    let kinds: Vec<_> = ledger
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| Some(line.get("kind")?.as_str()?.to_owned()))
        .collect();
    let facts = vec![
        (
            "It was asked to stop between two steps, and came to its end by itself.".to_owned(),
            how == Some("clean"),
        ),
        (
            format!("The exchange's own ledger reads: {}.", kinds.join(", ")),
            kinds == ["reserve", "place", "cancel", "release"],
        ),
        (
            "A shell sees that by the exit code 130: cancelled.".to_owned(),
            code == 130,
        ),
    ];
    Ok(Seen { facts, task })
}
