//! The command line: what is typed, and what is shown for it.
//!
//! Data goes to standard output, everything else to standard error; with `--json` standard output
//! holds JSON and nothing else. Each command is a file of its own and speaks to the runtime's front
//! door; what a task's end means to a shell is in `exit`, what an error means in `error`.

use std::path::PathBuf;

mod amounts;
mod ask;
mod completions;
mod error;
mod exit;
mod follow;
mod json;
mod meter;
mod place;
mod run;
mod screen;
mod session;
mod signals;
mod tasks;
mod text;
mod tools;
mod value;

pub use error::{bad, refused, report};
pub use exit::Exit;
pub use screen::Screen;
use screen::Style;
pub use session::is_opening;
pub use signals::{Signal, Signals};

/// Runs tools that nobody has reason to trust, as tasks that survive a crash.
#[derive(clap::Parser, Debug)]
#[command(
    name = "stepwell",
    version,
    propagate_version = true,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = exit::TABLE
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What the options that every command has stand under.
const EVERYWHERE: &str = "Options of every command";

/// What holds for every command.
#[derive(clap::Args, Clone, Debug)]
pub struct Global {
    /// Where tasks are kept; by default `stepwell` in `$XDG_DATA_HOME` or `~/.local/share`
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "DIR",
        env = "STEPWELL_DATA_DIR",
        hide_env_values = true
    )]
    pub data_dir: Option<PathBuf>,
    /// Print JSON on standard output, and nothing else there
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// Print nothing on standard error but questions, warnings and errors
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub quiet: bool,
}

/// What can be done.
#[derive(clap::Subcommand, Debug)]
#[command(disable_help_subcommand = false)]
pub enum Command {
    /// Run one task to its end
    Run(Box<run::Run>),
    /// Look at tasks, and change what becomes of them
    #[command(subcommand)]
    Tasks(Box<tasks::Tasks>),
    /// List the tools of a component, and what they take
    Tools(tools::Tools),
    /// See a crash, a runaway guest and a cancelled trade, in half a minute
    #[cfg(feature = "demo")]
    Demo,
    /// Print the completions of a shell
    Completions(completions::Completions),
}

/// What a command works with.
struct Context {
    global: Global,
    screen: Screen,
    signals: Signals,
}

/// Carries out what was typed.
pub async fn run(cli: Cli, signals: Signals) -> anyhow::Result<Exit> {
    let Cli { global, command } = cli;
    let screen = Screen::new(&global);
    let context = Context {
        global,
        screen,
        signals,
    };
    match command {
        Command::Run(run) => run.run(context).await,
        Command::Tasks(tasks) => tasks.run(context).await,
        Command::Tools(tools) => tools.run(context).await,
        // It is not for an async worker, and wants its signals unhandled: see `app`.
        #[cfg(feature = "demo")]
        Command::Demo => Ok(Exit::Usage),
        Command::Completions(completions) => completions.run(&context),
    }
}
