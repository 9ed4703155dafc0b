//! What a tool returns to its caller, where a plain value is not enough.

use serde::Serialize;
use serde_json::Value;

use crate::contract::stepwell::tool::types as wire;
use crate::{Error, Result};

/// Content for people and models, and a value for programs.
///
/// ```
/// # fn main() -> Result<(), String> {
/// use stepwell_guest::Output;
///
/// let output = Output::text("Two pages, one of them a picture.")
///     .image(vec![0x89, 0x50, 0x4e, 0x47], "image/png")
///     .link("file:///out/page.html", "page.html");
/// # drop(output); Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Output(wire::Output);

impl Output {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        let content = vec![wire::Content::Text(text.into())];
        Self(wire::Output {
            content,
            structured: None,
            meta: None,
        })
    }

    /// The value as JSON: as a text, and where it is an object, structured as well.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let value = serde_json::to_value(value).map_err(Error::failed)?;
        Ok(match value {
            Value::String(text) => Self::text(text),
            Value::Object(_) => {
                let json = value.to_string();
                let mut output = Self::text(json.clone());
                output.0.structured = Some(json);
                output
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                Self::text(value.to_string())
            }
        })
    }

    /// Adds a text.
    #[must_use]
    pub fn and_text(self, text: impl Into<String>) -> Self {
        self.with(wire::Content::Text(text.into()))
    }

    /// Adds an image.
    #[must_use]
    pub fn image(self, data: Vec<u8>, mime_type: impl Into<String>) -> Self {
        self.with(wire::Content::Image(wire::Blob {
            data,
            mime_type: mime_type.into(),
        }))
    }

    /// Adds a sound.
    #[must_use]
    pub fn audio(self, data: Vec<u8>, mime_type: impl Into<String>) -> Self {
        self.with(wire::Content::Audio(wire::Blob {
            data,
            mime_type: mime_type.into(),
        }))
    }

    /// Adds a link.
    #[must_use]
    pub fn link(self, uri: impl Into<String>, name: impl Into<String>) -> Self {
        let (uri, name) = (uri.into(), name.into());
        self.with(wire::Content::Link(wire::Link {
            uri,
            name,
            mime_type: None,
        }))
    }

    /// A JSON object, handed on as MCP's `_meta`.
    #[must_use]
    pub fn meta(mut self, meta: &Value) -> Self {
        self.0.meta = Some(meta.to_string());
        self
    }

    fn with(mut self, content: wire::Content) -> Self {
        self.0.content.push(content);
        self
    }
}

impl From<Output> for wire::Output {
    fn from(output: Output) -> Self {
        output.0
    }
}
