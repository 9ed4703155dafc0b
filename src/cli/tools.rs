//! `stepwell tools`: what a component says of its tools.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::error::Trouble;
use super::session::Session;
use super::{Context, Exit, run};
use crate::id::Digest;
use crate::text::clean_line;
use crate::tool::{Annotations, Definition};

/// Lists the tools of a component, with what they take and return. Nothing of it is kept.
#[derive(clap::Args, Debug)]
pub struct Tools {
    /// The component's file
    component: PathBuf,
    /// Lift its quarantine in the data directory: it took the process with it three times in a
    /// row, or was killed from outside
    #[arg(long)]
    release: bool,
}

impl Tools {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let component = run::component(&self.component)?;
        if self.release {
            let digest = Digest::of(&component);
            // Here, and not with a server: it is the directory's own.
            let session = Session::find(&context.global.place()?).await?;
            let released = session.runtime.release(digest).await;
            session.close().await;
            released?;
            context.screen.say("it may be run again");
            return Ok(Exit::Done);
        }
        let manifest = tokio::select! {
            manifest = crate::runtime::inspect(component) => manifest?,
            _ = context.signals.next() => return Err(Trouble::Interrupted.into()),
        };
        let screen = &context.screen;
        if screen.json {
            let tools: Vec<_> = manifest
                .tools
                .iter()
                .map(|tool| json!(tool.definition))
                .collect();
            screen.value(&json!({
                "component": manifest.component.to_string(),
                "tools": tools,
            }))?;
            return Ok(Exit::Done);
        }
        let tools = manifest.tools.iter().map(|tool| words(&tool.definition));
        screen.data(&tools.collect::<Vec<_>>().join("\n\n"))?;
        Ok(Exit::Done)
    }
}

fn words(tool: &Definition) -> String {
    let title = tool
        .title
        .as_ref()
        .map(|title| format!(": {title}"))
        .unwrap_or_default();
    let mut lines = vec![
        format!("{}{title}", tool.name),
        format!("  {}", clean_line(&tool.description, 4_096)),
        format!("  as a task: {}", tool.task_support),
    ];
    let hints = hints(tool.annotations);
    if !hints.is_empty() {
        lines.push(format!("  hints: {}", hints.join(", ")));
    }
    lines.extend(schema("takes", &tool.input_schema));
    if let Some(output) = &tool.output_schema {
        lines.extend(schema("returns", output));
    }
    lines.join("\n")
}

fn hints(annotations: Annotations) -> Vec<&'static str> {
    let hint = |hint, yes, no| match hint {
        Some(true) => Some(yes),
        Some(false) => Some(no),
        None => None,
    };
    let hints = [
        hint(
            annotations.read_only,
            "changes nothing",
            "changes something",
        ),
        hint(
            annotations.destructive,
            "may destroy something",
            "destroys nothing",
        ),
        hint(
            annotations.idempotent,
            "may be called again",
            "not to be called twice",
        ),
        hint(
            annotations.open_world,
            "talks to the world outside",
            "stays within",
        ),
    ];
    hints.into_iter().flatten().collect()
}

/// The fields of an object's schema, a line for each; any other schema as it is.
fn schema(what: &str, schema: &Value) -> Vec<String> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|it| it == name));
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        return vec![format!(
            "  {what}: {}",
            clean_line(&schema.to_string(), 4_096)
        )];
    };
    let width = fields
        .keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or_default();
    let mut lines = vec![format!("  {what}:")];
    lines.extend(fields.iter().map(|(name, field)| {
        let must = if is_required(name) { ", required" } else { "" };
        let default = match field.get("default") {
            Some(default) if !default.is_null() => format!(", default {default}"),
            _ => String::new(),
        };
        let about = field
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let line = format!(
            "    {name:width$}  {}{must}{default}  {about}",
            kind(schema, field)
        );
        clean_line(line.trim_end(), 4_096)
    }));
    lines
}

fn kind(schema: &Value, field: &Value) -> String {
    let pointer = field.get("$ref").and_then(Value::as_str);
    let pointer = pointer.and_then(|pointer| pointer.strip_prefix('#'));
    let field = pointer
        .and_then(|pointer| schema.pointer(pointer))
        .unwrap_or(field);
    if let Some(choices) = field.get("enum").and_then(Value::as_array) {
        return choices
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(" | ");
    }
    match field.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => {
            let kinds = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null");
            kinds.collect::<Vec<_>>().join(" | ")
        }
        _ => "any".to_owned(),
    }
}
