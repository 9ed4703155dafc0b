//! What can go wrong with the store, and what a change is refused for.

use std::path::PathBuf;
use std::sync::Arc;

use crate::id::TaskKey;
use crate::task::{CannotFork, Illegal};

/// Why the store can't do what it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the directory. Nothing was touched. Stop that process, or use another
    /// directory.
    #[error("the data directory {} is in use by {holder}; stop that process, or use another directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Its process id and command line.
        holder: String,
    },
    /// The directory is not a store of this format. Nothing was touched. Use another directory, or
    /// the build that wrote it.
    #[error("{} is not a data directory of this version of Stepwell: {what}; use another directory, or the version that wrote it", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is there.
        what: String,
    },
    /// What is on the disk can't be read. What was asked for is not known; other tasks may be
    /// readable. Bring the directory back from a copy, or begin with an empty one.
    #[error(
        "the data directory is damaged at {place}: {what}; restore it from a backup, or move it away to begin with an empty one"
    )]
    Corrupt {
        /// The directory, or keyspace and key.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// The directory can't be created, read or locked. Nothing was written. Mend what the cause
    /// says, and try again.
    #[error("the data directory {} can't be opened: {cause}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// The system's words.
        cause: Arc<str>,
    },
    /// A write failed, and with it the store: whether the last unanswered writes are on the disk is
    /// not known, and nothing is acknowledged any more. Take the process down and start it anew.
    #[error("the store has failed and takes no more writes: {cause}")]
    Failed {
        /// What failed first.
        cause: Arc<str>,
    },
    /// The store was closed before it got to this. Nothing was written for it.
    #[error("the store is closed")]
    Closed,
}

/// Why nothing was written for a request.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The task, as it is, can't change so.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The task, as it is, can't be forked so.
    #[error(transparent)]
    CannotFork(#[from] CannotFork),
    /// There is no such task.
    #[error("there is no task {0}")]
    Unknown(TaskKey),
    /// The idempotency key was given with other arguments before: read that task, or use another
    /// key.
    #[error("the idempotency key was used with other arguments, for task {}", task.id)]
    KeyReused {
        /// The task that has the key.
        task: TaskKey,
    },
    /// Another task of the same principal has that name: read that one, or choose another name.
    #[error("there is a task of that name already: {}", .0.id)]
    NameTaken(TaskKey),
    /// A note, its kind or its name is none.
    #[error("a note can't be kept so: {rule}")]
    InvalidNote {
        /// What holds for it.
        rule: &'static str,
    },
    /// The principal keeps too much already: remove something, or wait until it expires.
    #[error("{what}: {used}, and at most {max} are kept")]
    TooMuchNoted {
        /// Of what.
        what: &'static str,
        /// How much there would be.
        used: u64,
        /// How much there may be.
        max: u64,
    },
    /// There is a task of that id already.
    #[error("there is already a task {0}")]
    Taken(TaskKey),
    /// The store can't.
    #[error(transparent)]
    Store(#[from] Error),
}
