//! What went wrong, said once: a sentence, a hint where there is one, and an exit code.

use std::io::{self, Write as _};

use serde_json::json;

use super::Exit;
use crate::runtime;
use crate::text::clean_line;
use crate::{registry, sandbox, store};

/// The most bytes of one message.
const MESSAGE_BYTES_MAX: usize = 8_192;

/// What the command line itself refuses.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// What was typed, or the file that it names, can't be used.
    #[error("{message}")]
    Input {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What was asked for was refused.
    #[error("{message}")]
    Told {
        /// The stable word for why.
        code: String,
        /// Why.
        message: String,
    },
    /// A server can't be asked.
    #[error("{message}")]
    Server {
        /// Why.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Ctrl-c, while a server was asked.
    #[error("interrupted; the server may still do what it was asked for")]
    Left,
    /// Ctrl-c, before there was a task to cancel.
    #[error("interrupted before anything was started")]
    Interrupted,
}

/// What was typed can't be used.
pub(super) fn input(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    let (message, hint) = (message.into(), Some(hint.into()));
    Trouble::Input { message, hint }.into()
}

/// The error as one of what was typed or configured.
#[expect(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
pub fn bad(error: anyhow::Error) -> anyhow::Error {
    let (message, hint) = (sentence(&error), None);
    Trouble::Input { message, hint }.into()
}

/// Says what is wrong with what was typed, or shows the help that was asked for.
pub fn refused(error: &clap::Error, is_json: bool) -> Exit {
    // Where nobody listens any more, nothing is lost.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done;
    }
    if is_json {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        let message = message.trim_start_matches("error: ");
        print_json(message, None, Exit::Usage);
    }
    Exit::Usage
}

