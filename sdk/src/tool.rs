//! A tool: a function from typed arguments to a typed result, with what a client is told
//! about it. The schemas come from the types.

use std::fmt;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::contract::exports::stepwell::tool::tools as exported;
use crate::contract::stepwell::tool::types as wire;
use crate::host::Imports;
use crate::{Error, Output, Result, Task};

/// A tool, as [`export!`](crate::export!) takes it.
///
/// ```
/// use stepwell_guest::{Result, Task, TaskSupport, Tool};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args {
///     /// Whom to greet.
///     name: String,
/// }
///
/// #[derive(serde::Serialize, schemars::JsonSchema)]
/// struct Greeting {
///     text: String,
/// }
///
/// fn greet(_task: &Task, args: Args) -> Result<Greeting> {
///     Ok(Greeting { text: format!("Good day, {}.", args.name) })
/// }
///
/// let tool = Tool::new("greet", greet)
///     .description("Greets somebody.")
///     .read_only(true)
///     .task_support(TaskSupport::Forbidden);
/// # drop(tool);
/// ```
pub struct Tool {
    name: String,
    title: Option<String>,
    description: String,
    annotations: wire::Annotations,
    task_support: TaskSupport,
    meta: Option<Value>,
    schemas: fn() -> Schemas,
    run: Box<Run>,
}

/// The tool's function, behind its types.
type Run = dyn Fn(&Task, Value) -> Result<Output>;

/// Whether a tool may, or must, be called as a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskSupport {
    /// The tool is quick and keeps nothing: no checkpoints, questions or `once` steps.
    Forbidden,
    /// The caller chooses.
    #[default]
    Optional,
    /// The tool takes long.
    Required,
}

struct Schemas {
    input: Value,
    output: Option<Value>,
}

