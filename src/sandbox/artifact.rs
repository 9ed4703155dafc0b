//! Compiled components: native code, so whoever can put one before the loader owns the process.
//!
//! A compiled form is loaded only as [`Verified`], which is made by the compiler itself or by
//! [`Key::open`] from bytes that carry its seal; and those very bytes are what is loaded.

use blake3::{Hash, Hasher};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::id::Digest;

/// The bytes of a seal, which lead a sealed form.
const SEAL_BYTES: usize = 32;

/// A compiled component that nobody tampered with.
#[derive(Clone)]
pub struct Verified {
    bytes: Vec<u8>,
    /// Where the compiled form begins in them: behind its seal, if it has one.
    start: usize,
}

/// A secret of this host, under which compiled forms are kept.
pub struct Key([u8; 32]);

impl Verified {
    /// What the compiler returned, in this process.
    pub(super) fn compiled(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }

    fn form(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Makes the component that these bytes are.
    pub(super) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        #[expect(
            unsafe_code,
            reason = "deserialize trusts its bytes to be what this engine's compiler wrote; a \
                      `Verified` is made of nothing else: by the compiler, or from bytes whose \
                      seal was checked in memory, with no file read again in between"
        )]
        // SAFETY: see the reason above. That the form is of this version and configuration is
        // checked by wasmtime, which has the full version in the form (`engine`).
        unsafe {
            Component::deserialize(engine, self.form())
        }
    }
}

impl Key {
    /// The key of these bytes, which must be random and secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Another secret, for one purpose: it says nothing of this one.
    pub fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let context = Digest::of_parts(&[b"derive", purpose]).0;
        self.mac(&[], &context).into()
    }

    /// The compiled form with a seal before it, to be kept where others may write. `context` says
    /// what it is the form of: it opens in the same context only.
    pub fn seal(&self, compiled: &Verified, context: &[u8]) -> Vec<u8> {
        let seal = self.mac(compiled.form(), context);
        let mut sealed = Vec::with_capacity(SEAL_BYTES + compiled.form().len());
        sealed.extend_from_slice(seal.as_bytes());
        sealed.extend_from_slice(compiled.form());
        sealed
    }

    /// The compiled form, if the seal is this key's for these bytes and this context.
    pub fn open(&self, sealed: Vec<u8>, context: &[u8]) -> Option<Verified> {
        let (seal, compiled) = sealed.split_first_chunk::<SEAL_BYTES>()?;
        // Compared in constant time, as hashes are.
        let is_whole = self.mac(compiled, context) == Hash::from_bytes(*seal);
        is_whole.then_some(Verified {
            bytes: sealed,
            start: SEAL_BYTES,
        })
    }

    /// BLAKE3 with a key: a component's form has megabytes, and all of them are checked at a start.
    fn mac(&self, compiled: &[u8], context: &[u8]) -> Hash {
        let mut mac = Hasher::new_keyed(&self.0);
        mac.update(&(context.len() as u64).to_be_bytes());
        mac.update(context);
        mac.update(compiled);
        mac.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_key_its_context_and_every_byte() {
        let key = Key::new([7; 32]);
        let sealed = key.seal(&Verified::compiled(b"native code".to_vec()), b"digest");
        let open = |key: &Key, sealed: &[u8], context: &[u8]| {
            key.open(sealed.to_vec(), context)
                .map(|verified| verified.form().to_vec())
        };
        assert_eq!(open(&key, &sealed, b"digest").unwrap(), b"native code");
        assert!(open(&Key::new([8; 32]), &sealed, b"digest").is_none());
        assert!(open(&key, &sealed, b"another").is_none());
        assert!(open(&key, &sealed[..31], b"digest").is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, &changed, b"digest").is_none(), "byte {at}");
        }
    }
}
