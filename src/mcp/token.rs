//! What a client is given to hand back: the state of a call that asked something.
//!
//! It names the task and is bound to who called, so nobody can make one up, change one, or use
//! another's. It holds nothing else: what is known of the task is in the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use blake3::{Hash, Hasher};

use super::Error;
use crate::id::{Principal, TaskId};
use crate::task::Record;

const ID: usize = 16;
const ROUND: usize = 8;

/// The secret of this server.
pub(super) struct Secret([u8; 32]);

impl Secret {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The token of a task as it is now: each round of questions has one of its own.
    pub(super) fn seal(&self, record: &Record) -> String {
        let mut bytes = record.id.as_bytes().to_vec();
        bytes.extend(record.seq.to_be_bytes());
        let mac = self.mac(&bytes, &record.spec.owner);
        bytes.extend(mac.as_bytes());
        BASE64.encode(bytes)
    }

    /// The task of a token that was given to `who`.
    pub(super) fn open(&self, token: &str, who: &Principal) -> Result<TaskId, Error> {
        let opened = || {
            let bytes = BASE64.decode(token).ok()?;
            let (named, mac) = bytes.split_at_checked(ID + ROUND)?;
            let mac: [u8; blake3::OUT_LEN] = mac.try_into().ok()?;
            // Compared in constant time, as hashes are.
            let is_whole = self.mac(named, who) == Hash::from_bytes(mac);
            let id = named.first_chunk().filter(|_| is_whole)?;
            Some(TaskId::from_bytes(*id))
        };
        opened().ok_or_else(|| {
            Error::invalid_params("params.requestState: it was not given to this caller")
        })
    }

    fn mac(&self, named: &[u8], who: &Principal) -> Hash {
        let parts: [&[u8]; 6] = [
            b"stepwell.request-state/1",
            who.tenant.as_str().as_bytes(),
            who.issuer.as_bytes(),
            who.subject.as_bytes(),
            who.client.as_bytes(),
            named,
        ];
        let mut mac = Hasher::new_keyed(&self.0);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize()
    }
}
