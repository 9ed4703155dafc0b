//! `stepwell tasks watch`.

use crate::cli::source::Source;
use crate::cli::{Context, Exit, follow};
use crate::id::TaskId;

/// Watches a task until it ends, from what happens next on. Ctrl-c ends the command and does
/// nothing to the task.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Watch {
    /// The task
    id: String,
    /// From the beginning
    #[arg(long)]
    all: bool,
}

impl Watch {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let source = Source::find(&context).await?;
        match self.begin(&source).await {
            Ok(begun) => follow::watch(&mut context, source, begun).await,
            Err(error) => {
                source.close().await;
                Err(error)
            }
        }
    }

    async fn begin(self, source: &Source) -> anyhow::Result<(TaskId, u64)> {
        let id = source.task(&self.id).await?;
        let seen = match self.all {
            true => 0,
            false => source.newest(id).await?,
        };
        Ok((id, seen))
    }
}
