//! `notify`: a notice that is written to the task's log and answered at once. It keeps
//! nothing, so it may not be called as a task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stepwell_guest::{Error, Level, Result, Task, TaskSupport, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    /// What is to be told, at most 1000 characters.
    message: String,
    /// How grave it is.
    #[serde(default)]
    severity: Severity,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Severity {
    #[default]
    Info,
    Warning,
    Error,
}

#[derive(Serialize, JsonSchema)]
struct Notice {
    message: String,
    severity: Severity,
}

fn notify(task: &Task, args: Args) -> Result<Notice> {
    let Args { message, severity } = args;
    if message.trim().is_empty() || message.chars().count() > 1000 {
        return Err(Error::invalid_arguments(
            "`message` takes 1 to 1000 characters",
        ));
    }
    let level = match severity {
        Severity::Info => Level::Info,
        Severity::Warning => Level::Warning,
        Severity::Error => Level::Error,
    };
    task.log(level, &message);
    Ok(Notice { message, severity })
}

stepwell_guest::export!(
    Tool::new("notify", notify)
        .title("Notify")
        .description("Writes a notice to the log and answers at once.")
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .task_support(TaskSupport::Forbidden)
);
