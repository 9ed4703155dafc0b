//! The sixteen guests. Their names, their steps and the order of these are the model's.

use serde_json::{Value, json};

use super::{Done, End, Sdk};
use crate::Result;
use crate::contract::stepwell::tool::steps::Effect;
use crate::world::Service;

type Guest = fn(&mut Sdk) -> Result<End>;

pub(super) const GUESTS: [(&str, Guest); 16] = [
    ("linear", linear),
    ("once2", once2),
    ("chunks", chunks),
    ("retry", retry),
    ("skip", skip),
    ("saga", |sdk| saga(sdk, &["A", "B", "C"])),
    ("sagaR", saga_r),
    ("sagaN", saga_n),
    ("sagaC", saga_c),
    ("sagaP", saga_p),
    ("sagaW", saga_w),
    ("overlap", overlap),
    ("rowsTwo", rows_two),
    ("waits", waits),
    ("jump", jump),
    ("jumpNoInput", jump),
];

fn linear(sdk: &mut Sdk) -> Result<End> {
    for what in ["A", "B", "C"] {
        if sdk.step(what, what)? == Done::Stop {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

/// An exchange that does not deduplicate: it is asked in doubt.
fn once2(sdk: &mut Sdk) -> Result<End> {
    for what in ["A", "B"] {
        if sdk.once(what, what, Service::Plain)? == Done::Stop {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

fn chunks(sdk: &mut Sdk) -> Result<End> {
    for chunk in next(sdk)?..2 {
        for row in ["x", "y"] {
            if sdk.step("row", &format!("{chunk}{row}"))? == Done::Stop {
                return Ok(End::Stopped);
            }
        }
        if !sdk.save(&json!({ "next": chunk + 1 }))? {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

fn retry(sdk: &mut Sdk) -> Result<End> {
    'steps: for what in ["A", "B"] {
        for _ in 0..3 {
            match sdk.step(what, what)? {
                Done::Stop => return Ok(End::Stopped),
                Done::Error => {}
                Done::Ok | Done::Replay => continue 'steps,
            }
        }
        return Ok(End::Transient);
    }
    Ok(End::Ok)
}

/// A failed row is skipped, the loop goes on.
fn skip(sdk: &mut Sdk) -> Result<End> {
    for row in 0..3 {
        if sdk.step("row", &format!("r{row}"))? == Done::Stop {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

fn undo(sdk: &mut Sdk, done: &[String]) -> Result<End> {
    for what in done.iter().rev() {
        let (base, undone) = (format!("undo-{what}"), format!("undo {what}"));
        if sdk.once(&base, &undone, Service::Dedup)? == Done::Stop {
            return Ok(End::ToldAgain);
        }
    }
    Ok(End::Stopped)
}

fn saga(sdk: &mut Sdk, order: &[&str]) -> Result<End> {
    let mut done = Vec::new();
    for what in order {
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push((*what).to_owned());
    }
    Ok(End::Ok)
}

/// A repeatable look-up first, then effects.
fn saga_r(sdk: &mut Sdk) -> Result<End> {
    if sdk.step("R", "R")? == Done::Stop {
        return undo(sdk, &[]);
    }
    saga(sdk, &["A", "B"])
}

/// The order differs from attempt to attempt.
fn saga_n(sdk: &mut Sdk) -> Result<End> {
    match sdk.choose()? {
        0 => saga(sdk, &["A", "B"]),
        _ => saga(sdk, &["B", "A"]),
    }
}

/// A checkpoint after every effect.
fn saga_c(sdk: &mut Sdk) -> Result<End> {
    let state = sdk.load()?.unwrap_or_default();
    let names = state
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let mut done: Vec<String> = names.map(str::to_owned).collect();
    for what in ["A", "B"].into_iter().skip(done.len()) {
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what.to_owned());
        if !sdk.save(&json!(done))? {
            return undo(sdk, &done);
        }
    }
    Ok(End::Ok)
}

/// Asks for a stop between its steps.
fn saga_p(sdk: &mut Sdk) -> Result<End> {
    let mut done = Vec::new();
    for what in ["A", "B"] {
        if sdk.is_stop_requested()? {
            return undo(sdk, &done);
        }
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what.to_owned());
    }
    Ok(End::Ok)
}

/// An effect, a wait, an effect.
fn saga_w(sdk: &mut Sdk) -> Result<End> {
    let mut done = Vec::new();
    for what in ["A", "B"] {
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what.to_owned());
        if !sdk.sleep(&format!("w{what}"))? {
            return undo(sdk, &done);
        }
    }
    Ok(End::Ok)
}

/// Two at once, finished in either order.
fn overlap(sdk: &mut Sdk) -> Result<End> {
    let mut done = Vec::new();
    let first = sdk.open("A", "A", Effect::Once)?;
    if first.entry.is_none() {
        return Ok(End::Stopped);
    }
    let mut two = [first, sdk.open("B", "B", Effect::Once)?];
    if sdk.choose()? == 1 {
        two.reverse();
    }
    for opened in two {
        let what = opened.what.clone();
        if sdk.work(opened, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what);
    }
    if sdk.step("C", "C")? == Done::Stop {
        return undo(sdk, &done);
    }
    Ok(End::Ok)
}

/// Two rows of one name at work together.
fn rows_two(sdk: &mut Sdk) -> Result<End> {
    let first = sdk.open("row", "r1", Effect::Repeatable)?;
    if first.entry.is_none() {
        return Ok(End::Stopped);
    }
    let mut two = [first, sdk.open("row", "r2", Effect::Repeatable)?];
    if sdk.choose()? == 1 {
        two.reverse();
    }
    for opened in two {
        if sdk.work(opened, Service::Dedup)? == Done::Stop {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

fn waits(sdk: &mut Sdk) -> Result<End> {
    let first = u64::from(sdk.load()?.is_some());
    for round in first..2 {
        let stop = sdk.step("A", &format!("A{round}"))? == Done::Stop;
        if stop || !sdk.sleep("s")? || !sdk.ask("a")? {
            return Ok(End::Stopped);
        }
        if sdk.step("B", &format!("B{round}"))? == Done::Stop {
            return Ok(End::Stopped);
        }
        if round == 0 && !sdk.save(&json!({ "next": 1 }))? {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

/// Goes on from whatever the checkpoint says.
fn jump(sdk: &mut Sdk) -> Result<End> {
    for row in next(sdk)?..3 {
        if sdk.step("row", &format!("r{row}"))? == Done::Stop {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Ok)
}

fn next(sdk: &mut Sdk) -> Result<u64> {
    let state = sdk.load()?;
    Ok(state
        .and_then(|state| state.get("next")?.as_u64())
        .unwrap_or(0))
}
