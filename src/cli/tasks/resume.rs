//! `stepwell tasks resume`.

use crate::cli::session::Session;
use crate::cli::{Context, Exit, follow};
use crate::id::TaskKey;
use crate::task::Status;

/// Goes on with a task and runs it to its end, as `stepwell run` does.
#[derive(clap::Args, Debug)]
pub struct Resume {
    /// The task
    id: String,
}

impl Resume {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let session = Session::find(&context).await?;
        match self.begin(&session).await {
            Ok((task, seen)) => follow::follow(&mut context, session, &task, seen).await,
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }

    async fn begin(self, session: &Session) -> anyhow::Result<(TaskKey, u64)> {
        let task = session.task(&self.id).await?;
        let seen = follow::newest(session, &task).await?;
        let status = session.runtime.record(&task).await?.status();
        session.runtime.adopt(&task).await?;
        if status == Status::Paused {
            session.runtime.resume(&task, &session.owner).await?;
        }
        Ok((task, seen))
    }
}
