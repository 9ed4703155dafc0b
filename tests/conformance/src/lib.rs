//! The tools that MCP's conformance suite calls by their names, with its texts, schemas and
//! questions, written against the bare contract so that all of it stays as the suite has it.

mod content;
mod contract;
mod form;
mod input;
mod work;

use serde_json::{Value, json};

use contract::exports::stepwell::tool::tools::{Definition, Error, Guest, Output};
use contract::stepwell::tool::types::{Annotations, Content, Failure, TaskSupport};

type Result<T, E = Error> = std::result::Result<T, E>;

/// A tool, as the tables in the modules have it.
struct Tool {
    name: &'static str,
    description: &'static str,
    task: TaskSupport,
    /// The arguments' schema.
    takes: fn() -> Value,
    run: fn(&Value) -> Result<Output>,
}

struct Component;

impl Guest for Component {
    fn describe() -> Vec<Definition> {
        tools().map(definition).collect()
    }

    fn call(name: String, arguments: String) -> Result<Output> {
        let arguments = serde_json::from_str(&arguments).map_err(invalid)?;
        match tools().find(|tool| tool.name == name) {
            Some(tool) => (tool.run)(&arguments),
            None => Err(invalid(format!("there is no tool `{name}` here"))),
        }
    }
}

#[allow(unsafe_code, reason = "generated code")]
mod export {
    use super::{Component, contract};

    contract::export_contract!(Component with_types_in contract);
}

/// All of them. The first takes no arguments: the suite calls the first with none.
fn tools() -> impl Iterator<Item = &'static Tool> {
    let tables: [&[Tool]; 3] = [&content::TOOLS, &work::TOOLS, &input::TOOLS];
    tables.into_iter().flatten()
}

fn definition(tool: &Tool) -> Definition {
    Definition {
        name: tool.name.to_owned(),
        title: None,
        description: tool.description.to_owned(),
        input_schema: (tool.takes)().to_string(),
        output_schema: None,
        annotations: Annotations {
            read_only: None,
            destructive: None,
            idempotent: None,
            open_world: None,
        },
        task_support: tool.task,
        meta: requires(tool.name).map(|needed| json!({"stepwell/requires": needed}).to_string()),
    }
}

/// What the tool's client has to be capable of.
fn requires(name: &str) -> Option<Value> {
    (name == "test_missing_capability").then(|| json!({"sampling": {}}))
}

/// The schema of a tool without arguments.
fn nothing() -> Value {
    json!({"type": "object", "properties": {}})
}

/// The schema of an object of which everything is required.
fn object(properties: Value) -> Value {
    let fields = properties.as_object().into_iter().flatten();
    let required: Vec<_> = fields.map(|(name, _)| name.as_str()).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn text_of(arguments: &Value, name: &str) -> Result<String> {
    let text = arguments.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| invalid(format!("`{name}` takes a text")))
}

fn output(content: Vec<Content>) -> Output {
    Output {
        content,
        structured: None,
        meta: None,
    }
}

fn text(text: impl Into<String>) -> Output {
    output(vec![Content::Text(text.into())])
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
