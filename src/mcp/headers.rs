//! The headers of a modern request, which must say what its body says: so that what stands between
//! may route and refuse by them. Rules: specification 2026-07-28, basic/transports/streamable-http.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::Error;
use super::error::Kind;

/// What the headers of a request say. Values are without the spaces around them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`.
    pub name: Option<String>,
    /// `Mcp-Session-Id`, of legacy clients.
    pub session: Option<String>,
    /// `Mcp-Param-…`, by the rest of the name in lower case.
    pub params: HashMap<String, String>,
}

impl Headers {
    pub(super) fn check_version(&self, version: &str) -> Result<(), Error> {
        check("MCP-Protocol-Version", self.version.as_deref(), version)
    }

    pub(super) fn check_method(&self, method: &str) -> Result<(), Error> {
        check("Mcp-Method", self.method.as_deref(), method)
    }

    pub(super) fn check_name(&self, name: &str) -> Result<(), Error> {
        check("Mcp-Name", self.name.as_deref(), name)
    }

    /// Compares the headers that a tool's input schema asks for with the arguments.
    pub(super) fn check_params(&self, schema: &Value, arguments: &Value) -> Result<(), Error> {
        for (header, path) in annotated(schema) {
            let argument = path
                .iter()
                .try_fold(arguments, |value, part| value.get(part));
            let argument = argument.filter(|value| !value.is_null());
            let sent = self.params.get(&header.to_ascii_lowercase());
            let name = format!("Mcp-Param-{header}");
            match (argument, sent) {
                (None, None) => {}
                (None, Some(_)) => {
                    return Err(mismatch(format!("`{name}` has no argument in the body")));
                }
                (Some(argument), sent) => {
                    check_with(&name, sent.map(String::as_str), |sent| is(argument, sent))?;
                }
            }
        }
        Ok(())
    }
}

fn check(name: &str, sent: Option<&str>, expected: &str) -> Result<(), Error> {
    check_with(name, sent, |sent| sent == expected)
}

fn check_with(
    name: &str,
    sent: Option<&str>,
    fits: impl FnOnce(&str) -> bool,
) -> Result<(), Error> {
    let Some(sent) = sent else {
        return Err(mismatch(format!("the header `{name}` is missing")));
    };
    let plain = decoded(sent);
    let plain = plain.ok_or_else(|| mismatch(format!("the header `{name}` is not Base64")))?;
    if fits(&plain) {
        Ok(())
    } else {
        Err(mismatch(format!(
            "the header `{name}` says something else than the body"
        )))
    }
}

fn mismatch(message: String) -> Error {
    Error::new(Kind::HeaderMismatch, message)
}

/// A value, out of `=?base64?…?=` where it is in that.
fn decoded(value: &str) -> Option<String> {
    let inner = value.strip_prefix("=?base64?");
    match inner.and_then(|inner| inner.strip_suffix("?=")) {
        None => Some(value.into()),
        Some(encoded) => String::from_utf8(BASE64.decode(encoded).ok()?).ok(),
    }
}

fn is(argument: &Value, sent: &str) -> bool {
    match argument {
        Value::String(text) => text == sent,
        Value::Bool(is) => sent == if *is { "true" } else { "false" },
        Value::Number(number) => sent.parse::<f64>().is_ok_and(|sent| {
            number
                .as_f64()
                .is_some_and(|number| number.total_cmp(&sent).is_eq())
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// The deepest that an annotated parameter lies.
const DEPTH_MAX: usize = 8;

/// The headers that a schema asks for, each with the path of its parameter. Where two have one name
/// none of them is asked for: the annotation is not valid then.
fn annotated(schema: &Value) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found);
    let mut seen = HashMap::new();
    for (header, _) in &found {
        *seen.entry(header.to_ascii_lowercase()).or_insert(0) += 1;
    }
    found.retain(|(header, _)| seen.get(&header.to_ascii_lowercase()) == Some(&1));
    found
}

fn collect<'a>(
    schema: &'a Value,
    path: &mut Vec<&'a str>,
    found: &mut Vec<(&'a str, Vec<&'a str>)>,
) {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return;
    };
    if path.len() >= DEPTH_MAX {
        return;
    }
    for (name, property) in properties {
        path.push(name);
        let kind = property.get("type").and_then(Value::as_str);
        let is_primitive = matches!(kind, Some("string" | "integer" | "boolean"));
        match property.get("x-mcp-header").and_then(Value::as_str) {
            Some(header) if is_primitive && is_token(header) => found.push((header, path.clone())),
            _ => collect(property, path, found),
        }
        path.pop();
    }
}

/// Whether a text can be a part of a header's name (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_s_header_is_compared_with_its_argument() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "inner": {"type": "object", "properties": {
                "count": {"type": "integer", "x-mcp-header": "Count"},
            }},
        }});
        let check = |sent: &[(&str, &str)], arguments: Value, fits: bool| {
            let params = sent
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            let headers = Headers {
                params: params.collect(),
                ..Headers::default()
            };
            let checked = headers.check_params(&schema, &arguments);
            assert_eq!(checked.is_ok(), fits, "{sent:?} {arguments} {checked:?}");
        };
        check(
            &[("region", "=?base64?SGVsbG8=?=")],
            json!({"region": "Hello"}),
            true,
        );
        check(
            &[("region", "=?base64?SGVsbG8?=")],
            json!({"region": "Hello"}),
            false,
        );
        check(
            &[("region", "=?base64?SGVs!!!bG8=?=")],
            json!({"region": "Hello"}),
            false,
        );
        check(
            &[("region", "SGVsbG8=")],
            json!({"region": "SGVsbG8="}),
            true,
        );
        check(
            &[("region", "=?base64?SGVsbG8=")],
            json!({"region": "=?base64?SGVsbG8="}),
            true,
        );
        check(&[], json!({"region": "x"}), false);
        check(&[("region", "x")], json!({}), false);
        check(&[], json!({}), true);
        check(&[("count", "7")], json!({"inner": {"count": 7}}), true);
        check(&[("count", "8")], json!({"inner": {"count": 7}}), false);
    }
}
