//! The registry's folder.
//!
//! ```text
//! key                            the secret that compiled forms are sealed with, for the owner only
//! components/<digest>.wasm       components as they were added
//! compiled/<digest>-<version>    compiled forms, sealed
//! quarantine/<digest>            why a component is not run any more
//! ```
//!
//! A file is written aside, synced and renamed, so it is there whole or not at all.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};

use cap_std::fs::{Dir, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use uuid::Uuid;

use super::Error;
use crate::id::Digest;
use crate::sandbox::{Key, Verified};

const COMPONENTS: &str = "components";
const COMPILED: &str = "compiled";
const QUARANTINE: &str = "quarantine";
const KEY: &str = "key";
/// Leads the names of files that are being written.
const ASIDE: &str = ".aside-";

/// The folder, open.
pub(super) struct Shelf {
    components: Dir,
    compiled: Dir,
    quarantine: Dir,
    key: Key,
}

impl Shelf {
    pub(super) fn open(folder: &Dir) -> Result<Self, Error> {
        let open = |name| -> io::Result<Dir> {
            folder.create_dir_all(name)?;
            let folder = folder.open_dir(name)?;
            sweep(&folder)?;
            Ok(folder)
        };
        Ok(Self {
            components: open(COMPONENTS).map_err(failed("opening the components"))?,
            compiled: open(COMPILED).map_err(failed("opening the compiled components"))?,
            quarantine: open(QUARANTINE).map_err(failed("opening the quarantine"))?,
            key: key(folder).map_err(failed("opening the key of compiled components"))?,
        })
    }

    /// A secret for one purpose.
    pub(super) fn secret(&self, purpose: &[u8]) -> [u8; 32] {
        self.key.derive(purpose)
    }

    /// The bytes of a component, as they were added.
    pub(super) fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let read = read(&self.components, &component_name(digest));
        let read = read.map_err(failed("reading a component"))?;
        match read {
            Some(bytes) if Digest::of(&bytes) != *digest => Err(Error::Damaged(*digest)),
            read => Ok(read),
        }
    }

    pub(super) fn has_component(&self, digest: &Digest) -> bool {
        self.components.exists(component_name(digest))
    }

    pub(super) fn keep_component(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        if self.component(digest).is_ok_and(|kept| kept.is_some()) {
            return Ok(());
        }
        write(&self.components, &component_name(digest), bytes)
            .map_err(failed("keeping a component"))
    }

    pub(super) fn components(&self) -> Result<Vec<Digest>, Error> {
        let names = names(&self.components).map_err(failed("listing the components"))?;
        let digests = names
            .iter()
            .filter_map(|name| name.strip_suffix(".wasm")?.parse().ok());
        Ok(digests.collect())
    }

    /// The compiled form of this version, if it is kept and nobody changed it.
    pub(super) fn compiled(
        &self,
        digest: &Digest,
        version: &str,
    ) -> Result<Option<Verified>, Error> {
        let read = read(&self.compiled, &compiled_name(digest, version));
        let Some(sealed) = read.map_err(failed("reading a compiled component"))? else {
            return Ok(None);
        };
        let verified = self.key.open(sealed, &context(digest, version));
        if verified.is_none() {
            tracing::debug!(%digest, "a kept form was changed: compiled again");
        }
        Ok(verified)
    }

    /// Keeps the compiled form, and none of another version.
    pub(super) fn keep_compiled(
        &self,
        digest: &Digest,
        version: &str,
        compiled: &Verified,
    ) -> Result<(), Error> {
        let failed = failed("keeping a compiled component");
        self.forget_compiled(digest).map_err(&failed)?;
        let sealed = self.key.seal(compiled, &context(digest, version));
        write(&self.compiled, &compiled_name(digest, version), &sealed).map_err(failed)
    }

    pub(super) fn forget(&self, digest: &Digest) -> Result<(), Error> {
        self.forget_compiled(digest)
            .and_then(|()| remove(&self.components, &component_name(digest)))
            .map_err(failed("forgetting a component"))
    }

    fn forget_compiled(&self, digest: &Digest) -> io::Result<()> {
        let lead = format!("{digest}-");
        let names = names(&self.compiled)?;
        let mut of_it = names.iter().filter(|name| name.starts_with(&lead));
        of_it.try_for_each(|name| remove(&self.compiled, name))
    }

    pub(super) fn quarantined(&self) -> Result<HashMap<Digest, String>, Error> {
        let failed = failed("reading the quarantine");
        let mut quarantined = HashMap::new();
        for name in names(&self.quarantine).map_err(&failed)? {
            let Ok(digest) = name.parse() else {
                continue;
            };
            let reason = read(&self.quarantine, &name).map_err(&failed)?;
            let reason = String::from_utf8_lossy(&reason.unwrap_or_default()).into_owned();
            quarantined.insert(digest, reason);
        }
        Ok(quarantined)
    }

    pub(super) fn quarantine(&self, digest: &Digest, reason: &str) -> Result<(), Error> {
        write(&self.quarantine, &digest.to_string(), reason.as_bytes())
            .map_err(failed("noting a quarantine"))
    }

    pub(super) fn release(&self, digest: &Digest) -> Result<(), Error> {
        remove(&self.quarantine, &digest.to_string()).map_err(failed("lifting a quarantine"))
    }
}

