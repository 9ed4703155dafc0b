//! `stepwell tasks checkpoint`.

use serde_json::json;

use crate::cli::{Context, Exit, value};

/// Saves a checkpoint of the task where it stands, with a state of your own beside the tool's:
/// when the task is restored to it, the tool is shown that.
#[derive(clap::Args, Debug)]
pub struct Checkpoint {
    /// The task
    id: String,
    /// The state: JSON, @FILE to read it from a file, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    state: String,
}

impl Checkpoint {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let state = value::read("--state", "the state", &self.state)?;
        let saved = context.within(async |session| {
            let task = session.task(&self.id).await?;
            session.runtime.settle(&task).await?;
            let saved = session
                .runtime
                .checkpoint(&task, &session.owner, &state)
                .await?;
            Ok((task.id, saved.to_string()))
        });
        let (task, checkpoint) = saved.await?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&json!({"task": task, "checkpoint": checkpoint}))?;
        } else {
            screen.data(&checkpoint)?;
        }
        let restore = context
            .global
            .command(&format!("tasks restore {task} {checkpoint}"));
        screen.say(&format!("go back to it with: {restore}"));
        Ok(Exit::Done)
    }
}
