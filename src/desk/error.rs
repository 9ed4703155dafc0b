//! Why something was not carried out.

use crate::access;
use crate::task::Status;

/// Something that was not carried out. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// They may not, or the runtime says no.
    #[error(transparent)]
    Access(#[from] access::Error),
    /// There is no result yet.
    #[error("the task has no result yet: it is {0}")]
    NotEnded(Status),
    /// What is asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Access(error) => error.code(),
            Self::NotEnded(_) => "not-ended",
            Self::Invalid(_) => "invalid-request",
        }
    }
}
