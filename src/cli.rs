//! The command line: what is typed, and what is shown for it.
//!
//! Data goes to standard output, everything else to standard error; with `--json` standard output
//! holds JSON and nothing else. Each command is a file of its own and speaks to the runtime's front
//! door; what a task's end means to a shell is in `exit`, what an error means in `error`.

use std::path::PathBuf;

use crate::identity::Secret;

mod amounts;
mod ask;
mod audit;
mod check_config;
mod client_config;
mod completions;
mod error;
mod exit;
mod follow;
mod keys;
mod meter;
mod place;
mod run;
mod screen;
mod serve;
mod session;
mod signals;
mod source;
mod tasks;
mod text;
mod tools;
mod value;

pub use error::{bad, refused, report};
pub use exit::Exit;
pub use run::component;
pub use screen::Screen;
use screen::Style;
pub use serve::Serve;
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
    /// The server that the command speaks to, where it may speak to one and one is named.
    #[arg(skip)]
    pub server: Option<Remote>,
}

/// A server elsewhere.
#[derive(clap::Args, Clone, Debug)]
pub struct Remote {
    /// A server to ask instead
    #[arg(
        long,
        global = true,
        value_name = "http://HOST:PORT",
        env = "STEPWELL_SERVER",
        hide_env_values = true
    )]
    pub server: Option<String>,
    /// The key to ask it with; others on this machine may see what is typed, but not the environment
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        env = "STEPWELL_KEY",
        hide_env_values = true,
        value_parser = secret
    )]
    pub key: Option<Secret>,
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for it so")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// What can be done.
#[derive(clap::Subcommand, Debug)]
#[command(disable_help_subcommand = false)]
pub enum Command {
    /// Run one task to its end
    Run(Box<run::Run>),
    /// Serve tools to agents over MCP
    Serve(Serve),
    /// Print the entry for the configuration of an MCP host
    ClientConfig(client_config::ClientConfig),
    /// Look at tasks, and change what becomes of them
    Tasks(Box<tasks::Tasks>),
    /// Read who did what, and what was refused
    Audit(audit::Audit),
    /// List the tools of a component, and what they take
    Tools(tools::Tools),
    /// Say what a configuration means, or what is wrong with it
    CheckConfig(check_config::CheckConfig),
    /// Make the keys of those who may ask
    #[command(subcommand)]
    Keys(keys::Keys),
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
        Command::Audit(audit) => audit.run(context).await,
        Command::Tools(tools) => tools.run(context).await,
        // Wired in `app`, which has everything that it needs.
        Command::Serve(_) => Ok(Exit::Usage),
        Command::CheckConfig(check) => check.run(context).await,
        Command::ClientConfig(config) => config.run(&context),
        Command::Keys(keys) => keys.run(&context),
        // It is not for an async worker, and wants its signals unhandled: see `app`.
        #[cfg(feature = "demo")]
        Command::Demo => Ok(Exit::Usage),
        Command::Completions(completions) => completions.run(&context),
    }
}
