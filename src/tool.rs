//! What a tool says of itself, and what it returns.
//!
//! A component describes its tools; the description is data from somebody whom nobody trusts, so
//! its texts are cleaned and its schemas compiled without remote references before anything here
//! is made of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::Digest;

mod question;
mod schema;

pub use question::check_question;
pub use schema::{InvalidSchema, Schema, Violation};
pub(crate) use schema::{SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX};

/// A component and the tools in it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The component's identity.
    pub component: Digest,
    /// Its tools, in the order in which it describes them.
    pub tools: Vec<Arc<Tool>>,
}

impl Manifest {
    /// The tool called `name`.
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.iter().find(|tool| tool.definition.name == name)
    }
}

/// A tool, ready to be called.
#[derive(Clone, Debug)]
pub struct Tool {
    /// What it says of itself.
    pub definition: Definition,
    /// Its input schema, compiled.
    pub input: Schema,
    /// Its output schema, compiled, where it has one.
    pub output: Option<Schema>,
}

/// What a tool says of itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    pub description: String,
    /// A JSON Schema of an object.
    pub input_schema: Value,
    /// A JSON Schema of its structured output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Hints.
    pub annotations: Annotations,
    /// Whether it may, or must, be called as a task.
    pub task_support: TaskSupport,
    /// A JSON object, handed on as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

/// MCP's hints about a tool. What is absent has MCP's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Annotations {
    /// It changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// It may destroy something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Calling it again with the same arguments changes nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// It talks to the world outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

/// Whether a tool may, or must, be called as a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskSupport {
    /// It may not.
    Forbidden,
    /// It may.
    Optional,
    /// It must.
    Required,
}

/// What a tool returns.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Output {
    /// For people and models.
    pub content: Vec<Content>,
    /// For programs: valid under the tool's output schema, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Value>,
    /// A JSON object, handed on as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

/// One piece of content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// A text.
    Text {
        /// It.
        text: String,
    },
    /// A picture.
    Image {
        /// Its bytes.
        data: Vec<u8>,
        /// What they are.
        mime_type: String,
    },
    /// A sound.
    Audio {
        /// Its bytes.
        data: Vec<u8>,
        /// What they are.
        mime_type: String,
    },
    /// A reference to something elsewhere.
    Link {
        /// Where.
        uri: String,
        /// What it is called.
        name: String,
        /// What is there.
        mime_type: Option<String>,
    },
    /// A text that came along with its address.
    EmbeddedText {
        /// Its address.
        uri: String,
        /// What it is.
        mime_type: Option<String>,
        /// It.
        text: String,
    },
    /// Bytes that came along with their address.
    EmbeddedBytes {
        /// Their address.
        uri: String,
        /// What they are.
        mime_type: Option<String>,
        /// They.
        data: Vec<u8>,
    },
}

impl fmt::Display for TaskSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "forbidden",
            Self::Optional => "optional",
            Self::Required => "required",
        })
    }
}
