//! Asking a component for its tools: nobody trusts it yet, so it gets little of everything and
//! nothing that reaches outside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wasmtime::Engine;

use super::StopRequest;
use super::attempt::{host, settle};
use super::bindings::stepwell::tool::types;
use super::failure::ending;
use super::guest::{Guest, Setup};
use super::output::object;
use super::{Answer, Asked, Component, Durable, End, Ending, Entry, Info, Loaded, Meter, Reply};
use crate::clock::Clock;
use crate::limit::Limits;
use crate::task::{Failure, Kind, Source, Usage};
use crate::text::{clean, clean_line};
use crate::tool::{Annotations, Definition, SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, TaskSupport};

/// The most tools of a component.
const TOOLS_MAX: usize = 128;
/// The most bytes of a tool's name.
const NAME_BYTES_MAX: usize = 128;
/// The most bytes of a tool's name for people.
const TITLE_BYTES_MAX: usize = 256;
/// The most bytes of a tool's description.
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;
/// How long a component may wait while it describes itself.
const TIME_MAX: Duration = Duration::from_secs(30);

/// What a component may use to describe itself: enough for an interpreter to start.
fn limits() -> Limits {
    Limits {
        fuel: 10_000_000_000,
        memory: 256 << 20,
        table_elements: 100_000,
        instances: 128,
        output: 2 << 20,
        log: 64 << 10,
        ..Limits::default()
    }
}

pub(super) async fn describe(
    engine: &Engine,
    clock: &Clock,
    component: &Component,
) -> Result<Vec<Definition>, Failure> {
    let limits = limits();
    let setup = Setup {
        clock,
        meter: Arc::new(Meter::new(&limits, &Usage::default())),
        limits,
        grants: &[],
        durable: Box::new(Nothing),
    };
    let mut store = Guest::store(engine, setup).map_err(|error| host(&error))?;
    let described = async {
        let tool = component.tool.instantiate_async(&mut store).await?;
        tool.stepwell_tool_tools().call_describe(&mut store).await
    };
    let described = tokio::time::timeout(TIME_MAX, described).await;
    settle(&mut store);
    let Ok(described) = described else {
        return Err(misuse("it waits while it describes its tools"));
    };
    match described {
        Ok(tools) => definitions(tools),
        Err(error) => Err(match ending(&error, store.data_mut()) {
            Ending::Failed(failure) | Ending::Ended(End::Failed(failure)) => failure,
            _ => misuse("it ended while it described its tools"),
        }),
    }
}

