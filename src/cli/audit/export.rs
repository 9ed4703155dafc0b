//! `stepwell audit export`.

use super::Page;
use crate::cli::{Context, Exit};

/// Prints all entries of the audit, oldest first.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Export {
    /// Only entries with a greater number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
}

impl Export {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let screen = context.screen.clone();
        let printed = context.within(async |source| {
            let mut after = self.after;
            loop {
                let page = Page::after(source, after).await?;
                page.print(&screen)?;
                after = page.after;
                if !page.is_more {
                    return Ok(());
                }
            }
        });
        printed.await?;
        Ok(Exit::Done)
    }
}