impl Tool {
    /// A tool that returns a value. A result that is an object in JSON, a struct or a map,
    /// has its schema told to the client; another is a text.
    pub fn new<A, T>(name: impl Into<String>, run: impl Fn(&Task, A) -> Result<T> + 'static) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        T: Serialize + JsonSchema,
    {
        let schemas = || {
            let output = schema::<T>();
            let is_object = output.get("type").and_then(Value::as_str) == Some("object");
            Schemas {
                input: input_schema::<A>(),
                output: is_object.then_some(output),
            }
        };
        Self::build(name.into(), schemas, move |task, arguments| {
            Output::of(&run(task, arguments_of(arguments)?)?)
        })
    }

    /// A tool that makes its [`Output`] itself: texts, images, links.
    pub fn with_output<A>(
        name: impl Into<String>,
        run: impl Fn(&Task, A) -> Result<Output> + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
    {
        let schemas = || Schemas {
            input: input_schema::<A>(),
            output: None,
        };
        Self::build(name.into(), schemas, move |task, arguments| {
            run(task, arguments_of(arguments)?)
        })
    }

    fn build(
        name: String,
        schemas: fn() -> Schemas,
        run: impl Fn(&Task, Value) -> Result<Output> + 'static,
    ) -> Self {
        Self {
            name,
            title: None,
            description: String::new(),
            annotations: wire::Annotations {
                read_only: None,
                destructive: None,
                idempotent: None,
                open_world: None,
            },
            task_support: TaskSupport::default(),
            meta: None,
            schemas,
            run: Box::new(run),
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// What the tool does, for the model that chooses it.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Whether the tool leaves the world as it is.
    #[must_use]
    pub fn read_only(mut self, is_so: bool) -> Self {
        self.annotations.read_only = Some(is_so);
        self
    }

    /// Whether the tool may destroy something.
    #[must_use]
    pub fn destructive(mut self, is_so: bool) -> Self {
        self.annotations.destructive = Some(is_so);
        self
    }

    /// Whether calling it twice does no more than calling it once.
    #[must_use]
    pub fn idempotent(mut self, is_so: bool) -> Self {
        self.annotations.idempotent = Some(is_so);
        self
    }

    /// Whether the tool deals with a world that is not closed, such as the web.
    #[must_use]
    pub fn open_world(mut self, is_so: bool) -> Self {
        self.annotations.open_world = Some(is_so);
        self
    }

    /// Whether the tool may, or must, be called as a task.
    #[must_use]
    pub fn task_support(mut self, support: TaskSupport) -> Self {
        self.task_support = support;
        self
    }

    /// A JSON object, handed on as MCP's `_meta`.
    #[must_use]
    pub fn meta(mut self, meta: Value) -> Self {
        self.meta = Some(meta);
        self
    }

    pub(crate) fn run(&self, task: &Task, arguments: &str) -> Result<Output> {
        let arguments = serde_json::from_str(arguments).map_err(Error::invalid_arguments)?;
        (self.run)(task, arguments)
    }

    fn definition(&self) -> wire::Definition {
        let Schemas { input, output } = (self.schemas)();
        wire::Definition {
            name: self.name.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            input_schema: input.to_string(),
            output_schema: output.map(|schema| schema.to_string()),
            annotations: self.annotations,
            task_support: match self.task_support {
                TaskSupport::Forbidden => wire::TaskSupport::Forbidden,
                TaskSupport::Optional => wire::TaskSupport::Optional,
                TaskSupport::Required => wire::TaskSupport::Required,
            },
            meta: self.meta.as_ref().map(Value::to_string),
        }
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What [`export!`](crate::export!) answers to the contract's `describe`.
#[doc(hidden)]
pub fn describe(tools: &[Tool]) -> Vec<wire::Definition> {
    tools.iter().map(Tool::definition).collect()
}

/// What [`export!`](crate::export!) answers to the contract's `call`.
#[doc(hidden)]
pub fn call(
    tools: &[Tool],
    name: &str,
    arguments: &str,
) -> std::result::Result<wire::Output, exported::Error> {
    let task = Task::new(Box::new(Imports));
    let output = match tools.iter().find(|tool| tool.name == name) {
        Some(tool) => tool.run(&task, arguments),
        None => Err(Error::invalid_arguments(format!(
            "there is no tool `{name}` here"
        ))),
    };
    Ok(output?.into())
}

fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The schema of the arguments, which are an object also for a function that takes `()`.
fn input_schema<A: JsonSchema>() -> Value {
    if is_unit::<A>() {
        return serde_json::json!({"type": "object", "additionalProperties": false});
    }
    schema::<A>()
}

fn is_unit<A: JsonSchema>() -> bool {
    schema::<A>().get("type").and_then(Value::as_str) == Some("null")
}

fn arguments_of<A: DeserializeOwned + JsonSchema>(arguments: Value) -> Result<A> {
    let is_empty = arguments.as_object().is_some_and(serde_json::Map::is_empty);
    match serde_json::from_value(arguments) {
        // A function of `()` is called with an empty object, since arguments are one.
        Err(_) if is_empty && is_unit::<A>() => serde_json::from_value(Value::Null),
        parsed => parsed,
    }
    .map_err(Error::invalid_arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[derive(serde::Deserialize, JsonSchema)]
    struct Args {
        count: u32,
    }

    #[derive(Serialize, JsonSchema)]
    struct Counted {
        count: u32,
    }

    fn tool() -> Tool {
        Tool::new("count", |_: &Task, args: Args| {
            Ok(Counted {
                count: args.count + 1,
            })
        })
    }

    #[test]
    fn the_schemas_come_from_the_types() {
        let definition = tool().description("Counts.").read_only(true).definition();
        let input: Value = serde_json::from_str(&definition.input_schema).unwrap();
        assert_eq!(input["properties"]["count"]["type"], "integer");
        assert_eq!(input["required"], serde_json::json!(["count"]));
        assert!(definition.output_schema.is_some());
        assert_eq!(definition.annotations.read_only, Some(true));
        let text = Tool::new("text", |_: &Task, _: Args| Ok("a text".to_owned()));
        assert_eq!(text.definition().output_schema, None);
    }

    #[test]
    fn wrong_arguments_are_said_to_be_so() {
        let fake = Fake::default();
        let error = tool().run(&fake.task(), r#"{"count":"x"}"#).unwrap_err();
        assert!(matches!(error, Error::InvalidArguments(_)), "{error}");
        let output = wire::Output::from(tool().run(&fake.task(), r#"{"count":1}"#).unwrap());
        assert_eq!(output.structured.as_deref(), Some(r#"{"count":2}"#));
    }

    #[test]
    fn a_function_of_nothing_takes_an_empty_object() {
        assert_eq!(input_schema::<()>()["type"], "object");
        assert!(arguments_of::<()>(serde_json::json!({})).is_ok());
        assert!(arguments_of::<()>(serde_json::json!({"a": 1})).is_err());
    }
}
