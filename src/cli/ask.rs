//! Questions, asked on the terminal: one line for each field of a flat object.

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Screen, Signal, Signals, Style};
use crate::desk::Answer;
use crate::text::clean_line;
use crate::view::Question;

/// The most bytes of a text of the tool that are shown.
const TEXT_BYTES_MAX: usize = 4_096;

/// What came of a question.
pub(super) enum Asked {
    /// It was answered.
    Answer(Answer),
    /// Something else was wished for.
    Signal(Signal),
    /// The terminal was closed.
    Gone,
}

/// The lines that are typed, read on a thread of their own: a read from a terminal can't be taken
/// back when a signal comes first. Nothing is read before the first question.
#[derive(Default)]
pub(super) struct Input(Option<mpsc::UnboundedReceiver<String>>);

impl Input {
    async fn next(&mut self) -> Option<String> {
        self.0.get_or_insert_with(typed).recv().await
    }
}

fn typed() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A field of the answer.
struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    required: bool,
}

/// Asks, field by field, until there is an answer.
pub(super) async fn ask(
    screen: &Screen,
    input: &mut Input,
    signals: &mut Signals,
    question: &Question,
) -> Asked {
    let schema = &question.schema;
    let message = clean_line(&question.message, TEXT_BYTES_MAX);
    screen.warn(&screen.paint(Style::Bold, &format!("? {message}")));
    screen.warn(&screen.paint(
        Style::Dim,
        "  /decline refuses, /cancel dismisses the question",
    ));
    let mut answer = Map::new();
    let fields = fields(schema);
    if fields.is_empty() {
        Screen::prompt("  press enter to agree: ");
        return match line(input, signals).await {
            Ok(line) => refusal(question, &line)
                .unwrap_or_else(|| Asked::Answer(accept(question, json!({})))),
            Err(asked) => asked,
        };
    }
    for field in fields {
        loop {
            Screen::prompt(&prompt(&field));
            let typed = match line(input, signals).await {
                Ok(typed) => typed,
                Err(asked) => return asked,
            };
            if let Some(refusal) = refusal(question, &typed) {
                return refusal;
            }
            match parse(&field, typed.trim()) {
                Ok(Some(value)) => {
                    answer.insert(field.name.to_owned(), value);
                    break;
                }
                Ok(None) => break,
                Err(what) => screen.warn(&screen.paint(Style::Warning, &format!("  {what}"))),
            }
        }
    }
    Asked::Answer(accept(question, Value::Object(answer)))
}

async fn line(input: &mut Input, signals: &mut Signals) -> Result<String, Asked> {
    tokio::select! {
        line = input.next() => line.ok_or(Asked::Gone),
        signal = signals.next() => {
            Screen::prompt("\n");
            Err(Asked::Signal(signal))
        }
    }
}

fn accept(question: &Question, value: Value) -> Answer {
    Answer {
        question: question.question.clone(),
        accept: Some(value),
        ..Answer::default()
    }
}

fn refusal(question: &Question, line: &str) -> Option<Asked> {
    let (decline, cancel) = match line.trim() {
        "/decline" => (true, false),
        "/cancel" => (false, true),
        _ => return None,
    };
    Some(Asked::Answer(Answer {
        question: question.question.clone(),
        accept: None,
        decline,
        cancel,
    }))
}

fn fields<'a>(schema: &'a Value) -> Vec<Field<'a>> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|it| it == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    let field = |(name, field): (&'a String, &'a Value)| Field {
        name,
        schema: resolved(schema, field),
        required: is_required(name),
    };
    properties.into_iter().flatten().map(field).collect()
}

/// A field's schema; where it only refers to one that the whole schema defines, that.
fn resolved<'a>(schema: &'a Value, field: &'a Value) -> &'a Value {
    let pointer = field.get("$ref").and_then(Value::as_str);
    let pointer = pointer.and_then(|pointer| pointer.strip_prefix('#'));
    pointer
        .and_then(|pointer| schema.pointer(pointer))
        .unwrap_or(field)
}

