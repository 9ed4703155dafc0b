//! `stepwell tasks restore`.

use serde::Deserialize;

use crate::cli::{Context, Exit, error};
use crate::desk::{self, Ask};
use crate::id::CheckpointId;
use crate::view::Task;

/// Takes a task back to a checkpoint. Steps done before it stay done; what lies after it is
/// forgotten, but for what is known about steps that take effect once.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Restore {
    /// The task
    id: String,
    /// The checkpoint, like cp-17
    checkpoint: CheckpointId,
}

/// What came of it.
#[derive(Deserialize)]
struct Restored {
    task: Task,
    not_resumed: Option<String>,
}

impl Restore {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let checkpoint = self.checkpoint.to_string();
        let restored = context.within(async |source| {
            let task = source.task(&self.id).await?;
            let restore = desk::Restore {
                checkpoint: checkpoint.clone(),
            };
            source.ask(Ask::Restore(task, restore)).await
        });
        let Restored { task, not_resumed } = restored.await?;
        if let Some(message) = not_resumed {
            let hint = "`stepwell tasks fork ID --at CHECKPOINT` makes a task that goes on from it";
            return Err(error::input(message, hint));
        }
        context.changed(&task)?;
        Ok(Exit::Done)
    }
}
