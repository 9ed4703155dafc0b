//! The schemas of questions: small and flat, so that any client can make a form of one.

use serde_json::{Map, Value};

use super::Schema;
use super::schema::{SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, depth};

/// The types that a field has.
const PRIMITIVES: [&str; 5] = ["string", "number", "integer", "boolean", "null"];

/// The most alternatives within alternatives of a field.
const CHOICES_DEPTH_MAX: u32 = 4;

/// Checks the schema of a question: that of an object whose members are texts, numbers, booleans,
/// choices among them, or lists of choices. What is wrong otherwise.
pub fn check_question(schema: &str) -> Result<(), String> {
    if schema.len() > SCHEMA_BYTES_MAX {
        let len = schema.len();
        return Err(format!(
            "the schema has {len} bytes, and {SCHEMA_BYTES_MAX} are allowed"
        ));
    }
    let schema: Value =
        serde_json::from_str(schema).map_err(|error| format!("the schema is not JSON: {error}"))?;
    if depth(&schema) > SCHEMA_DEPTH_MAX {
        return Err(format!(
            "the schema is nested more than {SCHEMA_DEPTH_MAX} deep"
        ));
    }
    match schema.as_object() {
        Some(form) if form.get("type").and_then(Value::as_str) == Some("object") => check(form)?,
        _ => return Err("the schema is not that of an object".into()),
    }
    Schema::new(&schema)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn check(form: &Map<String, Value>) -> Result<(), String> {
    let structured = ["properties", "required", "default", "examples"];
    if let Some(keyword) = foreign(form, &structured) {
        return Err(format!("the schema of a form has no `{keyword}`"));
    }
    let fields = match form.get("properties") {
        None => return Ok(()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err("the `properties` of the schema are not an object".into()),
    };
    match fields.iter().find(|(_, field)| !is_field(field)) {
        Some((name, _)) => Err(format!(
            "the field `{name}` is not a text, a number, a boolean or a choice"
        )),
        None => Ok(()),
    }
}

/// A keyword that has more in it than a form can show, or that leads elsewhere.
fn foreign<'a>(schema: &'a Map<String, Value>, structured: &[&str]) -> Option<&'a str> {
    let is_foreign = |(keyword, value): &(&String, &Value)| match value {
        Value::Object(_) | Value::Array(_) => !structured.contains(&keyword.as_str()),
        _ => keyword.ends_with("Ref") || *keyword == "$ref",
    };
    let mut keywords = schema.iter();
    keywords
        .find(is_foreign)
        .map(|(keyword, _)| keyword.as_str())
}

fn is_field(field: &Value) -> bool {
    if is_primitive(field, CHOICES_DEPTH_MAX) {
        return true;
    }
    // Several of a choice.
    let Some(list) = field.as_object() else {
        return false;
    };
    let is_list = list.get("type").and_then(Value::as_str) == Some("array");
    let items = list.get("items").filter(|_| is_list);
    foreign(list, &["items", "default", "examples"]).is_none()
        && items.is_some_and(|items| is_choice(items) && is_primitive(items, CHOICES_DEPTH_MAX))
}

/// Whether `schema` is one of texts, numbers and booleans only.
fn is_primitive(schema: &Value, depth: u32) -> bool {
    let (Some(field), Some(depth)) = (schema.as_object(), depth.checked_sub(1)) else {
        return false;
    };
    let structured = [
        "type",
        "enum",
        "oneOf",
        "anyOf",
        "default",
        "examples",
        "enumNames",
    ];
    if foreign(field, &structured).is_some() {
        return false;
    }
    let is_known = |kind: &Value| kind.as_str().is_some_and(|kind| PRIMITIVES.contains(&kind));
    let has_known_types = match field.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().all(is_known),
        Some(kind) => is_known(kind),
        None => is_choice(schema),
    };
    let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
    let all = |keyword, test: &dyn Fn(&Value) -> bool| {
        let values = field.get(keyword).map(Value::as_array);
        values.is_none_or(|values| values.is_some_and(|values| values.iter().all(test)))
    };
    has_known_types
        && all("enum", &is_scalar)
        && ["oneOf", "anyOf"]
            .into_iter()
            .all(|keyword| all(keyword, &|schema| is_primitive(schema, depth)))
}

/// Whether it says among what to choose.
fn is_choice(schema: &Value) -> bool {
    let is_there = |keyword: &str| schema.get(keyword).is_some();
    ["enum", "const", "oneOf", "anyOf"]
        .into_iter()
        .any(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(field: &Value) -> Result<(), String> {
        check_question(&json!({"type": "object", "properties": {"f": field}}).to_string())
    }

    #[test]
    fn forms_pass() {
        for form in [
            json!({"type": "object", "properties": {}}),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}),
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                "title": "T", "description": "d", "additionalProperties": false}),
        ] {
            assert_eq!(check_question(&form.to_string()), Ok(()), "{form}");
        }
        for of in [
            json!({"type": "string", "format": "email", "minLength": 1, "default": "x"}),
            json!({"type": "number", "minimum": 0, "maximum": 1.5}),
            json!({"type": "boolean", "description": "d", "default": false}),
            json!({"type": "string", "enum": ["kind", "plain"], "enumNames": "x"}),
            json!({"enum": ["a", 1, null]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
            json!({"type": "string", "oneOf": [{"const": "a", "title": "A"}]}),
            json!({"oneOf": [{"type": "string", "const": "a", "description": "d"}]}),
            json!({"anyOf": [{"oneOf": [{"type": "string", "const": "a"}]}, {"type": "null"}]}),
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["a"]}}),
            json!({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}}),
        ] {
            assert_eq!(field(&of), Ok(()), "{of}");
        }
    }

    #[test]
    fn what_is_no_flat_form_is_refused() {
        for of in [
            json!({}),
            json!(true),
            json!({"type": "object", "properties": {}}),
            json!({"type": "array", "items": {"type": "string"}}),
            json!({"type": "array"}),
            json!({"type": "string", "$ref": "#"}),
            json!({"type": "string", "allOf": [{"type": "string"}]}),
            json!({"type": "string", "not": {}}),
            json!({"enum": [{"a": 1}]}),
            json!({"anyOf": [{"type": "object"}]}),
            json!({"type": ["string", "object"]}),
        ] {
            let refused = field(&of).unwrap_err();
            assert!(refused.contains("the field `f`"), "{of}: {refused}");
        }
        let check = |schema: &str, expect: &str| {
            let refused = check_question(schema).unwrap_err();
            assert!(refused.contains(expect), "{refused}");
        };
        check("{", "not JSON");
        check("[]", "not that of an object");
        check(r#"{"type": "string"}"#, "not that of an object");
        check(r##"{"type": "object", "$ref": "#"}"##, "no `$ref`");
        check(r#"{"type": "object", "allOf": []}"#, "no `allOf`");
        check(r#"{"type": "object", "properties": []}"#, "not an object");
        check(r#"{"type": "object", "required": 1}"#, "not a usable");
        check(&" ".repeat(70_000), "70000 bytes");
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        let deep = format!(r#"{{"type": "object", "default": {deep}}}"#);
        check(&deep, "nested");
    }
}
