//! The suite's forms.

use serde_json::{Value, json};

use crate::object;

pub(crate) fn name() -> Value {
    object(json!({"name": {"type": "string"}}))
}

pub(crate) fn yes_or_no(field: &str) -> Value {
    object(json!({field: {"type": "boolean"}}))
}

pub(crate) fn contact() -> Value {
    object(json!({
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }))
}

/// A default of every kind.
pub(crate) fn with_defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": {"type": "boolean", "default": true},
        },
        "required": [],
    })
}

/// A choice of every kind.
pub(crate) fn of_choices() -> Value {
    let titled = |titles: [&str; 3]| {
        json!([
            {"const": "value1", "title": titles[0]},
            {"const": "value2", "title": titles[1]},
            {"const": "value3", "title": titles[2]},
        ])
    };
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {
                "type": "string",
                "oneOf": titled(["First Option", "Second Option", "Third Option"]),
            },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
            },
            "titledMulti": {
                "type": "array",
                "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])},
            },
        },
        "required": [],
    })
}
