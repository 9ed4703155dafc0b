//! `stepwell tasks fork`.

use crate::cli::amounts::Amounts;
use crate::cli::{Context, Exit};
use crate::desk::{self, Ask};
use crate::id::CheckpointId;
use crate::limit;
use crate::view::Task;

/// Makes a new task that goes on from a paused or ended one, where it stands or at a checkpoint,
/// with the same limits or others.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Fork {
    /// The task
    id: String,
    /// The checkpoint, like cp-17
    #[arg(long, value_name = "CHECKPOINT")]
    at: Option<CheckpointId>,
    #[command(flatten)]
    limits: Amounts,
}

impl Fork {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let forked = context.within(async |source| {
            let task = source.task(&self.id).await?;
            let parent: Task = source.ask(Ask::Task(task)).await?;
            let limits = self.limits.on(&parent.limits)?;
            let limits = limit::ALL.iter().map(|it| (it.name, limits.get(it.name)));
            let fork = desk::Fork {
                checkpoint: self.at.map(|at| at.to_string()),
                limits: limits.collect(),
            };
            source.ask(Ask::Fork(task, fork)).await
        });
        let task = forked.await?;
        context.changed(&task)?;
        Ok(Exit::Done)
    }
}
