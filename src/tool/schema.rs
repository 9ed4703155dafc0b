//! JSON Schemas from tools: compiled once, without remote references, and answered with the path
//! of what is wrong.

use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Retrieve, Uri};
use serde_json::Value;

/// The most bytes of a schema.
pub(crate) const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// The deepest that a schema is nested.
pub(crate) const SCHEMA_DEPTH_MAX: usize = 32;

/// The most errors that are told at once.
const VIOLATIONS_MAX: usize = 8;

/// A schema, ready to check values.
#[derive(Clone)]
pub struct Schema(Arc<jsonschema::Validator>);

/// A value that does not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Where, as a JSON pointer; empty for the value as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pointer "/" would be the member without a name.
        match &*self.path {
            "" => write!(f, "the value: {}", self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// A text that is no usable schema.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a usable JSON Schema: {0}")]
pub struct InvalidSchema(String);

impl Schema {
    /// Compiles a schema. A reference to anything outside it is refused: nobody fetches what a
    /// guest names.
    pub fn new(schema: &Value) -> Result<Self, InvalidSchema> {
        let options = jsonschema::options()
            .with_retriever(Nothing)
            // A pattern by a stranger must not backtrack.
            .with_pattern_options(PatternOptions::regex());
        let validator = options
            .build(schema)
            .map_err(|error| InvalidSchema(error.to_string()))?;
        Ok(Self(Arc::new(validator)))
    }

    /// Everything about `value` that does not fit, the first few.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let errors = self.0.iter_errors(value).take(VIOLATIONS_MAX);
        let violations: Vec<_> = errors
            .map(|error| Violation {
                path: error.instance_path().to_string(),
                message: error.to_string(),
            })
            .collect();
        if violations.is_empty() {
            Ok(())
        } else {
            Err(violations)
        }
    }
}

/// How deep `value` is nested.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// Retrieves nothing.
struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("a reference to {uri} is not followed").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_violation_names_its_place() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let schema = Schema::new(&schema).unwrap();
        assert_eq!(schema.check(&json!({"n": 1})), Ok(()));
        let violations = schema.check(&json!({"n": "x"})).unwrap_err();
        assert_eq!(violations[0].path, "/n");
        assert!(violations[0].to_string().starts_with("/n: "));
        let whole = &schema.check(&json!(1)).unwrap_err()[0];
        assert!(whole.to_string().starts_with("the value: "), "{whole}");
    }

    #[test]
    fn nothing_is_fetched() {
        let remote = json!({"$ref": "http://169.254.169.254/schema.json"});
        assert!(Schema::new(&remote).is_err());
    }
}
