//! `stepwell tasks pause`.

use crate::cli::{Context, Exit};

/// Pauses a task, so that it is not run until it is resumed. A wait goes on after that.
#[derive(clap::Args, Debug)]
pub struct Pause {
    /// The task
    id: String,
}

impl Pause {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let pause = context.within(async |session| {
            let task = session.task(&self.id).await?;
            session.runtime.settle(&task).await?;
            Ok(session.runtime.pause(&task, &session.owner).await?)
        });
        let record = pause.await?;
        context.changed(&record)?;
        Ok(Exit::Done)
    }
}
