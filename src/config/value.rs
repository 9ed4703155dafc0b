//! Single values, as they are typed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use crate::clock::Timestamp;
use crate::id::{Digest, TenantId};
use crate::limit::Unit;

/// The most bytes of a wrong text that are shown.
const SHOWN_MAX: usize = 128;

/// What a digest begins with.
const SHA256: &str = "sha256:";

/// That a value is not what is wanted.
pub(super) fn not(wanted: &str, value: &DeValue<'_>) -> String {
    let found = match value {
        DeValue::String(text) => format!("\"{}\"", crate::text::clean_line(text, SHOWN_MAX)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    };
    format!("it must be {wanted}, not {found}")
}

pub(super) fn text<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| not("a text in quotes", value))
}

pub(super) fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| not("true or false", value))
}

/// An amount between `least` and `most`. One that counts time has to have a unit.
pub(super) fn amount(
    value: &DeValue<'_>,
    unit: Unit,
    (least, most): (u64, u64),
) -> Result<u64, String> {
    let (shown_least, shown_most) = (unit.format(least), unit.format(most));
    let bounds = || format!("between {shown_least} and {shown_most}");
    let amount = match value {
        DeValue::String(text) => unit.parse(text).map_err(|error| error.to_string())?,
        DeValue::Integer(number) if unit != Unit::Millis => {
            u64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| not(&bounds(), value))?
        }
        _ if unit == Unit::Millis => return Err(not("a duration like \"1h30m\"", value)),
        _ if unit == Unit::Bytes => return Err(not("a size like \"64MiB\"", value)),
        _ => return Err(not("a whole number, or one like \"5G\"", value)),
    };
    if (least..=most).contains(&amount) {
        return Ok(amount);
    }
    Err(format!(
        "it must be {}, not {}",
        bounds(),
        unit.format(amount)
    ))
}

/// An address to listen at. A name is none: it may come to mean another machine.
pub(super) fn address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let text = text(value)?;
    text.parse()
        .map_err(|_| not("an IP address and a port, like \"127.0.0.1:7357\"", value))
}

/// A path; a relative one is relative to `folder`.
pub(super) fn path(value: &DeValue<'_>, folder: &Path) -> Result<PathBuf, String> {
    match text(value)? {
        "" => Err("it must be a path, not empty".into()),
        path => Ok(folder.join(path)),
    }
}

pub(super) fn digest(value: &DeValue<'_>) -> Result<Digest, String> {
    let text = text(value)?;
    let digest = text.strip_prefix(SHA256).and_then(|hex| hex.parse().ok());
    // What was found is not shown: it may be the key itself, put into the wrong place.
    digest.ok_or_else(|| "it must be `sha256:` and 64 hexadecimal digits".into())
}

pub(super) fn tenant(value: &DeValue<'_>) -> Result<TenantId, String> {
    tenant_name(text(value)?)
}

pub(super) fn tenant_name(name: &str) -> Result<TenantId, String> {
    TenantId::try_from(name.to_owned()).map_err(|error| error.to_string())
}

/// A time, as a text or as TOML's own.
pub(super) fn time(value: &DeValue<'_>) -> Result<Timestamp, String> {
    let time = match value {
        DeValue::String(text) => text.parse::<Timestamp>(),
        DeValue::Datetime(time) => time.to_string().parse(),
        _ => return Err(not("a time like 2027-01-31T00:00:00Z", value)),
    };
    time.map_err(|error| error.to_string())
}

/// One of some words.
pub(super) fn word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, String> {
    let found = text(value).ok();
    let found = found.and_then(|text| words.iter().find(|(word, _)| *word == text));
    match found {
        Some((_, meant)) => Ok(*meant),
        None => {
            let words = words.iter().map(|(word, _)| format!("\"{word}\""));
            let words = words.collect::<Vec<_>>().join(" or ");
            Err(not(&words, value))
        }
    }
}
