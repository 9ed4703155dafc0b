//! The engine: keyspaces, point reads, ranges and batches. No other file but `open` names it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use super::group::Writes;
use super::keys::Key;
use super::open::Hold;
use super::{Error, Options};

mod close;

/// A keyspace. Their number bounds the memory that memtables take: keep it below ten.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Space {
    /// What is known of the store itself and of its tenants, and the audit.
    Meta,
    /// The hot part of each record.
    Heads,
    /// The parts of each record that seldom change: spec, marks and holes.
    Facts,
    /// Arguments, results, outputs too long to lie beside their rows, and notes.
    Blobs,
    /// Rows of the journal.
    Steps,
    /// What is known of `once` steps.
    Once,
    /// Checkpoints with their state.
    Checkpoints,
    /// Events.
    Events,
    /// Entries by which tasks are found.
    Index,
}

impl Space {
    /// All of them, in the order of [`Space::name`].
    pub(super) const ALL: [Self; 9] = [
        Self::Meta,
        Self::Heads,
        Self::Facts,
        Self::Blobs,
        Self::Steps,
        Self::Once,
        Self::Checkpoints,
        Self::Events,
        Self::Index,
    ];

    /// Its name on the disk.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Heads => "heads",
            Self::Facts => "facts",
            Self::Blobs => "blobs",
            Self::Steps => "steps",
            Self::Once => "once",
            Self::Checkpoints => "checkpoints",
            Self::Events => "events",
            Self::Index => "index",
        }
    }

    fn options(self, options: &Options) -> KeyspaceCreateOptions {
        let created = KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes);
        match self {
            Self::Blobs | Self::Checkpoints => {
                let separated = KvSeparationOptions::default().separation_threshold(4_096);
                created.with_kv_separation(Some(separated))
            }
            Self::Meta
            | Self::Heads
            | Self::Facts
            | Self::Steps
            | Self::Once
            | Self::Events
            | Self::Index => created,
        }
    }
}

/// The engine, opened. Dropping the last reference lets go of the directory.
pub(super) struct Disk {
    // In this order: the keyspaces and the engine are let go of before the directory is.
    spaces: Vec<Keyspace>,
    database: Database,
    dir: PathBuf,
    hold: Hold,
}

impl Disk {
    /// Opens the engine in the directory that is held.
    pub(super) fn open(dir: &Path, hold: Hold, options: &Options) -> Result<Self, fjall::Error> {
        let database = Database::builder(dir)
            .cache_size(options.cache_bytes)
            // The engine refuses less.
            .max_journaling_size(options.journal_bytes_max.max(64 << 20))
            .worker_threads(2)
            .open()?;
        let open = |space: Space| database.keyspace(space.name(), || space.options(options));
        let spaces = Space::ALL.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self {
            spaces,
            database,
            dir: dir.to_owned(),
            hold,
        })
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The value at `key`, copied: a value that is held pins the block that it lies in.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let value = self.space(key.space)?.get(&key.bytes);
        Ok(value.map_err(failed)?.map(|value| value.to_vec()))
    }

    /// The bytes of the value at `key`. One that lies apart is not read.
    pub(super) fn size(&self, key: &Key) -> Result<Option<usize>, Error> {
        let size = self.space(key.space)?.size_of(&key.bytes);
        Ok(size.map_err(failed)?.map(|size| size as usize))
    }

    /// Calls `each` with the keys and values that `prefix` leads, in order, from `from` on where
    /// that is given, until it breaks.
    pub(super) fn scan(
        &self,
        prefix: &Key,
        from: Option<&[u8]>,
        mut each: impl FnMut(Key, &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let space = prefix.space;
        let from = from.unwrap_or(&prefix.bytes).to_vec();
        for guard in self.space(space)?.range(from..) {
            let (bytes, value) = guard.into_inner().map_err(failed)?;
            if !bytes.starts_with(&prefix.bytes) {
                break;
            }
            let bytes = bytes.to_vec();
            if each(Key { space, bytes }, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` with the keys and values from `first` to `last`, the last first, until it breaks.
    pub(super) fn scan_back(
        &self,
        (first, last): (&Key, &Key),
        mut each: impl FnMut(Key, &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let space = first.space;
        let range = first.bytes.clone()..=last.bytes.clone();
        for guard in self.space(space)?.range(range).rev() {
            let (bytes, value) = guard.into_inner().map_err(failed)?;
            let bytes = bytes.to_vec();
            if each(Key { space, bytes }, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Up to `limit` keys that `prefix` leads and that `wanted` wants, in order. Values that lie
    /// apart are not read.
    pub(super) fn keys(
        &self,
        prefix: &Key,
        limit: usize,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        let space = prefix.space;
        for guard in self.space(space)?.prefix(&prefix.bytes) {
            if keys.len() >= limit {
                break;
            }
            let bytes = guard.key().map_err(failed)?.to_vec();
            if wanted(&bytes) {
                keys.push(Key { space, bytes });
            }
        }
        Ok(keys)
    }

    /// Commits `writes` together. With `synced` they are on the disk when this returns; without,
    /// they outlive the process. Returns whether it was a sync: what is said of it elsewhere comes
    /// from here, where it is done.
    pub(super) fn commit(&self, writes: Writes, synced: bool) -> Result<bool, Error> {
        let mode = if synced {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        let mut batch = self.database.batch().durability(Some(mode));
        for (key, value) in writes {
            let space = self.space(key.space)?;
            match value {
                Some(value) => batch.insert(space, key.bytes, value),
                None => batch.remove(space, key.bytes),
            }
        }
        batch.commit().map_err(failed)?;
        Ok(mode == PersistMode::SyncData)
    }

    /// Syncs everything.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.database.persist(PersistMode::SyncAll).map_err(failed)
    }

    fn space(&self, space: Space) -> Result<&Keyspace, Error> {
        self.spaces.get(space as usize).ok_or(Error::Closed)
    }
}

/// What an engine's error means once the store is open.
fn failed(error: fjall::Error) -> Error {
    match error {
        fjall::Error::Io(cause) | fjall::Error::Storage(fjall::LsmError::Io(cause)) => {
            Error::Failed {
                cause: cause.to_string().into(),
            }
        }
        fjall::Error::Poisoned => Error::Failed {
            cause: Arc::from("the engine had failed before"),
        },
        error => Error::Corrupt {
            place: "the engine".into(),
            what: error.to_string(),
        },
    }
}