/// Prints the error, and says how the process is to end. A reader who has gone away is no error.
pub fn report(error: &anyhow::Error, is_json: bool) -> Exit {
    if error.chain().any(is_broken_pipe) {
        return Exit::Done;
    }
    let (message, hint, exit) = (sentence(error), hint(error), exit(error));
    let mut text = format!("error: {message}\n");
    if let Some(hint) = &hint {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
    if is_json {
        print_json(&message, hint.as_deref(), exit);
    }
    exit
}

fn print_json(message: &str, hint: Option<&str>, exit: Exit) {
    let error = json!({"error": {"message": message, "hint": hint, "exit_code": exit.code()}});
    let _ = writeln!(io::stdout().lock(), "{error}");
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    let error = cause.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The chain of causes in one line; a cause that the text before it says already is left out.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    clean_line(&sentence, MESSAGE_BYTES_MAX)
}

fn exit(error: &anyhow::Error) -> Exit {
    if let Some(trouble) = error.downcast_ref::<Trouble>() {
        return match trouble {
            Trouble::Input { .. } => Exit::Usage,
            Trouble::Told { code, .. } => exit_of_code(code),
            Trouble::Server { .. } => Exit::Host,
            Trouble::Interrupted | Trouble::Left => Exit::Cancelled,
        };
    }
    match error.downcast_ref::<runtime::Error>() {
        Some(error) => exit_of(error),
        None => Exit::Host,
    }
}

/// What a server's refusal comes to: the same as [`exit_of`] says of its error.
fn exit_of_code(code: &str) -> Exit {
    match code {
        "busy" | "tenant-busy" | "tenant-over-budget" | "too-much-noted" | "draining" | "host" => {
            Exit::Host
        }
        _ => Exit::Usage,
    }
}

fn exit_of(error: &runtime::Error) -> Exit {
    use runtime::Error;
    match error {
        Error::Busy { .. }
        | Error::TenantBusy { .. }
        | Error::TenantOverBudget { .. }
        | Error::TooMuchNoted { .. }
        | Error::Draining
        | Error::Io { .. } => Exit::Host,
        Error::Unknown(_)
        | Error::NoRoom { .. }
        | Error::Illegal(_)
        | Error::CannotFork(_)
        | Error::NothingKept(_)
        | Error::InvalidKey
        | Error::KeyReused(_)
        | Error::NameTaken(_)
        | Error::InvalidNote { .. }
        | Error::Policy(_)
        | Error::KeyNotKept(_)
        | Error::NoTool { .. }
        | Error::NoComponent(_)
        | Error::InvalidArguments(_)
        | Error::InvalidAnswer(_)
        | Error::TooLarge { .. }
        | Error::Setting { .. }
        | Error::Limit(_)
        | Error::Grant(_) => Exit::Usage,
        Error::Registry(error) => match error {
            registry::Error::Component(error) => exit_of_sandbox(error),
            registry::Error::Describe(_)
            | registry::Error::Schema { .. }
            | registry::Error::Quarantined { .. } => Exit::Usage,
            registry::Error::Io { .. } | registry::Error::Damaged(_) | registry::Error::CutOff => {
                Exit::Host
            }
        },
        Error::Sandbox(error) => exit_of_sandbox(error),
        Error::Store(error) => match error {
            store::Error::Foreign { .. } => Exit::Usage,
            store::Error::Locked { .. }
            | store::Error::Corrupt { .. }
            | store::Error::Unusable { .. }
            | store::Error::Failed { .. }
            | store::Error::Closed => Exit::Host,
        },
    }
}

fn exit_of_sandbox(error: &sandbox::Error) -> Exit {
    use sandbox::Error;
    match error {
        Error::MapCount { .. } | Error::Engine(_) | Error::Compiled(_) => Exit::Host,
        Error::NotAComponent(_)
        | Error::Invalid(_)
        | Error::TooLarge(_)
        | Error::Wasi03(_)
        | Error::Import { .. }
        | Error::Export(_) => Exit::Usage,
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref::<Trouble>() {
        Some(Trouble::Input { hint, .. } | Trouble::Server { hint, .. }) => return hint.clone(),
        Some(Trouble::Told { code, .. }) => return hint_of_code(code).map(str::to_owned),
        Some(Trouble::Interrupted | Trouble::Left) | None => {}
    }
    let error = error.downcast_ref::<runtime::Error>()?;
    if let Some(hint) = hint_of_code(error.code()) {
        return Some(hint.to_owned());
    }
    let hint = match error {
        runtime::Error::NoTool { .. } | runtime::Error::InvalidArguments(_) => {
            "`stepwell tools COMPONENT` shows the tools and what they take"
        }
        runtime::Error::KeyReused(task) => {
            let id = task.id;
            return Some(format!(
                "`stepwell tasks show {id}` shows that task; other arguments need another --key"
            ));
        }
        runtime::Error::KeyNotKept(_) => "leave --key away: calling this tool twice does no harm",
        runtime::Error::Registry(registry::Error::Component(error))
        | runtime::Error::Sandbox(error) => return hint_of_sandbox(error).map(str::to_owned),
        runtime::Error::Registry(registry::Error::Quarantined { .. }) => {
            "it may also have been killed from outside; `stepwell tools COMPONENT --release` lifts \
             the quarantine"
        }
        runtime::Error::Store(store::Error::Unusable { .. }) => {
            "--data-dir names a directory that can be written; where a disk is full, what was \
             finished before is kept: free some space, then repeat the command"
        }
        runtime::Error::Store(store::Error::Failed { .. }) => {
            "what was finished before is kept; free some space or mend the disk, then repeat the \
             command"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What to do about refusals that come from a server, too.
fn hint_of_code(code: &str) -> Option<&'static str> {
    match code {
        "unknown-task" => Some("`stepwell tasks list` shows the tasks that are kept"),
        "no-checkpoint" => Some("`stepwell tasks checkpoints ID` lists those kept"),
        "cannot-fork" => Some("`stepwell tasks pause ID` pauses it at its next boundary"),
        "unauthenticated" => Some("--key or STEPWELL_KEY; `stepwell keys new` makes one"),
        _ => None,
    }
}

fn hint_of_sandbox(error: &sandbox::Error) -> Option<&'static str> {
    use sandbox::Error;
    match error {
        Error::NotAComponent(_) => Some(
            "build the tool with `cargo build --target wasm32-wasip2`, or make a component of a \
             core module with `wasm-tools component new`",
        ),
        Error::Invalid(_) => Some("the file may be cut short: build or copy it again"),
        Error::Export(_) => Some("wit/tool.wit says what a tool exports"),
        Error::Import { .. } => Some("only WASI 0.2 and the imports of wit/tool.wit are provided"),
        Error::Wasi03(_)
        | Error::TooLarge(_)
        | Error::MapCount { .. }
        | Error::Engine(_)
        | Error::Compiled(_) => None,
    }
}
