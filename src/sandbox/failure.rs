//! From what wasmtime reports to how the attempt ended.

use std::fmt::Write as _;

use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::Ending;
use super::guest::Guest;
use crate::limit::{MESSAGE_BYTES_MAX, Name};
use crate::task::{Failure, Kind};
use crate::text::clean_line;

/// The most bytes of a function's name in a backtrace, and the most frames.
const FRAME_BYTES_MAX: usize = 96;
const FRAMES_MAX: usize = 12;

/// wasmtime's words for limits of its own, whose errors have no public type.
const HANDED_OVER: &str = "fuel allocated for hostcalls has been exhausted";
const HANDLES: &str = "store handle limit exceeded";
const PARTS: &str = "resource limit exceeded";

/// A failure past a limit: `used` of `max`, and what it was about.
pub(super) fn past(name: Name, what: &str, (used, max): (u64, u64)) -> Failure {
    let what = clean_line(what, MESSAGE_BYTES_MAX / 2);
    Failure::new(
        Kind::LimitExceeded(name),
        format!("{name}: {used} of {max} ({what})"),
    )
}

/// How the attempt of `guest` ended, which `error` cut short.
pub(super) fn ending(error: &wasmtime::Error, guest: &mut Guest) -> Ending {
    match guest.ended.take() {
        Some(end) => Ending::Ended(end),
        None => Ending::Failed(failure(error, guest)),
    }
}

fn failure(error: &wasmtime::Error, guest: &Guest) -> Failure {
    let limits = &guest.limits;
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::OutOfFuel) {
        let fuel = limits.fuel;
        return Failure::new(Kind::OutOfFuel, format!("fuel: {fuel} of {fuel} used"));
    }
    let cause = error.root_cause().to_string();
    let is_full = |error| matches!(error, &ResourceTableError::Full);
    if cause.contains(HANDLES) || error.downcast_ref().is_some_and(is_full) {
        let max = limits.handles;
        return past(Name::Handles, "held at once", (max + 1, max));
    }
    if cause.contains(HANDED_OVER) {
        let message = format!("output: more than {} handed over at once", limits.output);
        return Failure::new(Kind::LimitExceeded(Name::Output), message);
    }
    if cause.contains(PARTS) {
        let message = format!("instances: {}: {cause}", limits.instances);
        return Failure::new(Kind::LimitExceeded(Name::Instances), message);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::new(Kind::Host, "no slot is free for another guest");
    }
    if let Some(failure) = refused(error, guest) {
        return failure;
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        let message = format!("called exit({code}), which a tool must not: it returns");
        return Failure::new(Kind::Trap, message);
    }
    Failure::new(Kind::Trap, told(&cause, error))
}

/// Whether the guest gave up because it could not have more memory, or a larger table: then that
/// is what failed, not the abort that followed.
fn refused(error: &wasmtime::Error, guest: &Guest) -> Option<Failure> {
    let gave_up = match error.downcast_ref::<Trap>() {
        Some(trap) => matches!(
            trap,
            Trap::UnreachableCodeReached | Trap::MemoryOutOfBounds | Trap::TableOutOfBounds
        ),
        // An exit, or an instance that could not be made at all.
        None => true,
    };
    if !gave_up {
        return None;
    }
    if let Some(wanted) = guest.limiter.memory_refused() {
        let (held, max) = (guest.limiter.memory(), guest.limits.memory);
        let message = format!("memory: {held} of {max} bytes held, and {wanted} needed");
        return Some(Failure::new(Kind::OutOfMemory, message));
    }
    let wanted = guest.limiter.elements_refused()?;
    let max = guest.limits.table_elements;
    Some(past(Name::TableElements, "needed", (wanted, max)))
}

/// The message of a trap, with the functions that it happened in.
fn told(cause: &str, error: &wasmtime::Error) -> String {
    let mut message = clean_line(cause, MESSAGE_BYTES_MAX / 2);
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        for (at, frame) in trace.frames().iter().take(FRAMES_MAX).enumerate() {
            let name = frame.func_name();
            let name = clean_line(name.unwrap_or("?"), FRAME_BYTES_MAX);
            let lead = if at == 0 { " in " } else { " < " };
            // Writing to a string does not fail.
            let _ = write!(message, "{lead}`{name}`");
        }
    }
    clean_line(&message, MESSAGE_BYTES_MAX)
}
