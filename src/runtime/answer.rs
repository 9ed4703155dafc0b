//! Answers to a tool's questions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use crate::sandbox::Reply;
use crate::task::Question;
use crate::tool::Schema;

/// What the task's owner says to a question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// An object that is valid under the question's schema.
    Accept(Value),
    /// The owner refuses.
    Decline,
    /// The owner dismissed the question.
    Cancel,
    /// Nobody can be asked.
    Unavailable,
}

impl Answer {
    /// Refuses an answer that does not fit the question.
    pub(super) fn check(&self, question: &Question) -> Result<(), Error> {
        let Self::Accept(value) = self else {
            return Ok(());
        };
        let schema = serde_json::from_str(&question.schema).ok();
        let schema = schema.and_then(|schema| Schema::new(&schema).ok());
        // The schema was compiled when the question was asked.
        let Some(schema) = schema else { return Ok(()) };
        schema.check(value).map_err(Error::InvalidAnswer)
    }

    /// The form in which it is journalled.
    pub(super) fn encode(&self) -> Arc<[u8]> {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The answer that is journalled as `bytes`, as the tool is given it.
    pub(super) fn reply(bytes: &[u8]) -> Option<Reply> {
        let answer = serde_json::from_slice(bytes).ok()?;
        Some(match answer {
            Self::Accept(value) => Reply::Accept(value.to_string()),
            Self::Decline => Reply::Decline,
            Self::Cancel => Reply::Cancel,
            Self::Unavailable => Reply::Unavailable,
        })
    }
}
