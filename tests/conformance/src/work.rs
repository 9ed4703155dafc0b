//! Tools that take their time, or fail: those of the suite's scenarios about tasks.

use serde_json::{Value, json};

use crate::contract::stepwell::tool::types::TaskSupport;
use crate::contract::stepwell::tool::{progress, timers};
use crate::{Error, Output, Result, Tool, failed, invalid, nothing, object, text, text_of};

/// Longer than a call that may become a task waits, shorter than the suite does.
const AFTER_THE_ANSWER_MS: u64 = 4_000;

pub(crate) const TOOLS: [Tool; 4] = [
    Tool {
        name: "greet",
        description: "Greets somebody, at once.",
        task: TaskSupport::Forbidden,
        takes: || object(json!({"name": {"type": "string"}})),
        run: |arguments| {
            let name = text_of(arguments, "name")?;
            Ok(text(format!("Hello, {name}!")))
        },
    },
    Tool {
        name: "slow_compute",
        description: "Takes as many seconds as it is told to.",
        task: TaskSupport::Optional,
        takes: slow_compute_takes,
        run: slow_compute,
    },
    Tool {
        name: "failing_job",
        description: "Fails after a second.",
        task: TaskSupport::Required,
        takes: nothing,
        run: |_| {
            sleep("job", 1_000)?;
            Err(failed("The job failed, as it always does"))
        },
    },
    Tool {
        name: "protocol_error_job",
        description: "Never comes to an answer.",
        task: TaskSupport::Optional,
        takes: nothing,
        run: |_| panic!("protocol_error_job always panics"),
    },
];

fn slow_compute_takes() -> Value {
    json!({
        "type": "object",
        "required": ["seconds"],
        "properties": {
            "seconds": {"type": "integer", "minimum": 0, "maximum": 3600},
            "label": {"type": "string"},
        },
    })
}

fn slow_compute(arguments: &Value) -> Result<Output> {
    let seconds = arguments.get("seconds").and_then(Value::as_u64);
    let seconds = seconds.ok_or_else(|| invalid("`seconds` takes a whole number"))?;
    let label = arguments.get("label").and_then(Value::as_str);
    let label = label.unwrap_or("unnamed");
    progress::report(0.0, Some(1.0), &format!("computing {label}"));
    sleep("compute", seconds.saturating_mul(1_000))?;
    progress::report(1.0, Some(1.0), &format!("computed {label}"));
    Ok(text(format!("Computed {label} in {seconds} s")))
}

/// Work after an answer: a call that has waited for its client becomes a task here.
pub(crate) fn after_the_answer() -> Result<()> {
    sleep("work", AFTER_THE_ANSWER_MS)
}

fn sleep(name: &str, milliseconds: u64) -> Result<()> {
    if milliseconds == 0 {
        return Ok(());
    }
    timers::sleep(name, milliseconds).map_err(|_| Error::Stopped)
}
