//! `stepwell tasks fork`.

use crate::cli::amounts::Amounts;
use crate::cli::{Context, Exit};
use crate::id::CheckpointId;

/// Makes a new task that goes on from a paused or ended one, where it stands or at a checkpoint,
/// with the same limits or others.
#[derive(clap::Args, Debug)]
pub struct Fork {
    /// The task
    id: String,
    /// The checkpoint, like cp-17
    #[arg(long, value_name = "CHECKPOINT")]
    at: Option<CheckpointId>,
    #[command(flatten)]
    limits: Amounts,
}

impl Fork {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let forked = context.within(async |session| {
            let (runtime, owner) = (&session.runtime, &session.owner);
            let task = session.task(&self.id).await?;
            let parent = runtime.record(&task).await?;
            let limits = self.limits.on(&parent.spec.limits)?;
            Ok(runtime.fork(&task, owner, self.at, Some(limits)).await?)
        });
        let record = forked.await?;
        context.changed(&record)?;
        Ok(Exit::Done)
    }
}
