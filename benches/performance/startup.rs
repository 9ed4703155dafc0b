//! How long it takes until a fresh process is ready: after a long history, and with components.

use crate::table::{Scale, Table};

mod components;
mod history;

pub(crate) use components::{bare, ready};
pub(crate) use history::finish;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    history::run(table, scale)?;
    components::run(table, scale)
}
