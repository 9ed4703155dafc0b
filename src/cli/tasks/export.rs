//! `stepwell tasks export`.

use serde_json::Value;

use super::checkpoints::Kept;
use crate::cli::source::Source;
use crate::cli::{Context, Exit, error};
use crate::desk::Ask;
use crate::id::{CheckpointId, TaskId};

/// Prints a checkpoint with its state, in the format `stepwell.checkpoint/1`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Export {
    /// The task
    id: String,
    /// The checkpoint, like cp-17; the newest where none is named
    checkpoint: Option<CheckpointId>,
}

impl Export {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let export = context.within(async |source| {
            let task = source.task(&self.id).await?;
            let checkpoint = match self.checkpoint {
                Some(checkpoint) => checkpoint,
                None => newest(source, task).await?,
            };
            source.ask::<Value>(Ask::Export(task, checkpoint)).await
        });
        let (envelope, screen) = (export.await?, &context.screen);
        if screen.json {
            screen.value(&envelope)?;
        } else {
            screen.data(&serde_json::to_string_pretty(&envelope)?)?;
        }
        Ok(Exit::Done)
    }
}

async fn newest(source: &Source, task: TaskId) -> anyhow::Result<CheckpointId> {
    let kept: Kept = source.ask(Ask::Checkpoints(task)).await?;
    let newest = kept.checkpoints.last().ok_or_else(|| {
        let message = format!("task {task} has no checkpoint");
        error::input(message, "`stepwell tasks checkpoint ID` saves one")
    })?;
    Ok(newest.checkpoint.parse()?)
}
