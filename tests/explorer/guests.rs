//! The 16 guests: tools of every shape that a task takes.

use crate::sdk::{Done, Memo, Ret, Sdk};
use crate::world::{Service, Step};

/// A tool.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Sdk<'_>) -> Step<Ret>,
    /// The effects that a completed task has had.
    pub(crate) wants: &'static [&'static str],
    /// Whether it undoes what it did when it is told to stop.
    pub(crate) undo: bool,
    /// Whether its services fail now and then.
    pub(crate) flaky: bool,
    /// Whether it says what its steps depend on.
    pub(crate) inputs: bool,
}

const fn guest(
    name: &'static str,
    run: fn(&mut Sdk<'_>) -> Step<Ret>,
    wants: &'static [&'static str],
) -> Guest {
    Guest {
        name,
        run,
        wants,
        undo: false,
        flaky: false,
        inputs: true,
    }
}

const fn saga_guest(
    name: &'static str,
    run: fn(&mut Sdk<'_>) -> Step<Ret>,
    wants: &'static [&'static str],
) -> Guest {
    Guest {
        undo: true,
        ..guest(name, run, wants)
    }
}

pub(crate) static ALL: [Guest; 16] = [
    guest("linear", linear, &["A", "B", "C"]),
    guest("once_twice", once_twice, &["A", "B"]),
    guest("chunks", chunks, &["0x", "0y", "1x", "1y"]),
    Guest {
        flaky: true,
        ..guest("retry", retry, &["A", "B"])
    },
    Guest {
        flaky: true,
        ..guest("skip", skip, &[])
    },
    saga_guest("saga", saga, &["A", "B", "C"]),
    saga_guest("saga_looks_up", saga_looks_up, &["A", "B"]),
    saga_guest("saga_any_order", saga_any_order, &["A", "B"]),
    saga_guest("saga_saves", saga_saves, &["A", "B"]),
    saga_guest("saga_polls", saga_polls, &["A", "B"]),
    saga_guest("saga_waits", saga_waits, &["A", "B"]),
    saga_guest("overlap", overlap, &["A", "B"]),
    guest("rows_at_once", rows_at_once, &["r1", "r2"]),
    guest("waits", waits, &["A0", "B0", "A1", "B1"]),
    guest("jump", jump, &["r0", "r1", "r2"]),
    Guest {
        inputs: false,
        ..guest("jump_without_input", jump, &["r0", "r1", "r2"])
    },
];

