//! `stepwell tasks events`.

use crate::cli::session::EVENTS;
use crate::cli::source::Events as Page;
use crate::cli::{Context, Exit, text};
use crate::desk::Ask;

/// Prints what happened to a task, oldest first; with --json one object in a line for each.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Events {
    /// The task
    id: String,
    /// Only events with a greater number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
}

impl Events {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let screen = context.screen.clone();
        let print = context.within(async |source| {
            let task = source.task(&self.id).await?;
            let mut after = self.after;
            loop {
                let page: Page = source.ask(Ask::Events(task, after, EVENTS)).await?;
                for event in &page.events {
                    if screen.json {
                        screen.value(&serde_json::to_value(event)?)?;
                    } else {
                        let (number, at, attempt) = (event.number, &event.at, event.attempt);
                        let entry = text::entry(&event.entry);
                        screen.data(&format!("{number:>6}  {at}  #{attempt}  {entry}"))?;
                    }
                }
                match page.next {
                    Some(next) => after = next,
                    None => return Ok(()),
                }
            }
        });
        print.await?;
        Ok(Exit::Done)
    }
}
