//! Checkpoints from outside: a client's, and going back to one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::submit::Reservation;
use super::{Error, Fresh, Runtime};
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Digest, Principal, TaskId, TaskKey};
use crate::limit::Limits;
use crate::task::{Event, Illegal, Mark, Origin, Record, Spec, Status};

/// A checkpoint as it is shown and exported: the format `stepwell.checkpoint/1`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// `stepwell.checkpoint/1`.
    pub format: String,
    /// Its id, unique within the task.
    pub id: String,
    /// The task.
    pub task: TaskId,
    /// The component that the task runs.
    pub component: String,
    /// Who saved it.
    pub origin: Origin,
    /// The stretch that goes on from it.
    pub stretch: u32,
    /// The steps that were done before it.
    pub steps_done: u64,
    /// What the state is: `application/json`, or `application/octet-stream` for a tool's bytes
    /// that are no JSON, which stand here in hexadecimal.
    pub media_type: String,
    /// The state.
    pub state: Value,
    /// When it was saved.
    pub at: String,
}

impl Envelope {
    /// The format that this version writes.
    pub const FORMAT: &'static str = "stepwell.checkpoint/1";

    fn new(record: &Record, mark: &Mark, state: &[u8]) -> Self {
        let (media_type, state) = match serde_json::from_slice(state) {
            Ok(state) => ("application/json", state),
            Err(_) => {
                let hex = state.iter().map(|byte| format!("{byte:02x}"));
                ("application/octet-stream", Value::String(hex.collect()))
            }
        };
        Self {
            format: Self::FORMAT.into(),
            id: mark.id.to_string(),
            task: record.id,
            component: Digest::to_string(&record.spec.component),
            origin: mark.origin,
            stretch: mark.stretch,
            steps_done: mark.steps_done(),
            media_type: media_type.into(),
            state,
            at: Timestamp::to_string(&mark.at),
        }
    }
}

/// What came of a restore.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The task as it is now.
    pub record: Arc<Record>,
    /// What was saved; nothing at the task's beginning.
    pub state: Option<Envelope>,
    /// Why the task does not go on from there, if it does not: then nothing has changed.
    pub not_resumed: Option<Illegal>,
}

impl Runtime {
    /// Saves a client's state beside the task's: where the task is restored to it, the tool is
    /// shown it. It changes nothing for the tool now.
    pub async fn checkpoint(
        &self,
        task: &TaskKey,
        by: &Principal,
        state: &Value,
    ) -> Result<CheckpointId, Error> {
        let saved = self.save(task, by, state).await;
        self.0.noted((by, "checkpoint"), Some(task), saved)
    }

    async fn save(
        &self,
        task: &TaskKey,
        by: &Principal,
        state: &Value,
    ) -> Result<CheckpointId, Error> {
        let record = self.record(task).await?;
        let state = state.to_string();
        let (used, max) = (state.len() as u64, record.spec.limits.checkpoint);
        if used > max {
            return Err(Error::TooLarge {
                what: "the checkpoint",
                used,
                max,
            });
        }
        let event = Event::ClientSaved {
            state: state.into_bytes().into(),
        };
        let record = self.request(task, by, event).await?;
        Ok(CheckpointId(record.seq))
    }

    /// The checkpoints that are kept, oldest first.
    pub async fn checkpoints(&self, task: &TaskKey) -> Result<Vec<Mark>, Error> {
        Ok(self.record(task).await?.marks.to_vec())
    }

    /// One checkpoint with its state. It can be read even when the task can't be restored to it.
    pub async fn export(&self, task: &TaskKey, id: CheckpointId) -> Result<Envelope, Error> {
        let record = self.record(task).await?;
        let envelope = self.state(&record, id).await?;
        envelope.ok_or(Error::Illegal(Illegal::NoCheckpoint(id)))
    }

