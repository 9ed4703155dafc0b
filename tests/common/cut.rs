//! What the disk would hold after the power went: the engine's journal as far as it was synced.
//!
//! A process that is killed leaves all that it wrote in the page cache, synced or not, so a test
//! that only kills proves nothing about syncs. [`Ends::note`] is called after each sync, and
//! [`Ends::cut`] takes away what was written later. The journal's files (`<n>.jnl`) are
//! preallocated with zeroes, so their length says nothing; but what is written ends with a batch,
//! and a batch ends with a byte that is not zero.
//!
//! Tables are synced by the engine itself when it writes them, and only past some megabytes: keep
//! what a test writes below that, or the journal is not all there is.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::SeekFrom;

/// How much is looked at at once.
const CHUNK: u64 = 64 << 10;

/// The end of what is written in each file of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ends(BTreeMap<String, u64>);

impl Ends {
    /// Looks where the journal of the store in `dir` ends now.
    pub(crate) fn note(dir: &Path) -> io::Result<Self> {
        let mut ends = BTreeMap::new();
        for name in journals(dir)? {
            let end = written_end(&File::open(dir.join(&name))?)?;
            ends.insert(name, end);
        }
        Ok(Self(ends))
    }

    /// Writes the note where another process finds it, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let lines: Vec<_> = self
            .0
            .iter()
            .map(|(name, end)| format!("{name} {end}\n"))
            .collect();
        let new = path.with_extension("new");
        fs::write(&new, lines.concat())?;
        fs::rename(new, path)
    }

    /// Reads a note that was saved.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let mut ends = BTreeMap::new();
        for line in fs::read_to_string(path)?.lines() {
            let (name, end) = line.split_once(' ').ok_or_else(invalid)?;
            ends.insert(name.to_owned(), end.parse().map_err(|_| invalid())?);
        }
        Ok(Self(ends))
    }

    /// Cuts off what was written to the journal in `dir` since the note. Returns how many bytes
    /// that were. Nobody may have the store open.
    pub(crate) fn cut(&self, dir: &Path) -> io::Result<u64> {
        self.shorten(dir, |noted, _| noted)
    }

    /// As [`Ends::cut`], but half of what was written since the note stays: as when the power goes
    /// in the middle of a write.
    pub(crate) fn tear(&self, dir: &Path) -> io::Result<u64> {
        self.shorten(dir, u64::midpoint)
    }

    /// Gives each file the end that `new_end` makes of the one that was noted and the one that it
    /// has.
    fn shorten(&self, dir: &Path, new_end: impl Fn(u64, u64) -> u64) -> io::Result<u64> {
        let mut lost = 0;
        for name in journals(dir)? {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(dir.join(&name))?;
            let written = written_end(&file)?;
            let noted = self.0.get(&name).copied().unwrap_or(0);
            let end = new_end(noted, written.max(noted));
            lost += written.saturating_sub(end);
            if file.metadata()?.len() > end {
                file.set_len(end)?;
            }
        }
        Ok(lost)
    }
}

fn journals(dir: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into()));
    let names: io::Result<Vec<String>> = names.collect();
    Ok(names?
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "jnl"))
        .collect())
}

/// One past the last byte that is not zero. Holes are skipped where the file system knows them.
fn written_end(file: &File) -> io::Result<u64> {
    let mut extents = Vec::new();
    let mut at = 0;
    while let Ok(start) = rustix::fs::seek(file, SeekFrom::Data(at)) {
        at = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        extents.push((start, at));
    }
    for (start, mut end) in extents.into_iter().rev() {
        while end > start {
            let from = end.saturating_sub(CHUNK).max(start);
            let mut bytes = vec![0; usize::try_from(end - from).unwrap()];
            file.read_exact_at(&mut bytes, from)?;
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                return Ok(from + last as u64 + 1);
            }
            end = from;
        }
    }
    Ok(0)
}