fn component_name(digest: &Digest) -> String {
    format!("{digest}.wasm")
}

fn compiled_name(digest: &Digest, version: &str) -> String {
    format!("{digest}-{version}")
}

/// What a seal holds for: the form of one component, made by one version. The number is that of the
/// seal itself: with another than it was made with it does not hold.
fn context(digest: &Digest, version: &str) -> Vec<u8> {
    Digest::of_parts(&[b"stepwell.compiled/2", &digest.0, version.as_bytes()])
        .0
        .to_vec()
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { what, source }
}

/// The key in `folder`. One that others could read is replaced: what it sealed is compiled again.
fn key(folder: &Dir) -> io::Result<Key> {
    if let Ok(meta) = folder.metadata(KEY) {
        // The owner's bits of the mode are above the six of everybody else.
        let kept: Option<[u8; 32]> = read(folder, KEY)?.and_then(|key| key.try_into().ok());
        match kept {
            Some(key) if meta.mode().trailing_zeros() >= 6 => return Ok(Key::new(key)),
            _ => tracing::warn!("the key of compiled components is not secret: made anew"),
        }
    }
    let random = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let random: Vec<&[u8]> = random.iter().map(|id| id.as_bytes().as_slice()).collect();
    let key = Digest::of_parts(&random).0;
    write(folder, KEY, &key)?;
    Ok(Key::new(key))
}

fn read(folder: &Dir, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match folder.open(name) {
        Ok(mut file) => file.read_to_end(&mut bytes).map(|_| Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file that is there whole or not at all, for the owner only.
fn write(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = format!("{ASIDE}{}", Uuid::new_v4());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = folder.open_with(&aside, &options).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let kept = written.and_then(|()| folder.rename(&aside, folder, name));
    if kept.is_err() {
        // What can't be removed now is swept away at the next start.
        let _ = folder.remove_file(&aside);
    }
    kept.and_then(|()| sync(folder))
}

fn remove(folder: &Dir, name: &str) -> io::Result<()> {
    match folder.remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync(folder),
    }
}

/// Makes what was renamed or removed durable.
fn sync(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Removes what a process that crashed was writing.
fn sweep(folder: &Dir) -> io::Result<()> {
    let names = names(folder)?;
    let mut aside = names.iter().filter(|name| name.starts_with(ASIDE));
    aside.try_for_each(|name| folder.remove_file(name))
}

fn names(folder: &Dir) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.entries()? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
