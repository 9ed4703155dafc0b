//! `sessions/saveCheckpoint` and `sessions/restoreCheckpoint`: state of a client beside a task, or,
//! under a name that no task has, by itself.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::carried::Carried;
use super::super::content::put;
use super::super::{Context, Error, Server};
use super::Said;
use crate::id::{CheckpointId, Digest, Principal};
use crate::identity::Act;
use crate::limit::CHOSEN_NAME_BYTES_MAX;
use crate::store::{Note, Noted};
use crate::task::Record;
use crate::text::clean_line;

/// The notes that sessions without a task are kept in.
const KIND: &str = "session";

/// The checkpoints of one session that are kept; the oldest goes first.
const KEPT: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Save {
    task_id: Carried,
    state: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restore {
    task_id: Carried,
    checkpoint_id: Carried,
    /// Whether a new task goes on from there.
    #[serde(default)]
    fork: bool,
}

impl Server {
    pub(super) async fn plain_save(&self, context: &Context, save: Save) -> Result<Said, Error> {
        let id = save.task_id.id("taskId")?;
        let by = &context.caller.principal;
        let checkpoint = match self.look(&context.caller, &id, Act::Change).await? {
            // What has ended does not change: the state is kept beside it.
            Some(record) if record.state.is_terminal() => {
                let task = record.id.to_string();
                self.save_session(by, &task, &save.state).await?
            }
            Some(record) => {
                let runtime = self.0.access.runtime();
                runtime.checkpoint(&record.key(), by, &save.state).await?
            }
            None => {
                self.0.access.check_may_call(&context.caller)?;
                self.save_session(by, &id, &save.state).await?
            }
        };
        let checkpoint = checkpoint.to_string();
        Ok(Said::object(
            json!({"checkpointId": checkpoint}),
            checkpoint,
        ))
    }

    pub(super) async fn plain_restore(
        &self,
        context: &Context,
        restore: Restore,
    ) -> Result<Said, Error> {
        let id = restore.task_id.id("taskId")?;
        let named = restore.checkpoint_id.id("checkpointId")?;
        let checkpoint: CheckpointId = named
            .parse()
            .map_err(|error| Error::invalid_params(format!("params.checkpointId: {error}")))?;
        let by = &context.caller.principal;
        let found = self.look(&context.caller, &id, Act::Change).await?;
        // What a client saved before there was a task of this name, or after its end, is its own.
        let has = |record: &Arc<Record>| record.mark(checkpoint).is_some();
        let Some(record) = found.as_ref().filter(|record| has(record)) else {
            let ended = found.map(|record| record.id.to_string());
            let names = ended.into_iter().chain([id.clone()]);
            return self
                .restore_session(by, (names, &id), checkpoint, restore.fork)
                .await;
        };
        let (key, runtime) = (record.key(), self.0.access.runtime());
        if restore.fork {
            let envelope = runtime.export(&key, checkpoint).await?;
            let child = runtime.fork(&key, by, Some(checkpoint), None).await?;
            let object = json!({
                "taskId": child.id,
                "checkpointId": named,
                "state": envelope.state,
                "skippedSteps": envelope.steps_done,
                "resumed": true,
            });
            return Ok(Said::object(object, child.id.to_string()));
        }
        let restored = runtime.restore(&key, by, checkpoint).await?;
        let skipped = record.mark(checkpoint).map_or(0, |mark| mark.steps_done());
        let mut object = json!({
            "taskId": id,
            "checkpointId": named,
            "state": restored.state.map(|envelope| envelope.state),
            "skippedSteps": skipped,
            "resumed": restored.not_resumed.is_none(),
        });
        if let Some(why) = &restored.not_resumed {
            put(&mut object, "reason", json!(why.to_string()));
        }
        let text = object.to_string();
        Ok(Said::object(object, text))
    }

    /// Keeps state under a name that no task has.
    async fn save_session(
        &self,
        by: &Principal,
        id: &str,
        state: &Value,
    ) -> Result<CheckpointId, Error> {
        let is_plain = |c: char| !c.is_control();
        if !(1..=CHOSEN_NAME_BYTES_MAX).contains(&id.len()) || !id.chars().all(is_plain) {
            let rule = format!("1 to {CHOSEN_NAME_BYTES_MAX} bytes without control characters");
            return Err(Error::invalid_params(format!(
                "params.taskId: an id has {rule}"
            )));
        }
        let runtime = self.0.access.runtime();
        let now = runtime.clock().now();
        let bytes: Arc<[u8]> = state.to_string().into_bytes().into();
        // Instants sort as texts, and one that another save has taken gives way to the next.
        let mut number = now.0;
        loop {
            let note = Note {
                name: note_name(id, number),
                bytes: bytes.clone(),
                expires: now.plus(self.0.settings.ttl_max),
            };
            match runtime.put_note_if_absent(by, KIND, note).await? {
                Noted::New => break,
                Noted::Existing(_) => number += 1,
            }
        }
        self.forget_old(by, id).await?;
        Ok(CheckpointId(number))
    }

    async fn forget_old(&self, by: &Principal, id: &str) -> Result<(), Error> {
        let runtime = self.0.access.runtime();
        let prefix = prefix(id);
        // All of a session's names are greater than its prefix, and follow it. Saves at once may
        // have left more than one too many.
        let page = runtime
            .notes(by, KIND, Some(prefix.as_str().into()), 10 * KEPT)
            .await?;
        let names = page.notes.iter().map(|note| &note.name);
        let names: Vec<_> = names.filter(|name| name.starts_with(&prefix)).collect();
        let old = names.len().saturating_sub(KEPT);
        for name in names.into_iter().take(old) {
            runtime.delete_note(by, KIND, name).await?;
        }
        Ok(())
    }

    /// What was saved under one of `names`, which are those of a session called `id`.
    async fn restore_session(
        &self,
        by: &Principal,
        (names, id): (impl Iterator<Item = String>, &str),
        checkpoint: CheckpointId,
        fork: bool,
    ) -> Result<Said, Error> {
        let runtime = self.0.access.runtime();
        let mut note = None;
        for name in names {
            let found = runtime
                .note(by, KIND, &note_name(&name, checkpoint.0))
                .await?;
            note = note.or(found);
        }
        let note = note.ok_or_else(|| {
            let id = clean_line(id, 64);
            Error::invalid_params(format!(
                "there is no task or session `{id}` with a checkpoint `{checkpoint}`"
            ))
        })?;
        if fork {
            let message = "params.fork: this checkpoint is the client's own, and of no task";
            return Err(Error::invalid_params(message));
        }
        let state: Value = serde_json::from_slice(&note.bytes).unwrap_or_default();
        let object = json!({
            "taskId": id,
            "checkpointId": checkpoint.to_string(),
            "state": state,
            "skippedSteps": 0,
            "resumed": false,
            "reason": "the state is the client's own: no task at work has this checkpoint",
        });
        let text = object.to_string();
        Ok(Said::object(object, text))
    }
}

/// What the notes of a session begin with, whatever is in its id.
fn prefix(id: &str) -> String {
    format!("{}/cp-", Digest::of(id.as_bytes()).short())
}

fn note_name(id: &str, number: u64) -> Arc<str> {
    format!("{}{number:020}", prefix(id)).into()
}
