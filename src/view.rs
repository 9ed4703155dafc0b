//! What is shown of tasks: the JSON that the command line prints and that `/api/v1` answers with.
//!
//! Stable names, in snake case. Times are RFC 3339, durations milliseconds. Each view is made of a
//! record here and nowhere else, and is read back by whoever is told of tasks by a server, so that
//! what is shown of them is the same wherever they are.

use serde_json::{Value, json};

use crate::limit::Limits;
use crate::runtime::Called;

mod checkpoint;
mod ending;
mod event;
mod task;

pub use checkpoint::Checkpoint;
pub use ending::Failure;
pub use event::{Entry, Event};
pub use task::{Cancel, Parent, Question, Sleep, Stop, Task};

/// A call of which nothing is kept.
pub fn call(tool: &str, called: &Called, limits: &Limits) -> Value {
    let (status, came) = match &called.result {
        Ok(output) => ("completed", ("result", json!(output))),
        Err(why) => ("failed", ("failure", json!(Failure::from(why)))),
    };
    let mut call = json!({
        "task": null,
        "tool": tool,
        "usage": called.usage,
        "limits": limits,
        "status": status,
    });
    if let Some(call) = call.as_object_mut() {
        call.insert(came.0.to_owned(), came.1);
    }
    call
}

/// A JSON text as what it says.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
