//! `stepwell tasks restore`.

use crate::cli::{Context, Exit};
use crate::id::CheckpointId;

/// Takes a task back to a checkpoint. Steps done before it stay done; what lies after it is
/// forgotten, but for what is known about steps that take effect once.
#[derive(clap::Args, Debug)]
pub struct Restore {
    /// The task
    id: String,
    /// The checkpoint, like cp-17
    checkpoint: CheckpointId,
}

impl Restore {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let restored = context.within(async |session| {
            let (runtime, owner) = (&session.runtime, &session.owner);
            let task = session.task(&self.id).await?;
            runtime.settle(&task).await?;
            Ok(runtime.restore(&task, owner, self.checkpoint).await?)
        });
        let restored = restored.await?;
        if let Some(reason) = restored.not_resumed {
            return Err(crate::runtime::Error::Illegal(reason).into());
        }
        context.changed(&restored.record)?;
        Ok(Exit::Done)
    }
}
