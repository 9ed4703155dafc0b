//! How much of a call is kept, and how it is answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tool::TaskSupport;

/// How much of a call is kept, and how it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Nothing: `begin` always runs, `complete` keeps nothing; what needs a journal is denied.
    Never,
    /// Everything; answered inline if it is done soon.
    Auto,
    /// Everything, and always answered as a task; a client that takes none is refused.
    Required,
    /// Everything, and always answered as a task to clients that take tasks.
    Always,
}

impl Policy {
    /// All of them, with the words for them.
    pub const ALL: [(&'static str, Self); 4] = [
        ("never", Self::Never),
        ("auto", Self::Auto),
        ("always", Self::Always),
        ("required", Self::Required),
    ];

    /// What holds where nobody says otherwise: what the tool says of itself.
    pub fn usual(says: TaskSupport) -> Self {
        match says {
            TaskSupport::Forbidden => Self::Never,
            TaskSupport::Optional => Self::Auto,
            TaskSupport::Required => Self::Required,
        }
    }

    /// Whether a tool that says this of itself can be served so. Of one that must be a task one
    /// can't say that nothing is kept, nor of one that may not be a task that anything is: it would
    /// find itself called again after a crash, and whoever wrote it has not reckoned with that.
    pub fn fits(self, says: TaskSupport) -> bool {
        match says {
            TaskSupport::Forbidden => self == Self::Never,
            TaskSupport::Optional => true,
            TaskSupport::Required => self != Self::Never,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Always => "always",
        })
    }
}
