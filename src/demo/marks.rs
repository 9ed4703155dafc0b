//! Marks in a file that somebody else wrote: where they stay, nobody has written that place again.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;

/// What is marked, and how it then reads: as long as before.
const PLAIN: &[u8] = b"an order";
const MARKED: &[u8] = b"AN ORDER";

/// How much of the file is read to find a place.
const WINDOW: usize = 256;

/// Marks the first and the last place in the first `bytes` bytes of the file.
pub(super) fn set(file: &Path, bytes: u64) -> anyhow::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let size = usize::try_from(bytes)?.min(WINDOW);
    let mut window = vec![0; size];
    for (start, last) in [(0, false), (bytes - size as u64, true)] {
        file.read_exact_at(&mut window, start)?;
        let mut places = window.windows(PLAIN.len());
        let is_place = |bytes: &[u8]| bytes == PLAIN;
        let place = if last {
            places.rposition(is_place)
        } else {
            places.position(is_place)
        };
        let place = place.context("no place for a mark")?;
        file.write_all_at(MARKED, start + place as u64)?;
    }
    Ok(file.sync_data()?)
}

/// How many marks a file has.
pub(super) fn count(file: &Path) -> io::Result<usize> {
    let text = std::fs::read(file)?;
    Ok(text
        .windows(MARKED.len())
        .filter(|bytes| *bytes == MARKED)
        .count())
}
