//! `[http]`: how HTTP is served.

use std::time::Duration;

use toml::de::DeValue;

use super::table::Table;
use super::value;
use crate::limit::Unit;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// How HTTP is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// The hosts that a request may name, in lower case, with or without a port, besides those of
    /// the loopback: another one is a name that an attacker let point here.
    pub allowed_hosts: Vec<String>,
    /// The origins whose pages may ask, in lower case, besides those of the loopback.
    pub allowed_origins: Vec<String>,
    /// The most bytes of a request's body.
    pub body_max: u64,
    /// The most connections at once.
    pub connections_max: usize,
    /// How long the head of a request may take to arrive, counted from the end of the one before:
    /// so a connection on which nothing is asked is kept that long, too.
    pub header_timeout: Duration,
    /// How often something is sent on a stream that has no news, so that nothing on the way takes
    /// it for dead.
    pub stream_keep_alive: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            body_max: 4 * MIB,
            connections_max: 4_096,
            header_timeout: Duration::from_secs(30),
            stream_keep_alive: Duration::from_secs(15),
        }
    }
}

impl Http {
    pub(super) fn section(table: &mut Table<'_>) -> Self {
        let usual = Self::default();
        Self {
            allowed_hosts: table.list("allowed_hosts", host),
            allowed_origins: table.list("allowed_origins", origin),
            body_max: table
                .amount("body_max", Unit::Bytes, (KIB, 64 * MIB))
                .unwrap_or(usual.body_max),
            connections_max: table.count("connections_max", usual.connections_max, (1, 65_536)),
            header_timeout: table.duration(
                "header_timeout",
                usual.header_timeout,
                (1_000, 600_000),
            ),
            stream_keep_alive: table.duration(
                "stream_keep_alive",
                usual.stream_keep_alive,
                (1_000, 300_000),
            ),
        }
    }
}

/// A host as a request names it: `stepwell.example`, `[::1]`, `10.0.0.7:8080`.
fn host(value: &DeValue<'_>) -> Result<String, String> {
    let host = value::text(value)?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if !host.is_empty() && host.chars().all(is_host) {
        return Ok(host.to_ascii_lowercase());
    }
    Err(value::not(
        "a host, with or without a port, like \"stepwell.example:8080\"",
        value,
    ))
}

/// An origin as a browser names it: a scheme and a host, without a path.
fn origin(value: &DeValue<'_>) -> Result<String, String> {
    let origin = value::text(value)?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_host = |c: char| c.is_ascii_graphic() && !"/?#@*".contains(c);
    match origin.split_once("://") {
        Some((scheme, host))
            if !scheme.is_empty()
                && scheme.chars().all(is_scheme)
                && !host.is_empty()
                && host.chars().all(is_host) =>
        {
            Ok(origin.to_ascii_lowercase())
        }
        _ => Err(value::not(
            "an origin without a path, like \"https://app.example\"",
            value,
        )),
    }
}
