//! `stepwell tasks resume`.

use crate::cli::source::Source;
use crate::cli::{Context, Exit, follow};
use crate::desk::Ask;
use crate::id::TaskId;
use crate::task::Status;
use crate::view::Task;

/// Goes on with a task and runs it to its end, as `stepwell run` does. Where a server has the
/// task, that runs it, and this follows it: then ctrl-c only ends the command.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Resume {
    /// The task
    id: String,
}

impl Resume {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let source = Source::find(&context).await?;
        match self.begin(&source).await {
            Ok(begun) => follow::follow(&mut context, source, begun).await,
            Err(error) => {
                source.close().await;
                Err(error)
            }
        }
    }

    async fn begin(self, source: &Source) -> anyhow::Result<(TaskId, u64)> {
        let id = source.task(&self.id).await?;
        let seen = source.newest(id).await?;
        let status = source.show(id).await?.status;
        source.take_up(id).await?;
        if status == Status::Paused {
            let _: Task = source.ask(Ask::Resume(id)).await?;
        }
        Ok((id, seen))
    }
}
