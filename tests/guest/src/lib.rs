//! The tools that the tests of the runtime call, written against the bare contract, so that
//! a test can say exactly what reaches the runtime. `script` runs what its arguments say,
//! `model` the guests of the design's model; the others are out to do harm.

mod contract;
mod file;
mod hostile;
mod model;
mod repeated;
mod script;
mod world;

#[path = "../../../sdk/src/names.rs"]
mod names;

use serde_json::Value;

use contract::exports::stepwell::tool::tools::{Definition, Error, Guest, Output};
use contract::stepwell::tool::types::{Annotations, Content, Failure, TaskSupport};

type Result<T, E = Error> = std::result::Result<T, E>;

type Tool = fn(&Value) -> Result<Output>;

const TOOLS: [(&str, Tool); 13] = [
    ("allocate", hostile::allocate),
    ("begin_many", hostile::begin_many),
    ("big_output", hostile::big_output),
    ("echo", hostile::echo),
    ("flood", hostile::flood),
    ("journal", hostile::journal),
    ("model", model::run),
    ("recurse", hostile::recurse),
    ("repeat_pointer", repeated::run),
    ("script", script::run),
    ("sleep_host", hostile::sleep_host),
    ("spin", hostile::spin),
    ("trap", hostile::trap),
];

struct Component;

impl Guest for Component {
    fn describe() -> Vec<Definition> {
        TOOLS.iter().map(|(name, _)| definition(name)).collect()
    }

    fn call(name: String, arguments: String) -> Result<Output> {
        let arguments = serde_json::from_str(&arguments).map_err(invalid)?;
        match TOOLS.iter().find(|(known, _)| *known == name) {
            Some((_, tool)) => tool(&arguments),
            None => Err(invalid(format!("there is no tool `{name}` here"))),
        }
    }
}

#[allow(unsafe_code, reason = "generated code")]
mod export {
    use super::{Component, contract};

    contract::export_contract!(Component with_types_in contract);
}

fn definition(name: &str) -> Definition {
    Definition {
        name: name.to_owned(),
        title: None,
        description: format!("The test guest's `{name}`."),
        input_schema: r#"{"type":"object"}"#.to_owned(),
        output_schema: None,
        annotations: Annotations {
            read_only: None,
            destructive: None,
            idempotent: None,
            open_world: None,
        },
        task_support: TaskSupport::Optional,
        meta: None,
    }
}

/// The value, as a text and structured.
fn output(value: &Value) -> Output {
    let json = value.to_string();
    Output {
        content: vec![Content::Text(json.clone())],
        structured: Some(json),
        meta: None,
    }
}

fn text(text: String) -> Output {
    Output {
        content: vec![Content::Text(text)],
        structured: None,
        meta: None,
    }
}

fn failure(message: impl ToString) -> Failure {
    Failure {
        message: message.to_string(),
        data: None,
    }
}

fn failed(message: impl ToString) -> Error {
    Error::Failed(failure(message))
}

fn invalid(message: impl ToString) -> Error {
    Error::InvalidArguments(failure(message))
}

fn number(arguments: &Value, name: &str) -> Result<u64> {
    let number = arguments.get(name).and_then(Value::as_u64);
    number.ok_or_else(|| invalid(format!("`{name}` takes a whole number")))
}
