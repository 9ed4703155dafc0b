//! `stepwell tasks pause`.

use crate::cli::{Context, Exit};
use crate::desk::Ask;

/// Pauses a task, so that it is not run until it is resumed. A wait goes on after that.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Pause {
    /// The task
    id: String,
}

impl Pause {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let paused = context.within(async |source| {
            let task = source.task(&self.id).await?;
            source.ask(Ask::Pause(task)).await
        });
        let task = paused.await?;
        context.changed(&task)?;
        Ok(Exit::Done)
    }
}
