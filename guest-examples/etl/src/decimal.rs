//! Exact decimal numbers with six places: sums do not depend on how the work is cut into
//! chunks, and a state that is written and read is the same state.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const PLACES: usize = 6;
const ONE: i128 = 1_000_000;

/// A number of millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

impl Decimal {
    /// Reads `-12.5`; `None` for what is no number, or has more than 12 digits before the
    /// point or 6 after it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let mut value = 0_i64;
        let mut before = 0;
        let mut after = None;
        for byte in digits {
            match (byte, &mut after) {
                (b'0'..=b'9', None) if before < 12 => before += 1,
                (b'0'..=b'9', Some(places)) if *places < PLACES => *places += 1,
                (b'.', None) => {
                    after = Some(0);
                    continue;
                }
                _ => return None,
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        if before == 0 {
            return None;
        }
        for _ in after.unwrap_or(0)..PLACES {
            value *= 10;
        }
        Some(Self(i128::from(if is_negative { -value } else { value })))
    }
}

impl AddAssign for Decimal {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.abs() / ONE, self.0.abs() % ONE);
        write!(f, "{sign}{whole}")?;
        if rest != 0 {
            write!(f, ".{}", format!("{rest:06}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// As a text: a sum may have more digits than a number in JSON keeps.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (text, expected) in [
            ("12", Some("12")),
            ("-0.50", Some("-0.5")),
            ("+1.000001", Some("1.000001")),
            ("3.", Some("3")),
            ("999999999999.999999", Some("999999999999.999999")),
            ("1000000000000", None),
            ("1.0000001", None),
            (".5", None),
            ("1e3", None),
            ("", None),
            ("1.2.3", None),
        ] {
            let read = Decimal::parse(text.as_bytes()).map(|number| number.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_sum_is_read_as_it_was_written() {
        let mut sum = Decimal::default();
        for _ in 0..1000 {
            sum += Decimal::parse(b"999999999999.999999").unwrap();
        }
        let json = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), sum);
    }
}
