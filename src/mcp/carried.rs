//! Ids as clients hand them back.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Error;

/// An id, or the whole object that carried it: what created the task, as a method or as a tool.
#[derive(Deserialize)]
#[serde(untagged, expecting = "neither an id nor the object that carried it")]
pub(super) enum Carried {
    /// The id.
    Plain(String),
    /// The object.
    Object(Map<String, Value>),
}

impl Carried {
    /// The id that is called `name` in the object.
    pub(super) fn id(self, name: &str) -> Result<String, Error> {
        match self {
            Self::Plain(id) => Ok(id),
            Self::Object(object) => {
                let inner = ["structuredContent", "task"];
                let inner = inner.iter().find_map(|inner| object.get(*inner)?.get(name));
                let id = object.get(name).or(inner).and_then(Value::as_str);
                id.map(str::to_owned).ok_or_else(|| {
                    Error::invalid_params(format!("params.{name}: the object carries no id"))
                })
            }
        }
    }
}
