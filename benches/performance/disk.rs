//! The disk, by itself: what a sync costs, and folders for what is measured on it.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Past this a run does not count: somebody else keeps the disk busy.
pub(crate) const FSYNC_MAX: Duration = Duration::from_micros(300);

const SAMPLES: usize = 200;

/// A folder on the disk that is measured, which goes when it is dropped.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// What it takes to sync 4 KiB more of a file, as a rule.
pub(crate) fn fsync_p50() -> anyhow::Result<Duration> {
    let folder = folder()?;
    let mut file = File::create(folder.path().join("file"))?;
    let mut took = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let begun = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    Ok(crate::table::percentile(&mut took, 50.0))
}
