//! `stepwell tasks cancel`.

use crate::cli::amounts::parse_millis;
use crate::cli::source::Source;
use crate::cli::{Context, Exit, follow};
use crate::desk::{self, Ask};
use crate::id::TaskId;
use crate::task::Mode;
use crate::view::Task;

/// Cancels a task: it is run once more to tidy up, and this waits for that.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Cancel {
    /// The task
    id: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// How long the tool may tidy up
    #[arg(long, value_name = "DURATION", value_parser = parse_millis)]
    grace: Option<u64>,
    /// End it now, without asking the tool
    #[arg(long)]
    immediate: bool,
}

impl Cancel {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let source = Source::find(&context).await?;
        let (task, seen) = match self.begin(&source).await {
            Ok(begun) => begun,
            Err(error) => {
                source.close().await;
                return Err(error);
            }
        };
        let exit = follow::follow(&mut context, source, (task, seen)).await?;
        // That it is cancelled is what was asked for.
        Ok(if exit == Exit::Cancelled {
            Exit::Done
        } else {
            exit
        })
    }

    async fn begin(self, source: &Source) -> anyhow::Result<(TaskId, u64)> {
        let task = source.task(&self.id).await?;
        let seen = source.newest(task).await?;
        let mode = match self.immediate {
            true => Mode::Immediate,
            false => Mode::Graceful,
        };
        let cancel = desk::Cancel {
            mode: Some(mode),
            grace: self.grace,
            why: self.why,
        };
        let _: Task = source.ask(Ask::Cancel(task, cancel)).await?;
        source.take_up(task).await?;
        Ok((task, seen))
    }
}
