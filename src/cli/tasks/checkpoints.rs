//! `stepwell tasks checkpoints`.

use crate::cli::amounts::about;
use crate::cli::{Context, Exit, Style, json};
use crate::task::Origin;

/// Lists the checkpoints that are kept of a task, oldest first.
#[derive(clap::Args, Debug)]
pub struct Checkpoints {
    /// The task
    id: String,
}

impl Checkpoints {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let marks = context.within(async |session| {
            let task = session.task(&self.id).await?;
            Ok(session.runtime.checkpoints(&task).await?)
        });
        let (marks, screen) = (marks.await?, &context.screen);
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
                screen.value(&json::mark(mark))?;
                continue;
            }
            let by = match mark.origin {
                Origin::Tool => "tool",
                Origin::Client => "client",
            };
            let (id, steps, size) = (mark.id.to_string(), mark.steps_done(), about(mark.bytes));
            screen.data(&format!(
                "{id:10}  {by:6}  {steps:>7}  {size:>10}  {}",
                mark.at
            ))?;
        }
        Ok(Exit::Done)
    }
}
