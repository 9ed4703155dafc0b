//! A directory for one test.

use std::path::Path;

use tempfile::TempDir;

/// An empty directory that goes with its handle: in memory where that is possible, since opening a
/// store syncs many small files, and what a sync is worth is not found out by waiting for one.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    made.expect("a directory for the test")
}
