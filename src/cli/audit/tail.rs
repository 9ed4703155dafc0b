//! `stepwell audit tail`.

use std::time::Duration;

use super::Page;
use crate::cli::source::Source;
use crate::cli::{Context, Exit, error};

/// How often a server is asked for what is new.
const LOOK: Duration = Duration::from_millis(500);

/// Prints the newest entries of the audit, oldest first.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Tail {
    /// How many, at most 500
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    count: usize,
    /// Go on with what is added, until ctrl-c
    #[arg(short, long)]
    follow: bool,
}

impl Tail {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let source = Source::find(&context).await?;
        let printed = match (&source, self.follow) {
            (Source::Here(_), true) => Err(error::input(
                "nothing is added to the audit: no server has the data directory",
                "without --follow what is there is printed",
            )),
            _ => tokio::select! {
                printed = self.print(&source, &context.screen) => printed.map(|()| Exit::Done),
                // It is how one that follows is ended.
                _ = context.signals.next() => Ok(Exit::Cancelled),
            },
        };
        source.close().await;
        printed
    }

    async fn print(&self, source: &Source, screen: &crate::cli::Screen) -> anyhow::Result<()> {
        let newest = Page::newest(source, self.count).await?;
        newest.print(screen)?;
        let mut after = newest.after;
        if !self.follow {
            return Ok(());
        }
        loop {
            let page = Page::after(source, after).await?;
            page.print(screen)?;
            after = page.after;
            if !page.is_more {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}
