//! `stepwell tasks export`.

use crate::cli::{Context, Exit, error};
use crate::id::CheckpointId;

/// Prints a checkpoint with its state, in the format `stepwell.checkpoint/1`.
#[derive(clap::Args, Debug)]
pub struct Export {
    /// The task
    id: String,
    /// The checkpoint, like cp-17; the newest where none is named
    checkpoint: Option<CheckpointId>,
}

impl Export {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let export = context.within(async |session| {
            let task = session.task(&self.id).await?;
            let newest = session
                .runtime
                .checkpoints(&task)
                .await?
                .last()
                .map(|mark| mark.id);
            let id = self.checkpoint.or(newest).ok_or_else(|| {
                let message = format!("task {} has no checkpoint", task.id);
                error::input(message, "`stepwell tasks checkpoint ID` saves one")
            })?;
            Ok(session.runtime.export(&task, id).await?)
        });
        let (envelope, screen) = (export.await?, &context.screen);
        if screen.json {
            screen.value(&serde_json::to_value(&envelope)?)?;
        } else {
            screen.data(&serde_json::to_string_pretty(&envelope)?)?;
        }
        Ok(Exit::Done)
    }
}
