//! `stepwell tasks checkpoint`.

use serde::{Deserialize, Serialize};

use crate::cli::{Context, Exit, value};
use crate::desk::{Ask, Save};
use crate::id::TaskId;

/// Saves a checkpoint of the task where it stands, with a state of your own beside the tool's:
/// when the task is restored to it, the tool is shown that.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Checkpoint {
    /// The task
    id: String,
    /// The state: JSON, @FILE to read it from a file, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    state: String,
}

/// A checkpoint that was saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    task: TaskId,
    checkpoint: String,
}

impl Checkpoint {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let state = value::read("--state", "the state", &self.state)?;
        let saved = context.within(async |source| {
            let task = source.task(&self.id).await?;
            let save = Save {
                state: state.clone(),
            };
            source.ask(Ask::Save(task, save)).await
        });
        let saved: Saved = saved.await?;
        let Saved { task, checkpoint } = &saved;
        let screen = &context.screen;
        if screen.json {
            screen.value(&serde_json::to_value(&saved)?)?;
        } else {
            screen.data(checkpoint)?;
        }
        let restore = context
            .global
            .command(&format!("tasks restore {task} {checkpoint}"));
        screen.say(&format!("go back to it with: {restore}"));
        Ok(Exit::Done)
    }
}
