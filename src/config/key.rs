//! `[[keys]]`: who may ask.

use std::fmt;

use toml::de::DeValue;

use super::table::Table;
use super::value;
use crate::clock::Timestamp;
use crate::id::{Digest, TenantId};
use crate::text::clean;

/// An API key, of which only the digest is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// What it is called, in the key itself, in the log and in the audit.
    pub id: String,
    /// The SHA-256 of the whole key, as it is presented.
    pub digest: Digest,
    /// The tenant that it speaks in.
    pub tenant: TenantId,
    /// Whom it speaks for. Keys of the same subject own the same tasks.
    pub subject: String,
    /// What it may do.
    pub role: Role,
    /// Whether it is refused from now on.
    pub revoked: bool,
    /// When it is refused from.
    pub expires: Option<Timestamp>,
}

/// What a caller may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Call tools, and do with the tasks that come of it what there is to do.
    Caller,
    /// Look at all tasks of the tenant, and change nothing.
    Reader,
    /// What a caller may; and see, change and cancel all tasks of the tenant.
    Administrator,
}

impl Role {
    /// All of them, with the words for them.
    pub const ALL: [(&'static str, Self); 3] = [
        ("caller", Self::Caller),
        ("reader", Self::Reader),
        ("administrator", Self::Administrator),
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Reader => "reader",
            Self::Administrator => "administrator",
        })
    }
}

impl Key {
    /// The rule for ids, in words.
    pub const ID_RULE: &str = "1 to 32 characters of a-z, 0-9 and -";

    /// The rule for subjects, in words.
    pub const SUBJECT_RULE: &str = "1 to 128 bytes of visible characters on one line";

    /// Whether a text may be the id of a key. It holds no `_`, which ends it in the key.
    pub fn is_id(text: &str) -> bool {
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        (1..=32).contains(&text.len()) && text.bytes().all(is_plain)
    }

    /// Whether a text may be the subject of a key.
    pub fn is_subject(text: &str) -> bool {
        let is_plain = !text.contains(['\t', '\n']) && text.trim() == text;
        is_plain && !text.is_empty() && clean(text, 128) == text
    }
}

pub(super) fn section(root: &mut Table<'_>) -> Vec<Key> {
    let mut seen = Vec::<(String, usize)>::new();
    let keys = root.tables("keys", |table| {
        let key = key(table)?;
        let place = table.place("id");
        let twice = seen.iter().find(|(id, _)| *id == key.id);
        if let Some((id, line)) = twice {
            let message = format!("the key of line {line} is called `{id}`, too");
            table.source().wrong(place, message);
        } else {
            seen.push((key.id.clone(), place.line));
        }
        Some(key)
    });
    keys.into_iter().flatten().collect()
}

fn key(table: &mut Table<'_>) -> Option<Key> {
    let id = table.require("id", id);
    let digest = table.require("digest", value::digest);
    let tenant = table.require("tenant", value::tenant);
    let subject = table.require("subject", subject);
    let role = table.read("role", |value| value::word(value, &Role::ALL));
    let revoked = table.read("revoked", value::flag);
    let expires = table.read("expires", value::time);
    Some(Key {
        id: id?,
        digest: digest?,
        tenant: tenant?,
        subject: subject?,
        role: role.unwrap_or(Role::Caller),
        revoked: revoked.unwrap_or(false),
        expires,
    })
}

fn id(value: &DeValue<'_>) -> Result<String, String> {
    let id = value::text(value)?;
    if Key::is_id(id) {
        return Ok(id.to_owned());
    }
    Err(value::not(Key::ID_RULE, value))
}

fn subject(value: &DeValue<'_>) -> Result<String, String> {
    let subject = value::text(value)?;
    if Key::is_subject(subject) {
        return Ok(subject.to_owned());
    }
    Err(value::not(Key::SUBJECT_RULE, value))
}
