//! `stepwell tasks show`.

use crate::cli::{Context, Exit, json, text};

/// Shows a task: its limits and what it used, how it stands, who cancelled it and why, what it
/// asks, what is in doubt, and what it returned.
#[derive(clap::Args, Debug)]
pub struct Show {
    /// The task
    id: String,
}

impl Show {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let (record, arguments, output) = context
            .within(async |session| {
                let task = session.task(&self.id).await?;
                let record = session.runtime.record(&task).await?;
                let arguments = session.runtime.arguments(&task).await?;
                Ok((record, arguments, session.runtime.output(&task).await?))
            })
            .await?;
        let screen = &context.screen;
        if screen.json {
            let mut task = json::task(&record, output.as_ref());
            let arguments = serde_json::from_str(&arguments).unwrap_or_default();
            json::add(&mut task, "arguments", arguments);
            screen.value(&task)?;
            return Ok(Exit::Done);
        }
        let mut facts = text::facts(&record);
        facts.push(("arguments", crate::text::clean_line(&arguments, 4_096)));
        screen.data(&text::columns(facts))?;
        if let Some(output) = &output {
            screen.data(&format!("result\n{}", text::output(output)))?;
        }
        Ok(Exit::Done)
    }
}
