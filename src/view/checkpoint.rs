//! A checkpoint, without its state.

use serde::{Deserialize, Serialize};

use crate::task::{Mark, Origin};

/// A checkpoint that is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its id, like `cp-17`.
    pub checkpoint: String,
    /// Who saved it.
    pub origin: Origin,
    /// The stretch that goes on from it.
    pub stretch: u32,
    /// The steps that were done before it.
    pub steps_done: u64,
    /// How large its state is.
    pub bytes: u64,
    /// When it was saved.
    pub at: String,
}

impl From<&Mark> for Checkpoint {
    fn from(mark: &Mark) -> Self {
        Self {
            checkpoint: mark.id.to_string(),
            origin: mark.origin,
            stretch: mark.stretch,
            steps_done: mark.steps_done(),
            bytes: mark.bytes,
            at: mark.at.to_string(),
        }
    }
}
