//! From what a tool returns, in the types of its WIT, to what the rest of the house knows.

use std::sync::Arc;

use serde_json::Value;

use super::bindings::stepwell::tool::types;
use super::failure::past;
use crate::limit::{Limits, MESSAGE_BYTES_MAX, Name};
use crate::task::{Failure, Kind, ToolError};
use crate::text::{clean, clean_line};
use crate::tool::{Content, Output};

/// What one piece of content counts for besides its text: its place in what is passed on.
const PIECE_BYTES: usize = 32;

/// A result, cleaned, within the limit of its size.
pub(super) fn output(output: types::Output, limits: &Limits) -> Result<Output, Failure> {
    let size = size(&output) as u64;
    if size > limits.output {
        let what = "bytes of the tool's result";
        return Err(past(Name::Output, what, (size, limits.output)));
    }
    let content = output.content.into_iter().map(content).collect();
    let structured = output.structured.map(|text| json(&text, "structured"));
    let meta = output.meta.map(|text| object(&text, "meta"));
    Ok(Output {
        content,
        structured: structured.transpose()?,
        meta: meta.transpose()?,
    })
}

/// An error that a tool returned, as a kind of failure.
pub(super) fn error(error: types::Error) -> ToolError {
    match error {
        types::Error::InvalidArguments(it) => ToolError::Final(said(Kind::InvalidArguments, it)),
        types::Error::Failed(it) => ToolError::Final(said(Kind::ToolError, it)),
        types::Error::Transient(it) => ToolError::Transient(said(Kind::ToolError, it)),
        types::Error::InDoubt(it) => ToolError::Final(said(Kind::InDoubt, it)),
        types::Error::Stopped => ToolError::Stopped,
    }
}

/// What the tool says in its own words. Data that is no JSON is left out: the message matters more.
fn said(kind: Kind, failure: types::Failure) -> Failure {
    let message: Arc<str> = clean(&failure.message, MESSAGE_BYTES_MAX).into();
    let data = failure.data.filter(|data| {
        data.len() <= MESSAGE_BYTES_MAX && serde_json::from_str::<Value>(data).is_ok()
    });
    Failure {
        kind,
        message,
        data: data.map(Into::into),
    }
}

/// A JSON text, parsed.
fn json(text: &str, what: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("the tool's `{what}` is not JSON: {error}");
        Failure::new(Kind::Misuse, clean_line(&message, MESSAGE_BYTES_MAX))
    })
}

/// The text of a JSON object, parsed.
pub(super) fn object(text: &str, what: &str) -> Result<Value, Failure> {
    match json(text, what)? {
        value @ Value::Object(_) => Ok(value),
        _ => {
            let message = format!("the tool's `{what}` is not a JSON object");
            Err(Failure::new(Kind::Misuse, message))
        }
    }
}

fn size(output: &types::Output) -> usize {
    let piece = |content: &types::Content| match content {
        types::Content::Text(text) => text.len(),
        types::Content::Image(blob) | types::Content::Audio(blob) => {
            blob.data.len() + blob.mime_type.len()
        }
        types::Content::Link(link) => {
            link.uri.len() + link.name.len() + len(link.mime_type.as_ref())
        }
        types::Content::Embedded(embedded) => {
            let body = match &embedded.body {
                types::ResourceBody::Text(text) => text.len(),
                types::ResourceBody::Bytes(bytes) => bytes.len(),
            };
            embedded.uri.len() + len(embedded.mime_type.as_ref()) + body
        }
    };
    let pieces = output
        .content
        .iter()
        .map(|content| piece(content) + PIECE_BYTES);
    pieces.sum::<usize>() + len(output.structured.as_ref()) + len(output.meta.as_ref())
}

fn len(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

fn content(content: types::Content) -> Content {
    match content {
        types::Content::Text(text) => Content::Text {
            text: text_of(&text),
        },
        types::Content::Image(blob) => Content::Image {
            data: blob.data,
            mime_type: line(&blob.mime_type),
        },
        types::Content::Audio(blob) => Content::Audio {
            data: blob.data,
            mime_type: line(&blob.mime_type),
        },
        types::Content::Link(link) => Content::Link {
            uri: line(&link.uri),
            name: line(&link.name),
            mime_type: link.mime_type.as_deref().map(line),
        },
        types::Content::Embedded(embedded) => {
            let uri = line(&embedded.uri);
            let mime_type = embedded.mime_type.as_deref().map(line);
            match embedded.body {
                types::ResourceBody::Text(text) => Content::EmbeddedText {
                    uri,
                    mime_type,
                    text: text_of(&text),
                },
                types::ResourceBody::Bytes(data) => Content::EmbeddedBytes {
                    uri,
                    mime_type,
                    data,
                },
            }
        }
    }
}

fn text_of(text: &str) -> String {
    clean(text, text.len())
}

fn line(text: &str) -> String {
    clean_line(text, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned(content: Vec<types::Content>, structured: Option<&str>) -> types::Output {
        types::Output {
            content,
            structured: structured.map(Into::into),
            meta: None,
        }
    }

    #[test]
    fn a_result_is_cleaned_parsed_and_bounded() {
        let limits = Limits {
            output: 1_024,
            ..Limits::default()
        };
        let text = types::Content::Text("a\u{1b}[2Jb\nc".into());
        let good = output(returned(vec![text], Some("{\"n\":1}")), &limits).unwrap();
        let text = "a[2Jb\nc".to_owned();
        assert_eq!(good.content, [Content::Text { text }]);
        assert_eq!(good.structured.unwrap()["n"], 1);
        let bad = output(returned(Vec::new(), Some("{")), &limits).unwrap_err();
        assert_eq!(bad.kind, Kind::Misuse);
        let text = types::Content::Text("x".repeat(1_000));
        let large = output(returned(vec![text], None), &limits).unwrap_err();
        assert_eq!(large.kind, Kind::LimitExceeded(Name::Output));
        let empty = vec![types::Content::Text(String::new()); 40];
        let many = output(returned(empty, None), &limits).unwrap_err();
        assert_eq!(many.kind, Kind::LimitExceeded(Name::Output));
    }

    #[test]
    fn an_error_keeps_its_kind_and_only_json_beside_it() {
        let failure = |data: &str| types::Failure {
            message: "no\u{202e}".into(),
            data: Some(data.into()),
        };
        let ToolError::Transient(told) = error(types::Error::Transient(failure("[1]"))) else {
            panic!("not transient");
        };
        assert_eq!((&*told.message, told.data.as_deref()), ("no", Some("[1]")));
        let ToolError::Final(told) = error(types::Error::InDoubt(failure("["))) else {
            panic!("not final");
        };
        assert_eq!((told.kind, told.data), (Kind::InDoubt, None));
        assert_eq!(error(types::Error::Stopped), ToolError::Stopped);
    }
}
