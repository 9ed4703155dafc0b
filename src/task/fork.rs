//! A new task from an old one.

use std::sync::Arc;

use super::apply::{Illegal, go_back};
use super::{Record, Spec, State, Usage};
use crate::id::{CheckpointId, TaskId};

/// Why a task can't be forked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotFork {
    /// Only a paused or an ended task can.
    #[error("only a paused or an ended task can be forked, this one is {0}")]
    AtWork(super::Status),
    /// For the same reasons as it can't be restored.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

/// The task `id` that goes on from `parent`, where it stands or `at` a checkpoint.
///
/// Its journal is that of the parent as far as it lies before that place; what is known of `once`
/// steps comes along with their keys. The first fork of an ended task goes on with that task's
/// keys; any other has keys of its own, so a `repeatable` step that was begun but not done may
/// take effect once per task.
pub fn fork(
    parent: &Record,
    id: TaskId,
    spec: Spec,
    at: Option<CheckpointId>,
) -> Result<Record, CannotFork> {
    if parent.spec.is_of_host() {
        return Err(Illegal::Answered.into());
    }
    let ended = parent.state.is_terminal();
    if !ended && !matches!(parent.state, State::Paused { .. }) {
        return Err(CannotFork::AtWork(parent.status()));
    }
    let mut child = parent.clone();
    match at {
        Some(checkpoint) => drop(go_back(&mut child, checkpoint)?),
        None if !parent.clean_up.is_empty() => {
            return Err(Illegal::CleanUp(parent.clean_up.to_vec()).into());
        }
        None => {}
    }
    Ok(Record {
        id,
        base: if ended && parent.forks == 0 {
            parent.base
        } else {
            id
        },
        updated: spec.created,
        spec: Arc::new(Spec {
            forked_from: Some((parent.id, at)),
            ..spec
        }),
        state: State::Queued {
            not_before: None,
            stop: None,
        },
        attempt: 0,
        barren: 0,
        retries: 0,
        forks: 0,
        usage: Usage::default(),
        ..child
    })
}
