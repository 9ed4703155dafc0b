//! `stepwell tasks events`.

use crate::cli::{Context, Exit, json, text};

/// Events that are read at once.
const PAGE: usize = 500;

/// Prints what happened to a task, oldest first; with --json one object in a line for each.
#[derive(clap::Args, Debug)]
pub struct Events {
    /// The task
    id: String,
    /// Only events with a greater number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
}

impl Events {
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let screen = &context.screen;
        let print = context.within(async |session| {
            let task = session.task(&self.id).await?;
            // A task without events is one that is not there.
            session.runtime.record(&task).await?;
            let mut after = self.after;
            loop {
                let events = session.runtime.events(&task, after, PAGE).await?;
                let Some(last) = events.last() else {
                    return Ok(());
                };
                after = last.number;
                for event in &events {
                    if screen.json {
                        screen.value(&json::event(event))?;
                    } else {
                        let (number, at, attempt) = (event.number, event.at, event.attempt);
                        let entry = text::entry(&event.entry);
                        screen.data(&format!("{number:>6}  {at}  #{attempt}  {entry}"))?;
                    }
                }
            }
        });
        print.await?;
        Ok(Exit::Done)
    }
}
