//! `stepwell tasks show`.

use crate::cli::{Context, Exit, text};
use crate::desk::Ask;
use crate::view::Task;

/// Shows a task: its limits and what it used, how it stands, who cancelled it and why, what it
/// asks, what is in doubt, and what it returned.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Show {
    /// The task
    id: String,
}

impl Show {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let shown = context.within(async |source| {
            let task = source.task(&self.id).await?;
            source.ask(Ask::Task(task)).await
        });
        let (task, screen): (Task, _) = (shown.await?, &context.screen);
        if screen.json {
            screen.value(&serde_json::to_value(&task)?)?;
            return Ok(Exit::Done);
        }
        let mut facts = text::facts(&task);
        if let Some(arguments) = &task.arguments {
            let arguments = crate::text::clean_line(&arguments.to_string(), 4_096);
            facts.push(("arguments", arguments));
        }
        screen.data(&text::columns(facts))?;
        if let Some(output) = &task.result {
            screen.data(&format!("result\n{}", text::output(output)))?;
        }
        Ok(Exit::Done)
    }
}
