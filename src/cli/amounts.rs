//! Limits, as they are typed and shown.

use crate::clock::millis;
use crate::limit::{self, Limit, Limits, Name, Size, Unenforceable, parse_count, parse_duration};

use super::error;

/// The limits that can be typed; the others have their defaults.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Amounts {
    /// Instructions that the task may use, like 5G
    #[arg(long, value_name = "N", value_parser = parse_count)]
    fuel: Option<u64>,
    /// Linear memory, like 64MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// Wall clock from acceptance, waits included, like 1h30m
    #[arg(long, value_name = "DURATION", value_parser = parse_millis)]
    deadline: Option<u64>,
    /// Wall clock at work, over all attempts
    #[arg(long, value_name = "DURATION", value_parser = parse_millis)]
    active: Option<u64>,
    /// How long the task may tidy up after it was asked to stop
    #[arg(long, value_name = "DURATION", value_parser = parse_millis)]
    grace: Option<u64>,
}

impl Amounts {
    /// `limits` with what was typed, if they can be enforced.
    pub(super) fn on(&self, limits: &Limits) -> anyhow::Result<Limits> {
        let limits = Limits {
            fuel: self.fuel.unwrap_or(limits.fuel),
            memory: self.memory.unwrap_or(limits.memory),
            deadline: self.deadline.unwrap_or(limits.deadline),
            active: self.active.unwrap_or(limits.active),
            grace: self.grace.unwrap_or(limits.grace),
            ..limits.clone()
        };
        let limits = limits.with_room_for_deadline();
        // The bounds of a deadline are its own, not those of the time to live that it implies.
        let deadline = limit::ALL.iter().find(|limit| limit.name == Name::Deadline);
        if let Some(bounds) = deadline.filter(|bounds| limits.deadline > bounds.max) {
            return Err(out_of_bounds(bounds, limits.deadline));
        }
        limits.check().map_err(|error| refused(&error))?;
        Ok(limits)
    }
}

fn refused(error: &Unenforceable) -> anyhow::Error {
    let Unenforceable::OutOfBounds { name, value, .. } = error else {
        return error::input(error.to_string(), "ask for less time");
    };
    match limit::ALL.iter().find(|limit| limit.name == *name) {
        Some(bounds) => out_of_bounds(bounds, *value),
        None => error::input(error.to_string(), "`stepwell run --help` lists the limits"),
    }
}

fn out_of_bounds(bounds: &Limit, value: u64) -> anyhow::Error {
    let (name, unit) = (bounds.name, bounds.unit);
    let [value, min, max] = [value, bounds.min, bounds.max].map(|amount| unit.format(amount));
    let message = format!("--{name} must be between {min} and {max}, not {value}");
    let usual = unit.format(bounds.default);
    error::input(message, format!("without --{name} it is {usual}"))
}

/// A size that was measured, to three digits or so.
pub(super) fn about(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => {
            let tenths = bytes.saturating_mul(10) / size;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

fn parse_size(text: &str) -> Result<u64, limit::InvalidAmount> {
    text.parse::<Size>().map(|size| size.0)
}

pub(super) fn parse_millis(text: &str) -> Result<u64, limit::InvalidAmount> {
    parse_duration(text).map(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(about(1_572_864), "1.5 MiB");
        assert_eq!(about(12), "12 B");
    }
}