    /// Takes the task back to a checkpoint, and forgets only what lies after it. A running task is
    /// paused first. What was running or waiting is queued again; what was paused stays paused.
    ///
    /// A task that has ended, or whose clean-up has begun, is not changed: the checkpoint's state
    /// is returned all the same, with the reason, and [`Runtime::fork`] may go on from it.
    pub async fn restore(
        &self,
        task: &TaskKey,
        by: &Principal,
        checkpoint: CheckpointId,
    ) -> Result<Restored, Error> {
        let restored = self.go_back(task, by, checkpoint).await;
        self.0.noted((by, "restore"), Some(task), restored)
    }

    async fn go_back(
        &self,
        task: &TaskKey,
        by: &Principal,
        checkpoint: CheckpointId,
    ) -> Result<Restored, Error> {
        let mut paused_here = false;
        loop {
            let record = self.record(task).await?;
            let state = self.state(&record, checkpoint).await?;
            match record.check_restore(checkpoint) {
                Ok(()) => {}
                Err(reason @ (Illegal::Ended(_) | Illegal::CleanUp(_) | Illegal::Answered)) => {
                    let not_resumed = Some(reason);
                    return Ok(Restored {
                        record,
                        state,
                        not_resumed,
                    });
                }
                Err(illegal) => return Err(illegal.into()),
            }
            if record.status() == Status::Running {
                paused_here = match self.take_aside(task, by).await {
                    Ok(record) => record.status() == Status::Paused,
                    // It came to its end first: the next look says so.
                    Err(Error::Illegal(Illegal::Ended(_))) => continue,
                    Err(error) => return Err(error),
                };
            }
            let go_on = paused_here;
            let event = Event::Restored { checkpoint, go_on };
            match self.request(task, by, event).await {
                Err(Error::Illegal(Illegal::NotNow { .. } | Illegal::Ended(_))) => {}
                done => {
                    let record = done?;
                    let not_resumed = None;
                    return Ok(Restored {
                        record,
                        state,
                        not_resumed,
                    });
                }
            }
        }
    }

    /// A checkpoint's state; the beginning has none.
    async fn state(
        &self,
        record: &Record,
        checkpoint: CheckpointId,
    ) -> Result<Option<Envelope>, Error> {
        let none = Illegal::NoCheckpoint(checkpoint);
        let mark = record.mark(checkpoint).ok_or(none)?;
        let saved = self.0.store.checkpoint(&record.key(), checkpoint).await?;
        Ok(saved.map(|saved| Envelope::new(record, &mark, &saved.state)))
    }

    /// A new task that goes on from a paused or ended one, where it stands or at a checkpoint.
    pub async fn fork(
        &self,
        task: &TaskKey,
        by: &Principal,
        at: Option<CheckpointId>,
        limits: Option<Limits>,
    ) -> Result<Arc<Record>, Error> {
        let forked = self.accept_fork(task, by, (at, limits)).await;
        self.0.noted((by, "fork"), Some(task), forked)
    }

    async fn accept_fork(
        &self,
        task: &TaskKey,
        by: &Principal,
        (at, limits): (Option<CheckpointId>, Option<Limits>),
    ) -> Result<Arc<Record>, Error> {
        let parent = self.record(task).await?;
        let limits = limits.unwrap_or_else(|| parent.spec.limits.clone());
        self.0.check_limits(&limits, &by.tenant)?;
        if parent.spec.is_of_host() {
            return Err(Illegal::Answered.into());
        }
        // A component is kept while a live task needs it: the parent may be long gone.
        self.check_open()?;
        self.0.check_budget(&by.tenant)?;
        self.tool(parent.spec.component, &parent.spec.tool).await?;
        let spec = Spec {
            owner: by.clone(),
            key: None,
            name: None,
            limits,
            created: self.0.clock.now(),
            ..Spec::clone(&parent.spec)
        };
        let id = TaskId::random();
        let key = TaskKey {
            tenant: spec.owner.tenant.clone(),
            id,
        };
        let place = self.0.take_place(&key.tenant)?;
        let fresh = Fresh {
            place: Some(place),
            arguments: None,
        };
        let reservation = Reservation::new(&self.0, &key, fresh);
        let child = self.0.store.fork(task, id, spec, at).await?;
        // Elsewhere whoever adopts it is in charge of it.
        if self.0.runs_all() {
            reservation.used();
        }
        Ok(child)
    }
}
