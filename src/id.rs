//! Identities: of tasks, tenants, principals, components and checkpoints.
//!
//! Everything that is named outside is named by one of these types, so that a task's id can't be
//! taken for a digest, nor one tenant's name for another's. This module knows no store and no
//! protocol; it only parses and prints.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The id of a task: a UUID v4, of which 122 bits are random.
///
/// Clients that hold an id can ask for the task, so it must not be guessable; a time-ordered UUID
/// would be, within its millisecond. Lists are ordered by an index of time and id instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(Uuid);

impl TaskId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The 16 bytes that stand in the store's keys.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that these bytes of a key stand for.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for TaskId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId {
            what: "task id",
            rule: "a UUID",
        })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom usage is charged to and capped for: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The most characters a tenant's name has.
    pub const LEN_MAX: usize = 64;

    /// The tenant of whoever runs Stepwell on a machine of their own.
    pub fn local() -> Self {
        Self("local".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidId;

    fn try_from(name: String) -> Result<Self, InvalidId> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
        if (1..=Self::LEN_MAX).contains(&name.len()) && name.bytes().all(allowed) {
            return Ok(Self(name.into()));
        }
        Err(InvalidId {
            what: "tenant",
            rule: "1 to 64 characters of a-z, 0-9, - and _",
        })
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> Self {
        tenant.0.as_ref().into()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks: a subject as its issuer names it, through a client, in one tenant.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Principal {
    /// The tenant that the principal belongs to.
    pub tenant: TenantId,
    /// Who vouches for the subject.
    pub issuer: Arc<str>,
    /// Who it is, in the issuer's words.
    pub subject: Arc<str>,
    /// The program that speaks for the subject.
    pub client: Arc<str>,
}

impl Principal {
    /// The user of this machine.
    pub fn local() -> Self {
        Self {
            tenant: TenantId::local(),
            issuer: "local".into(),
            subject: "user".into(),
            client: "cli".into(),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.issuer, self.subject)
    }
}

/// A task as the store knows it: the tenant leads every key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TaskKey {
    /// Whose task it is.
    pub tenant: TenantId,
    /// Which of the tenant's.
    pub id: TaskId,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.id)
    }
}

/// A SHA-256: of a component's bytes (then it is the component's identity), or of a step's input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of several parts, each led by its length so that none can run into the next.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The first half in hexadecimal: 128 bits, enough for a key that only has to be unique.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(32);
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId {
            what: "digest",
            rule: "64 hexadecimal digits",
        };
        if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(invalid);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid.clone())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid.clone())?;
        }
        Ok(Self(bytes))
    }
}

/// The id of a checkpoint, unique within its task: `cp-` and the place in the journal at which it
/// was saved, which no other checkpoint of the task ever has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CheckpointId(pub u64);

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cp-{}", self.0)
    }
}

impl FromStr for CheckpointId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix("cp-")
            .filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or(InvalidId {
                what: "checkpoint id",
                rule: "`cp-` and a number",
            })
    }
}

/// A text that is not the id it was taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: it is {rule}")]
pub struct InvalidId {
    /// What was expected.
    pub what: &'static str,
    /// How one is written.
    pub rule: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text() {
        let id = TaskId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        let digest = Digest::of(b"stepwell");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("cp-17".parse(), Ok(CheckpointId(17)));
        assert!("cp-+1".parse::<CheckpointId>().is_err());
        assert!("cp-".parse::<CheckpointId>().is_err());
        assert!("x".repeat(64).parse::<Digest>().is_err());
    }

    #[test]
    fn a_tenant_is_a_plain_name() {
        assert!(TenantId::try_from("acme-1".to_owned()).is_ok());
        for bad in ["", "Acme", "a/b", &"a".repeat(65)] {
            assert!(TenantId::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(
            Digest::of_parts(&[b"ab", b"c"]),
            Digest::of_parts(&[b"a", b"bc"])
        );
    }
}