fn linear(sdk: &mut Sdk<'_>) -> Step<Ret> {
    for what in ["A", "B", "C"] {
        if sdk.step(what, what)? == Done::Stop {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

/// An exchange that takes no keys: it is asked when a step is in doubt.
fn once_twice(sdk: &mut Sdk<'_>) -> Step<Ret> {
    for what in ["A", "B"] {
        if sdk.once(what, what, Service::Plain)? == Done::Stop {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

fn chunks(sdk: &mut Sdk<'_>) -> Step<Ret> {
    for chunk in next(sdk.load()?.as_ref())..2 {
        for row in ["x", "y"] {
            if sdk.step("row", &format!("{chunk}{row}"))? == Done::Stop {
                return Ok(Ret::Stopped);
            }
        }
        if sdk.save(&Memo::Next(chunk + 1))? {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

fn retry(sdk: &mut Sdk<'_>) -> Step<Ret> {
    for what in ["A", "B"] {
        let mut tries = 0..3;
        loop {
            if tries.next().is_none() {
                return Ok(Ret::Transient);
            }
            match sdk.step(what, what)? {
                Done::Stop => return Ok(Ret::Stopped),
                Done::Ok => break,
                Done::Error => {}
            }
        }
    }
    Ok(Ret::Ok)
}

/// A row that failed is skipped, and the loop goes on.
fn skip(sdk: &mut Sdk<'_>) -> Step<Ret> {
    for row in ["r0", "r1", "r2"] {
        if sdk.step("row", row)? == Done::Stop {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

fn undo(sdk: &mut Sdk<'_>, done: &[String]) -> Step<Ret> {
    for what in done.iter().rev() {
        let step = sdk.once(
            &format!("undo-{what}"),
            &format!("undo {what}"),
            Service::Dedup,
        )?;
        if step == Done::Stop {
            return Ok(Ret::Failed("told again"));
        }
    }
    Ok(Ret::Stopped)
}

fn in_order(sdk: &mut Sdk<'_>, order: &[&str]) -> Step<Ret> {
    let mut done = Vec::new();
    for what in order {
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push((*what).to_owned());
    }
    Ok(Ret::Ok)
}

fn saga(sdk: &mut Sdk<'_>) -> Step<Ret> {
    in_order(sdk, &["A", "B", "C"])
}

/// First a step that can be run again, then effects.
fn saga_looks_up(sdk: &mut Sdk<'_>) -> Step<Ret> {
    if sdk.step("R", "R")? == Done::Stop {
        return Ok(Ret::Stopped);
    }
    in_order(sdk, &["A", "B"])
}

/// The order differs from attempt to attempt.
fn saga_any_order(sdk: &mut Sdk<'_>) -> Step<Ret> {
    match sdk.choose(2)? {
        0 => in_order(sdk, &["A", "B"]),
        _ => in_order(sdk, &["B", "A"]),
    }
}

/// A checkpoint after every effect.
fn saga_saves(sdk: &mut Sdk<'_>) -> Step<Ret> {
    let mut done = match sdk.load()? {
        None => Vec::new(),
        Some(Memo::Done(done)) => done,
        // A state that is not its own: it would take it for one effect.
        Some(Memo::Next(_)) => vec!["next".to_owned()],
    };
    for what in ["A", "B"].into_iter().skip(done.len()) {
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what.to_owned());
        if sdk.save(&Memo::Done(done.clone()))? {
            return undo(sdk, &done);
        }
    }
    Ok(Ret::Ok)
}

/// Asks between its steps whether it should stop.
fn saga_polls(sdk: &mut Sdk<'_>) -> Step<Ret> {
    let mut done = Vec::new();
    for what in ["A", "B"] {
        if sdk.poll()? || sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what.to_owned());
    }
    Ok(Ret::Ok)
}

/// An effect, a wait, an effect.
fn saga_waits(sdk: &mut Sdk<'_>) -> Step<Ret> {
    let mut done = Vec::new();
    for what in ["A", "B"] {
        if sdk.once(what, what, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what.to_owned());
        if sdk.sleep(&format!("w{what}"))? {
            return undo(sdk, &done);
        }
    }
    Ok(Ret::Ok)
}

/// Two at once, finished in either order.
fn overlap(sdk: &mut Sdk<'_>) -> Step<Ret> {
    let mut done = Vec::new();
    let first = sdk.open("A", "A", true)?;
    if first.stops() {
        return Ok(Ret::Stopped);
    }
    let mut both = [first, sdk.open("B", "B", true)?];
    if sdk.choose(2)? == 1 {
        both.reverse();
    }
    for step in both {
        let what = step.what().to_owned();
        if sdk.work(step, Service::Dedup)? == Done::Stop {
            return undo(sdk, &done);
        }
        done.push(what);
    }
    if sdk.step("C", "C")? == Done::Stop {
        return undo(sdk, &done);
    }
    Ok(Ret::Ok)
}

/// Two rows of one name at work together.
fn rows_at_once(sdk: &mut Sdk<'_>) -> Step<Ret> {
    let first = sdk.open("row", "r1", false)?;
    if first.stops() {
        return Ok(Ret::Stopped);
    }
    let mut both = [first, sdk.open("row", "r2", false)?];
    if sdk.choose(2)? == 1 {
        both.reverse();
    }
    for step in both {
        if sdk.work(step, Service::Dedup)? == Done::Stop {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

fn waits(sdk: &mut Sdk<'_>) -> Step<Ret> {
    let start = usize::from(sdk.load()?.is_some());
    for round in start..2 {
        let stop = sdk.step("A", &format!("A{round}"))? == Done::Stop
            || sdk.sleep("s")?
            || sdk.ask("a")?
            || sdk.step("B", &format!("B{round}"))? == Done::Stop
            || round == 0 && sdk.save(&Memo::Next(1))?;
        if stop {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

/// Goes on from whatever the checkpoint says.
fn jump(sdk: &mut Sdk<'_>) -> Step<Ret> {
    for row in next(sdk.load()?.as_ref())..3 {
        if sdk.step("row", &format!("r{row}"))? == Done::Stop {
            return Ok(Ret::Stopped);
        }
    }
    Ok(Ret::Ok)
}

fn next(memo: Option<&Memo>) -> usize {
    match memo {
        Some(Memo::Next(number)) => *number,
        Some(Memo::Done(_)) | None => 0,
    }
}
