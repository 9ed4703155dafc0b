//! The engine's end, such that its next start has little to do.
//!
//! The engine replays its journal when it is opened, at some 10 ms for each MiB, and cuts it only
//! when it has become 64 MiB long. So at a clean close everything is written to the tables, where
//! most of it is anyway, and the journal is emptied. An empty one is what the engine itself leaves
//! where it has just begun the next and was opened again; whatever a crash interrupts here, the
//! journal has all that the tables lack.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Disk;
use crate::clock::Stopwatch;

/// The journal that is left as it is: writing nine small tables takes longer than replaying it.
const SMALL: u64 = 1 << 20;

/// How long writing the tables may take: past it the journal stays.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether they are written.
const LOOK: Duration = Duration::from_millis(1);

/// What a block is of which [`MetadataExt::blocks`] are counted.
const BLOCK: u64 = 512;

impl Disk {
    /// Lets go of the engine and of the directory. Nobody writes any more.
    pub(in crate::store) fn close(self) {
        let dir = self.dir.clone();
        let emptied = match journal(&dir) {
            Ok(Some((path, size))) if size > SMALL && self.write_out() => Some(path),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "the journal's size is not known: it stays");
                None
            }
        };
        let Self {
            spaces,
            database,
            dir,
            hold,
        } = self;
        drop((spaces, database));
        // The engine is gone, and nobody else comes while the directory is held.
        if let Some(Err(error)) = emptied.map(|journal| empty(&journal)) {
            tracing::warn!(%error, dir = %dir.display(), "the journal could not be emptied");
        }
        drop(hold);
    }

    /// Writes all that is held in memory to the tables. Returns whether that is done.
    fn write_out(&self) -> bool {
        let begun = Stopwatch::start();
        for space in &self.spaces {
            if let Err(error) = space.rotate_memtable() {
                tracing::warn!(%error, "the engine does not write its tables: the journal stays");
                return false;
            }
        }
        let is_written = || {
            let mut spaces = self.spaces.iter();
            spaces.all(|space| space.sealed_memtable_count() == 0)
        };
        while !is_written() {
            if begun.elapsed() > PATIENCE {
                tracing::warn!("writing the tables takes too long: the journal stays");
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}

/// The journal, and what of it was written; nothing where there are several: then the engine has
/// not done with the older ones. It makes the file 64 MiB long at once, without anything in it.
fn journal(dir: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    let mut found = None;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !crate::store::open::is_journal(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let written = entry.metadata()?.blocks().saturating_mul(BLOCK);
        if found.replace((entry.path(), written)).is_some() {
            return Ok(None);
        }
    }
    Ok(found)
}

fn empty(journal: &Path) -> io::Result<()> {
    let file: File = OpenOptions::new().write(true).open(journal)?;
    file.set_len(0)?;
    file.sync_all()
}
