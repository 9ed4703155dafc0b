//! Why a request was not carried out.

use super::CannotGrant;
use crate::id::TaskKey;
use crate::limit::Unenforceable;
use crate::task::{CannotFork, Illegal};
use crate::tool::Violation;
use crate::{registry, sandbox, store};

/// A request that was not carried out. Nothing has changed, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue is full. Try again later.
    #[error("{queued} tasks are queued already; try again later")]
    Busy {
        /// How many wait.
        queued: usize,
    },
    /// The tenant's queue is full. Try again later.
    #[error("{queued} tasks of this tenant are queued already; try again later")]
    TenantBusy {
        /// How many of the tenant's wait.
        queued: usize,
    },
    /// The task may use more memory than its tenant, or the process, may load at once.
    #[error(
        "the memory limit of {memory} bytes is past the {max} that the tenant may load at once"
    )]
    NoRoom {
        /// The task's limit.
        memory: u64,
        /// What there is.
        max: u64,
    },
    /// This process is about to end. Try again at the next.
    #[error("the runtime is about to end; try again when it is back")]
    Draining,
    /// There is no such task.
    #[error("there is no task {0}")]
    Unknown(TaskKey),
    /// The task, as it is, does not allow it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The task can't be forked.
    #[error(transparent)]
    CannotFork(#[from] CannotFork),
    /// The idempotency key belongs to a task with other arguments.
    #[error("the idempotency key was used with other arguments, for task {}", .0.id)]
    KeyReused(TaskKey),
    /// The tool keeps nothing, so it takes no idempotency key.
    #[error("the tool `{0}` keeps nothing of its calls, so it takes no idempotency key")]
    KeyNotKept(String),
    /// The tool keeps nothing of its calls: call it instead.
    #[error("the tool `{0}` keeps nothing of its calls, so it can't be run as a task")]
    NothingKept(String),
    /// The idempotency key is none.
    #[error("an idempotency key has 1 to 256 bytes and no control characters")]
    InvalidKey,
    /// The component has no such tool.
    #[error("the component has no tool `{tool}`; it has {}", .known.join(", "))]
    NoTool {
        /// What was asked for.
        tool: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The component is not registered.
    #[error("there is no component {0}")]
    NoComponent(crate::id::Digest),
    /// The arguments do not fit the tool's input schema.
    #[error("the arguments do not fit the tool's schema: {}", list(.0))]
    InvalidArguments(Vec<Violation>),
    /// The answer does not fit the question's schema.
    #[error("the answer does not fit the question's schema: {}", list(.0))]
    InvalidAnswer(Vec<Violation>),
    /// More bytes than the limit of that name.
    #[error("{what}: {used} bytes, and at most {max} are taken")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many there are.
        used: u64,
        /// How many there may be.
        max: u64,
    },
    /// A limit can't be enforced.
    #[error(transparent)]
    Limit(#[from] Unenforceable),
    /// A folder can't be granted.
    #[error(transparent)]
    Grant(#[from] CannotGrant),
    /// The component can't be used.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The sandbox can't be set up.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// The store can't carry it out.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The host has no threads or files left.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<store::Refused> for Error {
    fn from(refused: store::Refused) -> Self {
        match refused {
            store::Refused::Illegal(illegal) => Self::Illegal(illegal),
            store::Refused::CannotFork(reason) => Self::CannotFork(reason),
            store::Refused::Unknown(task) => Self::Unknown(task),
            store::Refused::KeyReused { task } | store::Refused::Taken(task) => {
                Self::KeyReused(task)
            }
            store::Refused::Store(error) => Self::Store(error),
        }
    }
}

pub(super) fn list(violations: &[Violation]) -> String {
    let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
    violations.join("; ")
}
