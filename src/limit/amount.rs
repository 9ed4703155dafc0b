//! How people write amounts: `64MiB`, `1h30m`, `10G`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Unit;

/// A text that is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: write {example}")]
pub struct InvalidAmount {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// A number of bytes, written with a unit: `512KiB`, `64MiB`, `1GiB`, or `64MB` in powers of 1000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
    ("", 1),
];

const COUNTS: &[(&str, u64)] = &[
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("", 1),
];

const DURATIONS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl Unit {
    /// The amount that a person wrote.
    pub fn parse(self, text: &str) -> Result<u64, InvalidAmount> {
        match self {
            Self::Bytes => text.parse::<Size>().map(|size| size.0),
            Self::Millis => parse_duration(text).map(crate::clock::millis),
            Self::Fuel | Self::Count => parse_count(text),
        }
    }

    /// The amount for people.
    pub fn format(self, amount: u64) -> String {
        match self {
            Self::Bytes => Size(amount).to_string(),
            Self::Millis => format_duration(amount),
            Self::Fuel | Self::Count => format_count(amount),
        }
    }
}

impl FromStr for Size {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let (number, unit) = split(text);
        let factor = SIZES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        factor
            .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor))
            .map(Self)
            .ok_or_else(|| InvalidAmount {
                text: text.into(),
                what: "a size",
                example: "a whole number and B, KiB, MiB or GiB, like 64MiB",
            })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES
            .iter()
            .take(3)
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match whole {
            Some((unit, size)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// The number that `text` says, in thousands and more where it ends so: `5G`, `1_000`.
pub fn parse_count(text: &str) -> Result<u64, InvalidAmount> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = COUNTS.iter().find(|(name, _)| *name == unit);
    factor
        .and_then(|(_, factor)| {
            digits
                .replace('_', "")
                .parse::<u64>()
                .ok()?
                .checked_mul(*factor)
        })
        .ok_or_else(|| InvalidAmount {
            text: text.into(),
            what: "a number",
            example: "a whole number, or one with k, M, G or T, like 5G",
        })
}

/// The duration that `text` says in days, hours, minutes, seconds and milliseconds: `90s`, `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidAmount> {
    let invalid = || InvalidAmount {
        text: text.into(),
        what: "a duration",
        example: "whole numbers with d, h, m, s or ms, like 1h30m",
    };
    let (mut rest, mut total) = (text, 0_u64);
    while !rest.is_empty() {
        let (number, tail) = split(rest);
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let factor = DURATIONS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(invalid)?
            .1;
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(factor));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(invalid)?;
        rest = next;
    }
    if text.is_empty() {
        Err(invalid())
    } else {
        Ok(Duration::from_millis(total))
    }
}

/// Milliseconds as people write them: the two greatest units that are not zero.
pub fn format_duration(millis: u64) -> String {
    let (mut rest, mut parts) = (millis, Vec::new());
    for (unit, size) in DURATIONS.iter().rev() {
        let amount = rest / size;
        rest %= size;
        if amount > 0 && parts.len() < 2 {
            parts.push(format!("{amount}{unit}"));
        }
    }
    if parts.is_empty() {
        "0ms".into()
    } else {
        parts.join("")
    }
}

/// A whole number with its thousands set off.
pub fn format_count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The leading digits of `text`, and what follows them.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(parse_count(text).ok(), expect, "{text}");
        };
        check("0", Some(0));
        check("5G", Some(5_000_000_000));
        check("1_000", Some(1_000));
        for bad in ["", "G", "-1", "1.5G", "x", "99999999999G", "_"] {
            check(bad, None);
        }
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(text.parse::<Size>().ok(), expect.map(Size), "{text}");
        };
        check("64MiB", Some(64 << 20));
        check("64mib", Some(64 << 20));
        check("1500", Some(1_500));
        check("1kB", Some(1_000));
        for bad in ["", "MiB", "-1", "1.5GiB", "1 GiB", "99999999999GiB"] {
            check(bad, None);
        }
        assert_eq!(Size(64 << 20).to_string(), "64 MiB");
        assert_eq!(Size(1_500).to_string(), "1500 B");
    }

    #[test]
    fn durations() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(
                parse_duration(text).ok(),
                expect.map(Duration::from_millis),
                "{text}"
            );
        };
        check("90s", Some(90_000));
        check("1h30m", Some(5_400_000));
        check("250ms", Some(250));
        for bad in [
            "",
            "5",
            "s",
            "1.5s",
            "1h 30m",
            "5w",
            "99999999999999999999s",
        ] {
            check(bad, None);
        }
        assert_eq!(format_duration(5_400_000), "1h30m");
        assert_eq!(format_duration(0), "0ms");
        assert_eq!(format_count(1_234_567), "1,234,567");
        assert_eq!(format_count(12), "12");
    }
}
