//! How the store is opened.

use std::sync::Arc;

use super::Probe;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The bounds of the store, and who watches it. The defaults are right for one machine.
#[derive(Clone)]
pub struct Options {
    /// Requests that wait for the writer; past it, asking waits.
    pub queue_max: usize,
    /// Requests that are committed together.
    pub group_max: usize,
    /// Bytes past which nothing more is added to a group.
    pub group_bytes_max: usize,
    /// Lines of all tasks' logs that wait for the writer; past it they are dropped and counted.
    pub log_lines_max: usize,
    /// Commits that wait for the reader of the feed; past it those of the same task are merged.
    pub feed_max: usize,
    /// Names of what others keep in the directory, so that it is not taken for a foreign one.
    pub beside: &'static [&'static str],
    /// Reads that are at work at once.
    pub reads_max: usize,
    /// Bytes of outputs that one [`super::Journal`] holds.
    pub outputs_max: usize,
    /// Bytes of blocks and blobs that are cached.
    pub cache_bytes: u64,
    /// Bytes of one keyspace that are held in memory before they become a table.
    pub memtable_bytes: u64,
    /// Bytes of journal past which idle keyspaces are written out, so that it can be cut; at least
    /// 64 MiB. After anything but a clean close all of it is read again when the store is opened, at
    /// some 10 ms for each MiB.
    pub journal_bytes_max: u64,
    /// Watches the writer.
    pub probe: Option<Arc<dyn Probe>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_max: 1_024,
            group_max: 256,
            group_bytes_max: 8 * MIB,
            log_lines_max: 4_096,
            feed_max: 8_192,
            beside: &[],
            reads_max: 8,
            outputs_max: 4 * MIB,
            cache_bytes: 64 * MIB as u64,
            memtable_bytes: 8 * MIB as u64,
            journal_bytes_max: 64 * MIB as u64,
            probe: None,
        }
    }
}

/// The most bytes of an output that lie beside its row; longer ones lie apart, so that reading the
/// rows of a stretch does not read them.
pub(super) const INLINE_MAX: usize = KIB;

/// The keys that are removed with one request.
pub(super) const REMOVED_AT_ONCE: usize = 256;

/// The tasks that one page of a list looks at.
pub(super) const LOOKED_AT_MAX: usize = 1_024;
