//! API keys: `sw_ID_SECRET`, of which only the SHA-256 is kept.
//!
//! The secret has 256 random bits, so that a plain digest is enough: there is nothing to guess, and
//! nothing to slow down.

use std::collections::HashMap;
use std::fmt;

use subtle::ConstantTimeEq as _;

use super::Caller;
use crate::clock::Timestamp;
use crate::config::Key;
use crate::id::{Digest, Principal};

/// What every key begins with, so that a leaked one is known for what it is.
const PREFIX: &str = "sw_";

/// The characters of the secret: 32 bytes, six bits in each.
const SECRET_LEN: usize = 43;

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A key as it is presented. It is shown nowhere but where it was asked for.
#[derive(Clone)]
pub struct Secret(String);

/// A key that was just made.
#[derive(Clone, Debug)]
pub struct Minted {
    /// What it is called.
    pub id: String,
    /// It. Nobody can read it back later.
    pub key: Secret,
    /// What is kept of it.
    pub digest: Digest,
}

/// The keys that are configured.
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<String, Key>);

/// What came of a key that was presented. Only [`Self::Found`] lets anybody in, and the others are
/// for the audit: outside they all look the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// It is good.
    Found(Caller),
    /// It is none of ours.
    Unknown,
    /// It was good until it was revoked: its id.
    Revoked(String),
    /// It was good until its time was over: its id.
    Expired(String),
    /// It does not look like a key.
    Malformed,
}

impl Secret {
    /// Takes what was presented.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Its id, if it looks like a key.
    fn id(&self) -> Option<&str> {
        let (id, secret) = self.0.strip_prefix(PREFIX)?.split_once('_')?;
        let is_secret =
            secret.len() == SECRET_LEN && secret.bytes().all(|c| BASE64URL.contains(&c));
        (Key::is_id(id) && is_secret).then_some(id)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Minted {
    /// A new key, called `id`.
    pub fn new(id: &str) -> Result<Self, std::io::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let key = Secret(format!("{PREFIX}{id}_{}", base64url(&bytes)));
        let digest = key.digest();
        let id = id.to_owned();
        Ok(Self { id, key, digest })
    }

    /// A new key with an id that no other has.
    pub fn with_any_id() -> Result<Self, std::io::Error> {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes)?;
        let id = bytes.map(|byte| format!("{byte:02x}")).concat();
        Self::new(&id)
    }
}

impl Keys {
    /// The keys of a configuration.
    pub fn new(keys: &[Key]) -> Self {
        Self(
            keys.iter()
                .map(|key| (key.id.clone(), key.clone()))
                .collect(),
        )
    }

    /// Whether there is none, so that everybody who gets here is the local user.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks a key up that was presented at `now`. That it is revoked or expired is told only of
    /// the key itself, and not of one that only has its id.
    pub fn find(&self, presented: &Secret, now: Timestamp) -> Lookup {
        let Some(id) = presented.id() else {
            return Lookup::Malformed;
        };
        let key = self.0.get(id);
        // Also where there is no such id: how long it takes does not tell which there are.
        let kept = key.map_or([0; 32], |key| key.digest.0);
        let is_same = bool::from(presented.digest().0.ct_eq(&kept));
        match key.filter(|_| is_same) {
            None => Lookup::Unknown,
            Some(key) if key.revoked => Lookup::Revoked(key.id.clone()),
            Some(key) if key.expires.is_some_and(|end| end <= now) => {
                Lookup::Expired(key.id.clone())
            }
            Some(key) => Lookup::Found(caller(key)),
        }
    }
}

fn caller(key: &Key) -> Caller {
    Caller {
        principal: Principal {
            tenant: key.tenant.clone(),
            issuer: "key".into(),
            subject: key.subject.as_str().into(),
            client: "api".into(),
        },
        role: key.role,
    }
}

/// The bytes in the alphabet of RFC 4648 that URLs and file names take, without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = chunk
            .iter()
            .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        bits <<= 8 * (3 - chunk.len());
        for place in 0..=chunk.len() {
            let digit = bits >> (18 - 6 * place) & 0x3f;
            text.extend(BASE64URL.get(digit).copied().map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests;
