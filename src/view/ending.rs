//! How a task came to its end.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Task, parsed};
use crate::task::{self, How, Kind, Outcome};

/// Why a task failed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The stable word for it.
    pub kind: String,
    /// In words.
    pub message: String,
    /// The limit that it was past, where it was one.
    pub limit: Option<String>,
    /// What the tool says to programs.
    pub data: Option<Value>,
}

impl From<&task::Failure> for Failure {
    fn from(failure: &task::Failure) -> Self {
        let limit = match failure.kind {
            Kind::LimitExceeded(name) => Some(name.as_str()),
            Kind::OutOfFuel => Some("fuel"),
            Kind::OutOfMemory => Some("memory"),
            _ => None,
        };
        Self {
            kind: failure.kind.code().into(),
            message: failure.message.to_string(),
            limit: limit.map(str::to_owned),
            data: failure.data.as_ref().map(|data| parsed(data)),
        }
    }
}

impl Failure {
    /// The failure in one line.
    pub fn sentence(&self) -> String {
        match &self.limit {
            Some(limit) if self.kind == "limit-exceeded" => {
                format!("{}({limit}): {}", self.kind, self.message)
            }
            _ => format!("{}: {}", self.kind, self.message),
        }
    }
}

impl Task {
    /// Adds how it ended.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        let how = match outcome {
            Outcome::Completed => None,
            Outcome::Failed { failure, how } => {
                self.failure = Some(failure.into());
                how.as_ref()
            }
            Outcome::Cancelled { how } => Some(how),
        };
        let Some(how) = how else { return };
        self.how = Some(match how {
            How::Failed { .. } => "failed".to_owned(),
            how => how.to_string(),
        });
        match how {
            How::Failed { failure, told } => {
                self.how_failure = Some(failure.into());
                self.told = Some(*told);
            }
            How::Forced { step } => self.forced_step = Some(step.as_ref().map(ToString::to_string)),
            How::Clean | How::Immediate | How::NotStarted | How::Finished => {}
        }
    }
}

/// A member that is there, even if it says `null`.
pub(super) fn there<'de, D, T>(value: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{Digest, Principal, TaskId};
    use crate::limit::Limits;
    use crate::task::{Policy, Record, Spec, State};

    fn ended(outcome: Outcome) -> Record {
        let spec = Spec {
            owner: Principal::local(),
            component: Digest::of(b"x"),
            tool: "x".into(),
            arguments: Digest::of(b"{}"),
            key: None,
            limits: Limits::default(),
            grants: Vec::new(),
            policy: Policy::Auto,
            created: Timestamp(0),
            forked_from: None,
            name: None,
        };
        Record {
            state: State::Finished {
                outcome,
                stop: None,
                at: Timestamp(1),
                doubts: ["a".into()].into(),
            },
            ..Record::accepted(TaskId::random(), spec)
        }
    }

    #[test]
    fn whoever_is_told_of_an_end_knows_what_was_said() {
        let failure = task::Failure::new(Kind::LimitExceeded(crate::limit::Name::Steps), "many");
        let told = How::Failed {
            failure: failure.clone(),
            told: true,
        };
        let cancelled = |how| Outcome::Cancelled { how };
        for outcome in [
            Outcome::Completed,
            Outcome::Failed { failure, how: None },
            cancelled(told),
            cancelled(How::Forced { step: None }),
            cancelled(How::Forced {
                step: Some("a".into()),
            }),
            cancelled(How::NotStarted),
        ] {
            let task = Task::new(&ended(outcome.clone()), None);
            let said = serde_json::to_value(&task).unwrap();
            let read: Task = serde_json::from_value(said.clone()).unwrap();
            assert_eq!(read, task);
            let is_forced = matches!(
                &outcome,
                Outcome::Cancelled {
                    how: How::Forced { .. }
                }
            );
            assert_eq!(said.get("forced_step").is_some(), is_forced, "{said}");
        }
    }
}
