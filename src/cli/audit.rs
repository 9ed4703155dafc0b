//! `stepwell audit`: who did what, and what was refused.

use super::source::Source;
use super::{Context, Exit, Remote};

mod export;
mod tail;

/// Read who did what, and what was refused
///
/// One line of JSON for each entry, oldest first. Whoever can open the data directory reads all of
/// it; with --server administrators read what is of their tenant.
#[derive(clap::Args, Debug)]
pub struct Audit {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

/// What is read.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Print the newest entries
    Tail(tail::Tail),
    /// Print all entries
    Export(export::Export),
}

/// Entries, each as its line.
struct Page {
    lines: Vec<String>,
    after: u64,
    is_more: bool,
}

impl Audit {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        context.global.server = Some(self.remote);
        match self.command {
            Command::Tail(command) => command.run(context).await,
            Command::Export(command) => command.run(context).await,
        }
    }
}

impl Page {
    /// Entries after number `after`.
    async fn after(source: &Source, after: u64) -> anyhow::Result<Self> {
        let limit = crate::desk::PAGE_MAX;
        match source {
            Source::Here(session) => {
                let page = session.desk().audit(after, limit).await;
                Ok(page.map_err(super::session::failed)?.into())
            }
            Source::Served(client) => {
                let page = client
                    .audit(&format!("after={after}&limit={limit}"))
                    .await?;
                let (lines, after, is_more) = page;
                Ok(Self {
                    lines,
                    after,
                    is_more,
                })
            }
        }
    }

    /// The newest entries.
    async fn newest(source: &Source, count: usize) -> anyhow::Result<Self> {
        match source {
            Source::Here(session) => {
                let page = session.desk().audit_newest(count).await;
                Ok(page.map_err(super::session::failed)?.into())
            }
            Source::Served(client) => {
                let (lines, after, is_more) = client.audit(&format!("newest={count}")).await?;
                Ok(Self {
                    lines,
                    after,
                    is_more,
                })
            }
        }
    }

    fn print(&self, context: &super::Screen) -> std::io::Result<()> {
        self.lines.iter().try_for_each(|line| context.data(line))
    }
}

impl From<crate::audit::Page> for Page {
    fn from(page: crate::audit::Page) -> Self {
        Self {
            lines: page
                .entries
                .iter()
                .map(crate::audit::Numbered::line)
                .collect(),
            after: page.after,
            is_more: page.is_more,
        }
    }
}
