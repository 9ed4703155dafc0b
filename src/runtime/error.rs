//! Why a request was not carried out.

use super::{CannotGrant, Contradiction};
use crate::clock::Timestamp;
use crate::id::TaskKey;
use crate::limit::Unenforceable;
use crate::task::{CannotFork, Illegal};
use crate::tool::Violation;
use crate::{registry, sandbox, store};

/// A request that was not carried out. Nothing has changed, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue is full, or as full as it may be for a tenant that has many in it. Try again later.
    #[error(
        "{queued} tasks are queued already (`queued_max` is {max}, its last tenth for tenants with \
         few); try again later"
    )]
    Busy {
        /// How many wait.
        queued: usize,
        /// How many may.
        max: usize,
    },
    /// The tenant's queue is full. Try again later.
    #[error(
        "{queued} tasks of this tenant are queued already (its `queued_max` is {max}); try again \
         later"
    )]
    TenantBusy {
        /// How many of the tenant's wait.
        queued: usize,
        /// How many may.
        max: usize,
    },
    /// The tenant is past a cap of what it may use or have kept. Wait until the cap is reset, or until
    /// something that is kept goes.
    #[error("the tenant is past its {cap}: {used} of {max}{}", anew(.resets.as_ref()))]
    TenantOverBudget {
        /// Which: `fuel_per_day` or `stored_max`.
        cap: &'static str,
        /// How much is used.
        used: u64,
        /// How much may be.
        max: u64,
        /// When it begins anew, if it does by itself.
        resets: Option<Timestamp>,
    },
    /// The task may use more memory than its tenant, or the process, may load at once.
    #[error(
        "the memory limit of {memory} bytes is past the {max} that the tenant may load at once \
         (`memory_max`)"
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
    /// Another task of the same principal has that name.
    #[error("there is a task of that name already: {}", .0.id)]
    NameTaken(TaskKey),
    /// A note, its kind or its name, or a task's name, is none.
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
    /// What the configuration says of the tool contradicts what the tool says.
    #[error(transparent)]
    Policy(#[from] Contradiction),
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
    /// With a setting like this nothing would ever run.
    #[error("the setting `{name}` is {value}, and must be at least {least}")]
    Setting {
        /// What it is called.
        name: String,
        /// What it is.
        value: u64,
        /// The least that is allowed.
        least: u64,
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
            store::Refused::NameTaken(task) => Self::NameTaken(task),
            store::Refused::InvalidNote { rule } => Self::InvalidNote { rule },
            store::Refused::TooMuchNoted { what, used, max } => {
                Self::TooMuchNoted { what, used, max }
            }
            store::Refused::Store(error) => Self::Store(error),
        }
    }
}

impl Error {
    /// A stable word for it: in the audit, in logs, and wherever programs read.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::TenantBusy { .. } => "tenant-busy",
            Self::TenantOverBudget { .. } => "tenant-over-budget",
            Self::NoRoom { .. } => "no-room",
            Self::Draining => "draining",
            Self::Unknown(_) => "unknown-task",
            Self::Illegal(Illegal::NoCheckpoint(_))
            | Self::CannotFork(CannotFork::Illegal(Illegal::NoCheckpoint(_))) => "no-checkpoint",
            Self::Illegal(Illegal::NoQuestion(_)) => "no-question",
            Self::Illegal(_) => "not-now",
            Self::CannotFork(_) => "cannot-fork",
            Self::KeyReused(_) => "key-reused",
            Self::NameTaken(_) => "name-taken",
            Self::InvalidNote { .. } => "invalid-note",
            Self::TooMuchNoted { .. } => "too-much-noted",
            Self::Policy(_) => "policy",
            Self::KeyNotKept(_) | Self::NothingKept(_) => "nothing-kept",
            Self::InvalidKey => "invalid-key",
            Self::NoTool { .. } => "no-tool",
            Self::NoComponent(_) => "no-component",
            Self::InvalidArguments(_) => "invalid-arguments",
            Self::InvalidAnswer(_) => "invalid-answer",
            Self::TooLarge { .. } => "too-large",
            Self::Limit(_) => "limit",
            Self::Grant(_) => "grant",
            Self::Registry(_) => "component",
            Self::Setting { .. } => "setting",
            Self::Sandbox(_) | Self::Store(_) | Self::Io { .. } => "host",
        }
    }

    /// Whether it is what was asked for that was refused, and not the host that failed.
    pub(super) fn is_refusal(&self) -> bool {
        !matches!(self, Self::Sandbox(_) | Self::Store(_) | Self::Io { .. })
    }
}

/// When a cap begins anew.
fn anew(at: Option<&Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!("; it begins anew at {at}"))
}

pub(super) fn list(violations: &[Violation]) -> String {
    let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
    violations.join("; ")
}
