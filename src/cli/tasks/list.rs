//! `stepwell tasks list`.

use crate::cli::source::{Source, Tasks, everything};
use crate::cli::{Context, Exit, Style};
use crate::desk::{self, Ask, PAGE_MAX};
use crate::task::Status;
use crate::view::Task;

/// Lists the tasks that are kept, newest first; with --json one object in a line for each.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct List {
    /// Only tasks of this status
    #[arg(long, value_name = "STATUS", value_parser = parse_status)]
    status: Vec<Status>,
    /// Only tasks of this tool
    #[arg(long)]
    tool: Option<String>,
    /// Only tasks of this owner, as `tasks show` names it
    #[arg(long)]
    owner: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// A status is typed as `--json` prints it.
fn parse_status(text: &str) -> Result<Status, String> {
    let word = |status: &Status| serde_json::to_value(status).unwrap_or_default();
    let mut all = Status::ALL.into_iter();
    let status = all.find(|status| word(status) == text || status.as_str() == text);
    status.ok_or_else(|| {
        let words = Status::ALL.iter().map(|status| word(status).to_string());
        format!(
            "one of {}",
            words.collect::<Vec<_>>().join(", ").replace('"', "")
        )
    })
}

impl List {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let tasks = context
            .within(async |source| self.tasks(source).await)
            .await?;
        let screen = &context.screen;
        if screen.json {
            for task in &tasks {
                screen.value(&serde_json::to_value(task)?)?;
            }
        } else if tasks.is_empty() {
            screen.say("there are no tasks");
        } else {
            let head = row("TASK", "STATUS", "ACCEPTED", "STEPS", "TOOL");
            screen.say(&screen.paint(Style::Dim, &head));
            for task in &tasks {
                let (id, steps) = (task.task.to_string(), task.steps_done.to_string());
                let status = task.status.as_str();
                screen.data(&row(&id, status, &task.created, &steps, &task.tool))?;
            }
            if tasks.len() >= self.limit {
                screen.say("there may be more: --limit says how many are listed");
            }
        }
        Ok(Exit::Done)
    }

    async fn tasks(&self, source: &Source) -> anyhow::Result<Vec<Task>> {
        let mut list = desk::List {
            status: self.status.clone(),
            tool: self.tool.clone(),
            owner: self.owner.clone(),
            ..everything()
        };
        let mut tasks = Vec::new();
        while tasks.len() < self.limit {
            list.limit = PAGE_MAX.min(self.limit - tasks.len());
            let page: Tasks = source.ask(Ask::List(list.clone())).await?;
            tasks.extend(page.tasks);
            match page.next {
                Some(next) => list.cursor = Some(next.parse()?),
                None => break,
            }
        }
        Ok(tasks)
    }
}

fn row(task: &str, status: &str, accepted: &str, steps: &str, tool: &str) -> String {
    format!("{task:36}  {status:14}  {accepted:24}  {steps:>7}  {tool}")
}