fn prompt(field: &Field<'_>) -> String {
    let about = field
        .schema
        .get("description")
        .or_else(|| field.schema.get("title"));
    let about = about
        .and_then(Value::as_str)
        .map(|about| format!(" ({about})"));
    let kind = match choices(field.schema) {
        Some(choices) => choices.join(" | "),
        None => match kind(field.schema) {
            "boolean" => "yes | no".to_owned(),
            kind => kind.to_owned(),
        },
    };
    let default = field
        .schema
        .get("default")
        .map(|default| format!(", enter for {default}"));
    let skip = if field.required || default.is_some() {
        ""
    } else {
        ", enter to leave out"
    };
    let prompt = format!(
        "  {}{} [{kind}{}{skip}]: ",
        field.name,
        about.unwrap_or_default(),
        default.unwrap_or_default()
    );
    clean_line(&prompt, TEXT_BYTES_MAX)
}

fn kind(schema: &Value) -> &str {
    schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("string")
}

fn choices(schema: &Value) -> Option<Vec<&str>> {
    let choices = schema.get("enum").and_then(Value::as_array)?;
    choices.iter().map(Value::as_str).collect()
}

/// What was typed for a field; nothing, where it is left out.
fn parse(field: &Field<'_>, typed: &str) -> Result<Option<Value>, String> {
    if typed.is_empty() {
        return match field.schema.get("default") {
            Some(default) => Ok(Some(default.clone())),
            None if field.required => Err("an answer is needed".to_owned()),
            None => Ok(None),
        };
    }
    if let Some(choices) = choices(field.schema) {
        let beginning: Vec<_> = choices
            .iter()
            .filter(|it| it.starts_with(typed))
            .copied()
            .collect();
        return match beginning.as_slice() {
            _ if choices.contains(&typed) => Ok(Some(json!(typed))),
            [choice] => Ok(Some(json!(choice))),
            _ => Err(format!("one of: {}", choices.join(", "))),
        };
    }
    match kind(field.schema) {
        "integer" => match typed.parse::<i64>() {
            Ok(number) => Ok(Some(json!(number))),
            Err(_) => Err("a whole number is needed".to_owned()),
        },
        "number" => match typed.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(json!(number))),
            _ => Err("a number is needed".to_owned()),
        },
        "boolean" => match typed.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" => Ok(Some(json!(true))),
            "n" | "no" | "false" => Ok(Some(json!(false))),
            _ => Err("yes or no".to_owned()),
        },
        _ => Ok(Some(json!(typed))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_what_its_field_takes() {
        let check = |schema: Value, required, typed: &str, expect: Result<Option<Value>, ()>| {
            let field = Field {
                name: "it",
                schema: &schema,
                required,
            };
            assert_eq!(
                parse(&field, typed).map_err(drop),
                expect,
                "{schema} {typed}"
            );
        };
        let of = |kind: &str| json!({"type": kind});
        check(of("integer"), true, "3", Ok(Some(json!(3))));
        check(of("integer"), true, "3.5", Err(()));
        check(of("number"), true, "3.5", Ok(Some(json!(3.5))));
        check(of("number"), true, "inf", Err(()));
        check(of("boolean"), true, "Y", Ok(Some(json!(true))));
        check(of("string"), true, "", Err(()));
        check(of("string"), false, "", Ok(None));
        check(
            json!({"type": "string", "default": "a"}),
            true,
            "",
            Ok(Some(json!("a"))),
        );
        let choice = json!({"enum": ["friendly", "brief", "bright"]});
        check(choice.clone(), true, "f", Ok(Some(json!("friendly"))));
        check(choice.clone(), true, "br", Err(()));
        check(choice, true, "brief", Ok(Some(json!("brief"))));
    }

    #[test]
    fn fields_are_those_of_the_schema() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"},
            "b": {"type": "boolean"}}, "required": ["b"]});
        let fields: Vec<_> = fields(&schema)
            .into_iter()
            .map(|it| (it.name, it.required))
            .collect();
        assert_eq!(fields, [("a", false), ("b", true)]);
    }
}
