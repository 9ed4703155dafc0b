//! A look over the writer's shoulder: for metrics, and for tests that take the disk away.

use std::io;
use std::path::Path;
use std::time::Duration;

/// What is committed together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its number since the store was opened, from 1.
    pub number: u64,
    /// The requests that are answered after it.
    pub requests: usize,
    /// The bytes of its keys and values.
    pub bytes: usize,
    /// Whether its commit is a sync.
    pub synced: bool,
}

/// Watches the writer. It is called on the writer's thread, so whatever it does holds up every
/// write.
pub trait Probe: Send + Sync {
    /// A group is about to be committed to the store in `dir`. An error makes the store fail, as
    /// the disk's would.
    fn before_commit(&self, dir: &Path, group: &Group) -> io::Result<()> {
        let _ = (dir, group);
        Ok(())
    }

    /// A group was committed, in this time, and nobody in it was answered yet.
    fn after_commit(&self, dir: &Path, group: &Group, took: Duration) {
        let _ = (dir, group, took);
    }
}
