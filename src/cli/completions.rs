//! `stepwell completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Context, Exit};

/// Prints the completions of a shell, to be put where that looks for them.
#[derive(clap::Args, Debug)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "stepwell", &mut script);
        let script = String::from_utf8_lossy(&script);
        context.screen.data(script.trim_end())?;
        Ok(Exit::Done)
    }
}