fn definitions(tools: Vec<types::Definition>) -> Result<Vec<Definition>, Failure> {
    if tools.is_empty() || tools.len() > TOOLS_MAX {
        let count = tools.len();
        return Err(misuse(&format!(
            "it has {count} tools, not 1 to {TOOLS_MAX}"
        )));
    }
    let mut names = BTreeSet::new();
    let mut definitions = Vec::with_capacity(tools.len());
    for tool in tools {
        let definition = definition(tool)?;
        if !names.insert(definition.name.clone()) {
            return Err(misuse(&format!("it has two tools `{}`", definition.name)));
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

fn definition(tool: types::Definition) -> Result<Definition, Failure> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"_-./".contains(&c);
    let name = tool.name;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
        let name = clean_line(&name, NAME_BYTES_MAX);
        return Err(misuse(&format!(
            "a tool is called `{name}`; a name has 1 to {NAME_BYTES_MAX} of A-Z, a-z, 0-9, _, -, . and /"
        )));
    }
    let of = |what: &str| format!("{what} of `{name}`");
    let input_schema = schema(&tool.input_schema, &of("input-schema"))?;
    if input_schema.get("type").and_then(Value::as_str) != Some("object") {
        let what = of("input-schema");
        return Err(misuse(&format!("the {what} is not that of an object")));
    }
    let output_schema = tool
        .output_schema
        .map(|text| schema(&text, &of("output-schema")));
    let meta = tool.meta.map(|text| schema(&text, &of("meta")));
    Ok(Definition {
        title: tool.title.map(|title| clean_line(&title, TITLE_BYTES_MAX)),
        description: clean(&tool.description, DESCRIPTION_BYTES_MAX),
        input_schema,
        output_schema: output_schema.transpose()?,
        annotations: Annotations {
            read_only: tool.annotations.read_only,
            destructive: tool.annotations.destructive,
            idempotent: tool.annotations.idempotent,
            open_world: tool.annotations.open_world,
        },
        task_support: match tool.task_support {
            types::TaskSupport::Forbidden => TaskSupport::Forbidden,
            types::TaskSupport::Optional => TaskSupport::Optional,
            types::TaskSupport::Required => TaskSupport::Required,
        },
        meta: meta.transpose()?,
        name,
    })
}

/// A JSON object of bounded size and depth, its texts cleaned.
fn schema(text: &str, what: &str) -> Result<Value, Failure> {
    if text.len() > SCHEMA_BYTES_MAX {
        let len = text.len();
        return Err(misuse(&format!(
            "the {what} has {len} bytes, and {SCHEMA_BYTES_MAX} are allowed"
        )));
    }
    let mut value = object(text, what)?;
    if !cleaned(&mut value, SCHEMA_DEPTH_MAX) {
        return Err(misuse(&format!(
            "the {what} is nested more than {SCHEMA_DEPTH_MAX} deep"
        )));
    }
    Ok(value)
}

/// Cleans every text in `value`, names of properties too. Whether it is at most `depth` deep.
fn cleaned(value: &mut Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return !(value.is_array() || value.is_object());
    };
    match value {
        Value::String(text) => *text = clean(text, text.len()),
        Value::Array(values) => return values.iter_mut().all(|value| cleaned(value, depth)),
        Value::Object(map) => {
            for (name, mut value) in std::mem::take(map) {
                if !cleaned(&mut value, depth) {
                    return false;
                }
                map.insert(clean_line(&name, name.len()), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    true
}

fn misuse(message: &str) -> Failure {
    Failure::new(Kind::Misuse, message)
}

/// The durable side of a component that has no task. It denies everything.
struct Nothing;

impl Nothing {
    fn denied<T: Send + 'static>(what: &'static str) -> Answer<'static, T> {
        let message = format!("it calls `{what}` while it describes its tools");
        let end = End::Failed(Failure::new(Kind::Denied, message));
        Box::pin(std::future::ready(Err(end)))
    }
}

impl Durable for Nothing {
    fn begin(&mut self, _: String, _: Vec<u8>, _: bool) -> Answer<'_, Result<Entry, StopRequest>> {
        Self::denied("steps.begin")
    }

    fn complete<'a>(&'a mut self, _: &'a str, _: Vec<u8>) -> Answer<'a, ()> {
        Self::denied("steps.complete")
    }

    fn abandon(&mut self, _: &str) {}

    fn load(&mut self) -> Answer<'_, Option<Loaded>> {
        Self::denied("checkpoints.load")
    }

    fn save(&mut self, _: Vec<u8>) -> Answer<'_, Result<String, StopRequest>> {
        Self::denied("checkpoints.save")
    }

    fn report(&mut self, _: f64, _: Option<f64>, _: String) {}

    fn write(&mut self, source: Source, line: String) {
        tracing::debug!(?source, line, "a component describes itself");
    }

    fn sleep(&mut self, _: String, _: u64) -> Answer<'_, Result<(), StopRequest>> {
        Self::denied("timers.sleep")
    }

    fn ask(&mut self, _: Vec<Asked>) -> Answer<'_, Result<Vec<Reply>, StopRequest>> {
        Self::denied("elicitation.ask")
    }

    fn current(&self) -> Info {
        Info {
            id: String::new(),
            attempt: 0,
            traceparent: None,
        }
    }

    fn time_left(&self) -> u64 {
        crate::clock::millis(TIME_MAX)
    }

    fn stop_requested(&mut self) -> Answer<'_, Option<StopRequest>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_bounded_and_clean() {
        let good = schema(r#"{"description": "a\u202eb"}"#, "x").unwrap();
        assert_eq!(good["description"], "ab");
        let deep = format!(
            "{}{}",
            r#"{"a":"#.repeat(40),
            "1".to_owned() + &"}".repeat(40)
        );
        let check = |text: &str, expect: &str| {
            let failure = schema(text, "x").unwrap_err();
            assert!(failure.message.contains(expect), "{failure}");
        };
        check(&deep, "nested");
        check("[]", "not a JSON object");
        check("{", "not JSON");
        check(&" ".repeat(70_000), "70000 bytes");
    }
}
