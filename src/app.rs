//! The one place where things are wired: the command line, the tokio runtime, the log, signals,
//! and what is printed when something goes wrong.

use std::ffi::OsStr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{self, Cli, Exit, Signal, Signals};

mod offers;
mod panic;
mod serve;

/// What the process does, from its arguments to its exit code.
pub fn main() -> ExitCode {
    panic::hook();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            return cli::refused(
                &error,
                std::env::args_os().any(|argument| is_json(&argument)),
            )
            .into();
        }
    };
    let json = cli.global.json;
    match std::panic::catch_unwind(|| work(cli)) {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => cli::report(&error, json).into(),
        // The hook has said why.
        Err(_) => Exit::Host.into(),
    }
}

fn is_json(argument: &OsStr) -> bool {
    argument == "--json"
}

fn work(cli: Cli) -> anyhow::Result<Exit> {
    log()?;
    #[cfg(feature = "demo")]
    if let cli::Command::Demo = cli.command {
        // Without handlers of its own: ctrl-c ends it and its children at once.
        return demo(&cli::Screen::new(&cli.global));
    }
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("tokio can't start")?;
    let exit = tokio.block_on(async {
        let signals = signals().context("signals can't be handled")?;
        match cli.command {
            // What it wires lies above the commands.
            cli::Command::Serve(serve) => serve::serve(&cli.global, serve, signals).await,
            command => cli::run(Cli { command, ..cli }, signals).await,
        }
    });
    // A thread may be left that waits for a line from the terminal.
    tokio.shutdown_background();
    exit
}

#[cfg(feature = "demo")]
fn demo(screen: &cli::Screen) -> anyhow::Result<Exit> {
    let colour = if screen.json {
        cli::Screen::is_colour_wanted()
    } else {
        screen.is_output_coloured()
    };
    let aside = screen.json;
    let report = crate::demo::run(crate::demo::Voice { aside, colour })?;
    if screen.json {
        screen.value(&report.json)?;
    }
    Ok(if report.all { Exit::Done } else { Exit::Failed })
}

/// Quiet, unless `STEPWELL_LOG` or `RUST_LOG` says otherwise.
fn log() -> anyhow::Result<()> {
    let set = |name| std::env::var(name).ok().filter(|filter| !filter.is_empty());
    let Some(filter) = set("STEPWELL_LOG").or_else(|| set("RUST_LOG")) else {
        return Ok(());
    };
    let filter = tracing_subscriber::EnvFilter::try_new(&filter)
        .with_context(|| format!("`{filter}` in STEPWELL_LOG or RUST_LOG is no filter"))
        .map_err(cli::bad)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(cli::Screen::is_colour_wanted())
        .with_writer(std::io::stderr);
    log.init();
    Ok(())
}

/// Hands ctrl-c and the request to end on to the command.
fn signals() -> std::io::Result<Signals> {
    let (sender, signals) = Signals::new();
    let kinds = [
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::hangup(), Signal::Reload),
    ];
    for (kind, meaning) in kinds {
        let (mut arrived, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while arrived.recv().await.is_some() && sender.send(meaning).is_ok() {}
        });
    }
    Ok(signals)
}
