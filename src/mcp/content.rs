//! What tools return, as MCP has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::task::{Failure, Kind, Record};
use crate::tool::{Content, Output};

/// The names of what Stepwell adds to a result's `_meta`.
const TASK: &str = "stepwell/task";
const USAGE: &str = "stepwell/usage";
const FAILURE: &str = "stepwell/failure";

/// The result of a call that returned this.
pub(super) fn result(output: Output) -> Value {
    let mut content: Vec<_> = output.content.iter().map(piece).collect();
    let mut result = json!({"isError": false});
    if let Some(structured) = output.structured {
        // For clients that read texts only (specification, Tools, Structured Content).
        if content.is_empty() {
            content.push(text(&structured.to_string()));
        }
        put(&mut result, "structuredContent", structured);
    }
    put(&mut result, "content", Value::Array(content));
    if let Some(meta @ Value::Object(_)) = output.meta {
        put(&mut result, "_meta", meta);
    }
    result
}

/// The result of a call that failed in the tool's own words.
pub(super) fn failed(failure: &Failure) -> Value {
    json!({
        "content": [text(&failure.message)],
        "isError": true,
        "_meta": {FAILURE: about(failure)},
    })
}

/// A result that says something in words.
pub(super) fn words(words: &str, is_error: bool) -> Value {
    json!({"content": [text(words)], "isError": is_error})
}

/// What programs are told of a failure.
pub(super) fn about(failure: &Failure) -> Value {
    let data = failure.data.as_deref();
    let data = data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data)));
    let limit = match failure.kind {
        Kind::LimitExceeded(name) => Some(name.as_str()),
        Kind::OutOfFuel => Some("fuel"),
        Kind::OutOfMemory => Some("memory"),
        _ => None,
    };
    json!({"kind": failure.kind.code(), "message": failure.message, "limit": limit, "data": data})
}

/// Says in a result which task it is of, and what that used.
pub(super) fn of_task(mut result: Value, record: &Record) -> Value {
    note(&mut result, TASK, json!(record.id));
    note(&mut result, USAGE, json!(record.usage));
    result
}

/// Adds an entry to the `_meta` of a result.
pub(super) fn note(result: &mut Value, name: &str, value: Value) {
    let Some(fields) = result.as_object_mut() else {
        return;
    };
    let meta = fields.entry("_meta").or_insert_with(|| json!({}));
    put(meta, name, value);
}

/// Adds a field to an object.
pub(super) fn put(object: &mut Value, name: &str, value: Value) {
    let fields: Option<&mut Map<_, _>> = object.as_object_mut();
    if let Some(fields) = fields {
        fields.insert(name.to_owned(), value);
    }
}

fn piece(content: &Content) -> Value {
    match content {
        Content::Text { text: words } => text(words),
        Content::Image { data, mime_type } => {
            json!({"type": "image", "data": BASE64.encode(data), "mimeType": mime_type})
        }
        Content::Audio { data, mime_type } => {
            json!({"type": "audio", "data": BASE64.encode(data), "mimeType": mime_type})
        }
        Content::Link {
            uri,
            name,
            mime_type,
        } => {
            let link = json!({"type": "resource_link", "uri": uri, "name": name});
            typed(link, mime_type.as_ref())
        }
        Content::EmbeddedText {
            uri,
            mime_type,
            text,
        } => embedded(json!({"uri": uri, "text": text}), mime_type.as_ref()),
        Content::EmbeddedBytes {
            uri,
            mime_type,
            data,
        } => {
            let blob = json!({"uri": uri, "blob": BASE64.encode(data)});
            embedded(blob, mime_type.as_ref())
        }
    }
}

pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn embedded(resource: Value, mime_type: Option<&String>) -> Value {
    json!({"type": "resource", "resource": typed(resource, mime_type)})
}

fn typed(mut resource: Value, mime_type: Option<&String>) -> Value {
    if let Some(mime_type) = mime_type {
        put(&mut resource, "mimeType", json!(mime_type));
    }
    resource
}
