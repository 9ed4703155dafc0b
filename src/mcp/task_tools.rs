//! Tasks for hosts that know none: four ordinary tools, in the list of tools like any other, where
//! the configuration wants them (`task_tools`). They say what the plain vocabulary says, under
//! names that every host lets a model call.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::params;
use super::{Error, plain};
use crate::catalogue;

/// Their names, which no other tool may have.
const NAMES: [&str; 4] = catalogue::RESERVED;

#[derive(Deserialize)]
struct Start {
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    key: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    task: String,
}

#[derive(Deserialize)]
struct Awaited {
    task: String,
    #[serde(default)]
    wait_ms: u64,
}

/// Whether `name` is one of them.
pub(super) fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The word of the plain vocabulary that a call of one of them is, with its parameters.
pub(super) fn as_plain(name: &str, arguments: Value) -> Result<(&'static str, Value), Error> {
    Ok(match name {
        "task_start" => {
            let Start {
                tool,
                arguments,
                key,
            } = params(arguments)?;
            let call = json!({"name": tool, "arguments": arguments});
            (
                plain::CREATE,
                json!({"method": "tools/call", "params": call, "key": key}),
            )
        }
        "task_status" => {
            let Named { task } = params(arguments)?;
            (plain::STATUS, json!({"taskId": task}))
        }
        "task_result" => {
            let Awaited { task, wait_ms } = params(arguments)?;
            (plain::RESULT, json!({"taskId": task, "waitMs": wait_ms}))
        }
        "task_cancel" => {
            let Named { task } = params(arguments)?;
            (plain::CANCEL, json!({"taskId": task}))
        }
        _ => {
            return Err(Error::invalid_params(format!(
                "params.name: there is no tool `{name}`"
            )));
        }
    })
}

/// What they say of themselves.
pub(super) fn list() -> [Value; 4] {
    let id = json!({"type": "string", "description": "The task's id, as task_start returned it."});
    let about = |properties: Value, required: &[&str]| {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    let [cancel, result, start, status] = NAMES;
    [
        json!({
            "name": cancel,
            "title": "Cancel a task",
            "description": "Asks a task to stop. It tidies up and ends as cancelled; one that has \
                            ended stays as it is.",
            "inputSchema": about(json!({"task": id}), &["task"]),
            "annotations": {"readOnlyHint": false, "idempotentHint": true, "openWorldHint": false},
        }),
        json!({
            "name": result,
            "title": "Get a task's result",
            "description": "Returns what the task's tool returned. While the task is still at work \
                            it says so; wait_ms waits for the end for up to that many milliseconds.",
            "inputSchema": about(
                json!({"task": id, "wait_ms": {"type": "integer", "minimum": 0, "maximum": 50_000}}),
                &["task"],
            ),
            "annotations": {"readOnlyHint": true, "openWorldHint": false},
        }),
        json!({
            "name": start,
            "title": "Start a tool as a task",
            "description": "Calls a tool in the background and returns at once with the task's id. \
                            The task survives crashes and restarts. With the same key the same task \
                            is found again instead of starting another.",
            "inputSchema": about(
                json!({
                    "tool": {"type": "string", "description": "The name of one of the tools."},
                    "arguments": {"type": "object", "description": "What it is called with."},
                    "key": {"type": "string", "minLength": 1, "maxLength": 256},
                }),
                &["tool"],
            ),
            "annotations": {"readOnlyHint": false},
        }),
        json!({
            "name": status,
            "title": "Look at a task",
            "description": "Says where a task is: pending, running, completed, failed or cancelled, \
                            how far it has come, and what it waits for.",
            "inputSchema": about(json!({"task": id}), &["task"]),
            "annotations": {"readOnlyHint": true, "openWorldHint": false},
        }),
    ]
}
