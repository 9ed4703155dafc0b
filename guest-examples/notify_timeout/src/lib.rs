//! `notify_timeout`: the report that a task was given up because it took too long. It
//! keeps nothing, so it may not be called as a task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stepwell_guest::{Error, Level, Result, Task, TaskSupport, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Args {
    /// The task that took too long.
    task_id: String,
    /// How long it was waited for, in seconds.
    waited_seconds: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Report {
    task_id: String,
    message: String,
}

fn notify_timeout(task: &Task, args: Args) -> Result<Report> {
    let Args {
        task_id,
        waited_seconds,
    } = args;
    if task_id.is_empty() {
        return Err(Error::invalid_arguments("`taskId` is empty"));
    }
    let message = match waited_seconds {
        Some(seconds) => format!("Task {task_id} was given up after {seconds} s."),
        None => format!("Task {task_id} was given up: it took too long."),
    };
    task.log(Level::Warning, &message);
    Ok(Report { task_id, message })
}

stepwell_guest::export!(
    Tool::new("notify_timeout", notify_timeout)
        .title("Notify of a timeout")
        .description("Reports that a task was given up because it took too long.")
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .task_support(TaskSupport::Forbidden)
);
