//! `[limits]`, of everything, of a component or of a tool: what a task may use.

use super::Runtime;
use super::table::Table;
use crate::limit::{self, Limits, Name, Unenforceable, Unit};

/// The limits of everything.
pub(super) fn section(table: &mut Table<'_>, runtime: &Runtime) -> Limits {
    let usual = Limits::default();
    let limits = read(table, &usual);
    checked(table, limits, runtime).unwrap_or(usual)
}

/// `usual` with what the table says otherwise.
pub(super) fn overrides(table: &mut Table<'_>, usual: &Limits, runtime: &Runtime) -> Limits {
    let limits = read(table, usual);
    if limits == *usual {
        // What is wrong with it was told where it is written.
        return limits;
    }
    checked(table, limits, runtime).unwrap_or_else(|| usual.clone())
}

fn read(table: &mut Table<'_>, usual: &Limits) -> Limits {
    let mut limits = usual.clone();
    for bounds in limit::ALL {
        let (name, range) = (bounds.name, (bounds.min, bounds.max));
        if let Some(amount) = table.amount(name.as_str(), bounds.unit, range) {
            limits.set(name, amount);
        }
    }
    // Whoever asks for a late deadline means the record to be kept for as long.
    if table.has(Name::Deadline.as_str()) && !table.has(Name::Ttl.as_str()) {
        limits = limits.with_room_for_deadline();
    }
    limits
}

/// The limits, if they can be enforced and a task could ever be loaded.
fn checked(table: &Table<'_>, limits: Limits, runtime: &Runtime) -> Option<Limits> {
    if let Err(error) = limits.check() {
        refuse(table, &error);
        return None;
    }
    if let Some(max) = runtime.memory_max.filter(|max| limits.memory > *max) {
        let [memory, max] = [limits.memory, max].map(|size| Unit::Bytes.format(size));
        let message = format!("it must be at most runtime.memory_max, {max}, not {memory}");
        let place = table.place(Name::Memory.as_str());
        table.source().wrong(place, message);
        return None;
    }
    Some(limits)
}

fn refuse(table: &Table<'_>, error: &Unenforceable) {
    let (key, message) = match error {
        // Whatever the file says was held to the bounds: only the ttl can have been lengthened.
        Unenforceable::OutOfBounds { name, .. } => (*name, error.to_string()),
        Unenforceable::JournalTooSmall {
            journal,
            step_output,
        } => {
            let [journal, output] = [*journal, *step_output].map(|size| Unit::Bytes.format(size));
            let message = format!("it must be at least step_output, {output}, not {journal}");
            (Name::Journal, message)
        }
        Unenforceable::DeadlinePastTtl {
            deadline,
            deadline_max,
        } => {
            let [deadline, most] = [*deadline, *deadline_max].map(|time| Unit::Millis.format(time));
            let message = format!("it must be at most ttl less one hour, {most}, not {deadline}");
            (Name::Deadline, message)
        }
    };
    table.source().wrong(table.place(key.as_str()), message);
}
