//! `script`: runs the operations of its arguments in order and returns a transcript of what
//! each of them got. What the operations are is written in `tests/guest/README.md`.

mod operation;
mod outside;
mod stages;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::contract::exports::stepwell::tool::tools::{Error, Output};
use crate::contract::stepwell::tool::steps::Step;
use crate::contract::stepwell::tool::task;
use crate::contract::stepwell::tool::types::{Stop, StopReason};
use crate::{Result, file, invalid, output};

/// Why the operations do not go on.
enum Leave {
    Stopped,
    With(Error),
}

/// The interpreter's state.
struct Script {
    transcript: Vec<Value>,
    /// Where the transcript is written too, for a test of a task without a result.
    transcript_file: Option<String>,
    at_work: BTreeMap<String, Step>,
    held: Vec<Vec<u8>>,
    /// What steps and questions came to, over all stretches: see `stages`.
    outputs: Vec<Value>,
    /// Whether a stop only goes into the transcript.
    goes_on: bool,
}

pub(crate) fn run(arguments: &Value) -> Result<Output> {
    let on_stop = arguments.get("on_stop");
    let file = arguments.get("transcript_file").and_then(Value::as_str);
    let mut script = Script {
        transcript: Vec::new(),
        transcript_file: file.map(str::to_owned),
        at_work: BTreeMap::new(),
        held: Vec::new(),
        outputs: Vec::new(),
        goes_on: on_stop.and_then(Value::as_str) == Some("ignore"),
    };
    match script.run_all(list(arguments, "ops")?) {
        Ok(()) => {}
        Err(Leave::With(error)) => return Err(error),
        Err(Leave::Stopped) => {
            script.goes_on = true;
            let tidy_up = on_stop.and_then(Value::as_array);
            match script.run_all(tidy_up.map_or(&[], Vec::as_slice)) {
                Err(Leave::With(error)) => return Err(error),
                Ok(()) | Err(Leave::Stopped) => {}
            }
            if text(arguments, "on_stop_return") != "ok" {
                return Err(Error::Stopped);
            }
        }
    }
    Ok(output(&match text(arguments, "returns") {
        "outputs" => json!({ "outputs": script.outputs }),
        _ => json!({ "transcript": script.transcript }),
    }))
}

impl Script {
    fn run_all(&mut self, operations: &[Value]) -> Result<(), Leave> {
        operations
            .iter()
            .try_for_each(|operation| self.run(operation))
    }

    /// Adds to the transcript.
    fn note(&mut self, entry: Value) -> Result<(), Leave> {
        if let Some(path) = &self.transcript_file {
            let line = json!([task::current().attempt, entry]).to_string();
            file::append(path, &line).map_err(|error| Leave::With(invalid(error)))?;
        }
        self.transcript.push(entry);
        Ok(())
    }

    fn stopped(&mut self, stop: Stop) -> Result<(), Leave> {
        let reason = match stop.reason {
            StopReason::Cancelled => "cancelled",
            StopReason::DeadlineExceeded => "deadline-exceeded",
            StopReason::OutOfFuel => "out-of-fuel",
        };
        self.note(json!({ "stop": reason, "grace": stop.grace }))?;
        if self.goes_on {
            Ok(())
        } else {
            Err(Leave::Stopped)
        }
    }
}

impl From<Error> for Leave {
    fn from(error: Error) -> Self {
        Self::With(error)
    }
}

fn text<'a>(operation: &'a Value, name: &str) -> &'a str {
    operation
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'a>(operation: &'a Value, name: &str) -> Result<&'a [Value]> {
    let list = operation.get(name).and_then(Value::as_array);
    list.map(Vec::as_slice)
        .ok_or_else(|| invalid(format!("`{name}` takes a list")))
}
