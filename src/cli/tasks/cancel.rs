//! `stepwell tasks cancel`.

use std::time::Duration;

use crate::cli::amounts::parse_millis;
use crate::cli::session::Session;
use crate::cli::{Context, Exit, follow};
use crate::id::TaskKey;
use crate::runtime::Cancellation;

/// Cancels a task: it is run once more to tidy up, and this waits for that.
#[derive(clap::Args, Debug)]
pub struct Cancel {
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
        let session = Session::find(&context).await?;
        let (task, seen) = match self.begin(&session).await {
            Ok(begun) => begun,
            Err(error) => {
                session.close().await;
                return Err(error);
            }
        };
        let exit = follow::follow(&mut context, session, &task, seen).await?;
        // That it is cancelled is what was asked for.
        Ok(if exit == Exit::Cancelled {
            Exit::Done
        } else {
            exit
        })
    }

    async fn begin(self, session: &Session) -> anyhow::Result<(TaskKey, u64)> {
        let (runtime, owner) = (&session.runtime, session.owner.clone());
        let task = session.task(&self.id).await?;
        let seen = follow::newest(session, &task).await?;
        let cancellation = if self.immediate {
            Cancellation::immediate(owner)
        } else {
            Cancellation::graceful(owner)
        };
        // Recorded before the task is run again, so that it is told before it does anything new.
        runtime.settle(&task).await?;
        runtime
            .cancel(
                &task,
                Cancellation {
                    why: self.why,
                    grace: self.grace.map(Duration::from_millis),
                    ..cancellation
                },
            )
            .await?;
        runtime.adopt(&task).await?;
        Ok((task, seen))
    }
}
