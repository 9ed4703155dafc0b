//! `trade_execution`: an order on an exchange, in steps that take effect once.
//!
//! Funds are reserved, the order is placed, its fill is waited for, then it is confirmed and
//! settled. Whatever ends the trade before that, a stop, a refusal or the time, what was
//! done is undone: the order is cancelled, the funds are released. In doubt the exchange is
//! asked for the step's key.

mod exchange;

use std::path::PathBuf;
use std::time::Duration;

use exchange::{Entry, Exchange, Kind, Receipt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stepwell_guest::{Error, Level, Result, Task, TaskSupport, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    account: String,
    symbol: String,
    side: Side,
    #[schemars(range(min = 1))]
    quantity: u64,
    /// The limit, in hundredths.
    #[schemars(range(min = 1))]
    price_cents: u64,
    /// The folder of the exchange, which is granted for writing.
    #[serde(default = "exchange")]
    #[schemars(with = "String")]
    exchange: PathBuf,
    /// Whether the exchange fills the order at once, or somebody else does.
    #[serde(default)]
    fill: Fill,
    /// How long lies between two looks at the order.
    #[serde(default = "poll_ms")]
    poll_ms: u64,
    /// After how many looks an order without a fill is given up.
    #[serde(default = "polls_max")]
    polls_max: u32,
    /// How much time has to be left for an order to be placed, or waited for.
    #[serde(default = "settle_ms")]
    settle_ms: u64,
}

fn exchange() -> PathBuf {
    "/exchange".into()
}

fn poll_ms() -> u64 {
    2000
}

fn polls_max() -> u32 {
    10
}

fn settle_ms() -> u64 {
    1000
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Side {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fill {
    #[default]
    Immediate,
    External,
}

#[derive(Serialize, JsonSchema)]
struct Trade {
    /// The exchange's name for the order.
    order: String,
    /// The exchange's name for the settlement.
    settlement: String,
    amount_cents: u64,
}

/// What a look at the order found.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Look {
    Filled,
    Open,
    TooLate,
}

/// What was done, and has to be undone if the trade does not come about.
type Done = Vec<Entry>;

fn trade_execution(task: &Task, args: Args) -> Result<Trade> {
    let amount = args
        .quantity
        .checked_mul(args.price_cents)
        .filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| {
        Error::invalid_arguments("`quantity` times `price_cents` is 0, or too large")
    })?;
    let exchange = Exchange::new(&args.exchange);
    let mut done = Done::new();
    trade(task, &args, &exchange, amount, &mut done).or_else(|error| {
        task.log(
            Level::Warning,
            format!("undoing {} steps: {error}", done.len()),
        );
        undo(task, &exchange, &done)?;
        Err(error)
    })
}

fn trade(
    task: &Task,
    args: &Args,
    exchange: &Exchange,
    amount: u64,
    done: &mut Done,
) -> Result<Trade> {
    let Args {
        account, symbol, ..
    } = args;
    let time = Duration::from_millis(args.settle_ms);
    // A step, so that every attempt decides the same.
    if !task.step("is there time", || Ok(task.remaining().time >= time))? {
        return Err(Error::failed("too little time is left to settle an order"));
    }
    let reserve = Entry::new(Kind::Reserve, account).amount(amount);
    let funds = once(task, exchange, "reserve funds", &reserve)?;
    done.push(
        Entry::new(Kind::Release, account)
            .amount(amount)
            .about(&funds),
    );
    task.progress(1, Some(4), "funds reserved");

    let place = Entry::new(Kind::Place, symbol).amount(amount).about(&funds);
    let place = place.terms(format!(
        "{:?} {} at {}",
        args.side, args.quantity, args.price_cents
    ));
    let order = once(task, exchange, "place order", &place)?;
    if let Some(refusal) = order.refusal {
        return Err(Error::failed(format!(
            "the exchange refused the order: {refusal}"
        )));
    }
    done.push(Entry::new(Kind::Cancel, symbol).about(&order));
    task.progress(2, Some(4), "order placed");

    wait_for_fill(task, args, exchange, &order)?;
    let confirm = Entry::new(Kind::Confirm, symbol).about(&order);
    once(task, exchange, "confirm", &confirm)?;
    task.progress(3, Some(4), "order filled and confirmed");

    let settle = Entry::new(Kind::Settle, account)
        .amount(amount)
        .about(&order);
    let settlement = once(task, exchange, "settle", &settle)?;
    task.progress(4, Some(4), "settled");
    Ok(Trade {
        order: order.key,
        settlement: settlement.key,
        amount_cents: amount,
    })
}

fn wait_for_fill(task: &Task, args: &Args, exchange: &Exchange, order: &Receipt) -> Result<()> {
    let time = Duration::from_millis(args.settle_ms);
    for _ in 0..args.polls_max {
        let look = task.step("look at the order", || {
            if matches!(args.fill, Fill::Immediate) {
                exchange.fill(order)?;
            }
            Ok(match exchange.is_filled(order)? {
                true => Look::Filled,
                false if task.remaining().time < time => Look::TooLate,
                false => Look::Open,
            })
        })?;
        match look {
            Look::Filled => return Ok(()),
            Look::TooLate => return Err(Error::failed("too little time is left to wait")),
            Look::Open => task.sleep("wait for the fill", Duration::from_millis(args.poll_ms))?,
        }
    }
    Err(Error::failed(format!(
        "the order was not filled after {} looks",
        args.polls_max
    )))
}

/// Undoes what was done, the newest first, so in the same order in every attempt.
fn undo(task: &Task, exchange: &Exchange, done: &Done) -> Result<()> {
    for entry in done.iter().rev() {
        let name = match entry.kind {
            Kind::Cancel => "cancel order",
            _ => "release funds",
        };
        match once(task, exchange, name, entry) {
            // Asked to stop while the trade is undone for another reason: that goes on.
            Err(Error::Stopped(_)) => once(task, exchange, name, entry)?,
            other => other?,
        };
    }
    Ok(())
}

/// A step that takes effect once: in doubt, the exchange knows by the key.
fn once(task: &Task, exchange: &Exchange, name: &str, entry: &Entry) -> Result<Receipt> {
    task.step_once(name, entry, |once| {
        if once.doubt.is_some()
            && let Some(receipt) = exchange.find(&once.key)?
        {
            return Ok(receipt);
        }
        exchange.take(&once.key, entry)
    })
}

stepwell_guest::export!(
    Tool::new("trade_execution", trade_execution)
        .title("Execute a trade")
        .description("Places an order, waits for its fill and settles it, or undoes all of it.")
        .destructive(true)
        .idempotent(false)
        .task_support(TaskSupport::Required)
);
