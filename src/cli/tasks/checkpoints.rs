//! `stepwell tasks checkpoints`.

use serde::Deserialize;

use crate::cli::amounts::about;
use crate::cli::{Context, Exit, Style};
use crate::desk::Ask;
use crate::task::Origin;
use crate::view;

/// Lists the checkpoints that are kept of a task, oldest first.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Checkpoints {
    /// The task
    id: String,
}

#[derive(Deserialize)]
pub(super) struct Kept {
    pub(super) checkpoints: Vec<view::Checkpoint>,
}

impl Checkpoints {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let kept = context.within(async |source| {
            let task = source.task(&self.id).await?;
            source.ask(Ask::Checkpoints(task)).await
        });
        let Kept { checkpoints: marks } = kept.await?;
        let screen = &context.screen;
        if marks.is_empty() {
            screen.say("the task has no checkpoints");
        } else if !screen.json {
            let head = format!(
                "{:10}  {:6}  {:>7}  {:>10}  SAVED",
                "ID", "BY", "STEPS", "SIZE"
            );
            screen.say(&screen.paint(Style::Dim, &head));
        }
        for mark in &marks {
            if screen.json {
                screen.value(&serde_json::to_value(mark)?)?;
                continue;
            }
            let by = match mark.origin {
                Origin::Tool => "tool",
                Origin::Client => "client",
            };
            let (id, steps, size) = (&mark.checkpoint, mark.steps_done, about(mark.bytes));
            screen.data(&format!(
                "{id:10}  {by:6}  {steps:>7}  {size:>10}  {}",
                mark.at
            ))?;
        }
        Ok(Exit::Done)
    }
}
