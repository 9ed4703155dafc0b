//! `stepwell tasks list`.

use std::sync::Arc;

use crate::cli::session::{PAGE, Session};
use crate::cli::{Context, Exit, Style, json};
use crate::id::TenantId;
use crate::store::Filter;
use crate::task::{Record, Status};

/// Lists the tasks that are kept, newest first; with --json one object in a line for each.
#[derive(clap::Args, Debug)]
pub struct List {
    /// Only tasks of this status
    #[arg(long, value_name = "STATUS", value_parser = parse_status)]
    status: Vec<Status>,
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
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let records = context
            .within(async |session| self.records(session).await)
            .await?;
        let screen = &context.screen;
        if screen.json {
            for record in &records {
                screen.value(&json::task(record, None))?;
            }
        } else if records.is_empty() {
            screen.say("there are no tasks");
        } else {
            let head = row("TASK", "STATUS", "ACCEPTED", "STEPS", "TOOL");
            screen.say(&screen.paint(Style::Dim, &head));
            for record in &records {
                let steps = (record.steps_before + record.steps).to_string();
                let created = record.spec.created.to_string();
                let id = record.id.to_string();
                screen.data(&row(
                    &id,
                    record.status().as_str(),
                    &created,
                    &steps,
                    &record.spec.tool,
                ))?;
            }
            if records.len() >= self.limit {
                screen.say("there may be more: --limit says how many are listed");
            }
        }
        Ok(Exit::Done)
    }

    async fn records(&self, session: &Session) -> anyhow::Result<Vec<Arc<Record>>> {
        let filter = Filter {
            statuses: (!self.status.is_empty()).then(|| self.status.clone()),
            owner: None,
        };
        let tenant = TenantId::local();
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let wanted = PAGE.min(self.limit - records.len());
            let list = session.runtime.list(&tenant, filter.clone(), after, wanted);
            let page = list.await?;
            records.extend(page.records);
            after = page.next;
            if after.is_none() || records.len() >= self.limit {
                return Ok(records);
            }
        }
    }
}

fn row(task: &str, status: &str, accepted: &str, steps: &str, tool: &str) -> String {
    format!("{task:36}  {status:14}  {accepted:24}  {steps:>7}  {tool}")
}
