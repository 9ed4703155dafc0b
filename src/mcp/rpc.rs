//! JSON-RPC 2.0 as MCP has it: one message at a time, ids that are texts or integers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use super::Error;
use super::content::put;

/// The id of a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// An integer.
    Number(Number),
    /// A text.
    Text(String),
}

/// A message from a client.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// It wants an answer.
    Request {
        /// By which the answer is known.
        id: Id,
        /// What is wanted.
        method: String,
        /// Of what: an object.
        params: Value,
    },
    /// It wants none.
    Notification {
        /// What has happened.
        method: String,
        /// To what: an object.
        params: Value,
    },
    /// It is the answer to a request of ours.
    Response {
        /// Which.
        id: Id,
        /// The result, or the error as it came.
        result: Result<Value, Value>,
    },
}

/// A message that is none, with the id to answer it under, where it has one.
#[derive(Debug)]
pub struct Malformed {
    /// The id, if that much can be read.
    pub id: Option<Id>,
    /// What is wrong.
    pub error: Error,
}

impl Message {
    /// Reads one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| Malformed {
            id: None,
            error: Error::parse(format!("the message is not JSON: {error}")),
        })?;
        let Value::Object(mut fields) = value else {
            let error =
                Error::invalid_request("a message is one JSON object; batches are not taken");
            return Err(Malformed { id: None, error });
        };
        let id = match fields.remove("id") {
            None => Ok(None),
            Some(id) => serde_json::from_value(id.clone())
                .ok()
                .filter(is_whole)
                .map(Some)
                .ok_or(id),
        };
        let named = id.as_ref().ok().cloned().flatten();
        Self::from_fields(fields, id).map_err(|error| Malformed { id: named, error })
    }

    fn from_fields(
        mut fields: Map<String, Value>,
        id: Result<Option<Id>, Value>,
    ) -> Result<Self, Error> {
        if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(Error::invalid_request("`jsonrpc` is not \"2.0\""));
        }
        let id = id.map_err(|id| {
            let id = crate::text::clean_line(&id.to_string(), 64);
            Error::invalid_request(format!("an id is a text or an integer, not {id}"))
        })?;
        let Some(method) = fields.remove("method") else {
            return Self::response(fields, id);
        };
        let Value::String(method) = method else {
            return Err(Error::invalid_request("`method` is not a text"));
        };
        let params = match fields.remove("params") {
            None => Value::Object(Map::new()),
            Some(params @ Value::Object(_)) => params,
            Some(_) => return Err(Error::invalid_params("params: not an object")),
        };
        Ok(match id {
            Some(id) => Self::Request { id, method, params },
            None => Self::Notification { method, params },
        })
    }

    fn response(mut fields: Map<String, Value>, id: Option<Id>) -> Result<Self, Error> {
        let id = id.ok_or_else(|| Error::invalid_request("neither a `method` nor an `id`"))?;
        match (fields.remove("result"), fields.remove("error")) {
            (Some(result), None) => Ok(Self::Response {
                id,
                result: Ok(result),
            }),
            (None, Some(error)) => Ok(Self::Response {
                id,
                result: Err(error),
            }),
            _ => Err(Error::invalid_request(
                "a message has a `method`, or exactly one of `result` and `error`",
            )),
        }
    }
}

fn is_whole(id: &Id) -> bool {
    match id {
        Id::Number(number) => !number.is_f64(),
        Id::Text(_) => true,
    }
}

/// The answer to a request.
pub fn answer(id: Option<&Id>, result: Result<Value, Error>) -> Value {
    let (field, said) = match result {
        Ok(result) => ("result", result),
        Err(error) => ("error", error.to_json()),
    };
    let mut answer = json!({"jsonrpc": "2.0", "id": id});
    // Put in as it is: `json!` would copy it, however large it is.
    put(&mut answer, field, said);
    answer
}

/// A notification of ours.
pub(super) fn notification(method: &str, params: Value) -> Value {
    let mut notification = json!({"jsonrpc": "2.0", "method": method});
    put(&mut notification, "params", params);
    notification
}

/// A request of ours.
pub(super) fn request(id: &str, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_its_fields_say() {
        let check = |text: &str, expect: &str| {
            let read = match Message::decode(text.as_bytes()) {
                Ok(Message::Request { id, method, .. }) => format!("request {id:?} {method}"),
                Ok(Message::Notification { method, .. }) => format!("notification {method}"),
                Ok(Message::Response { result, .. }) => format!("response {}", result.is_ok()),
                Err(malformed) => format!("{} {:?}", malformed.error.code(), malformed.id),
            };
            assert_eq!(read, expect, "{text}");
        };
        check(
            r#"{"jsonrpc":"2.0","id":"a","method":"x"}"#,
            r#"request Text("a") x"#,
        );
        check(
            r#"{"jsonrpc":"2.0","method":"x","params":{}}"#,
            "notification x",
        );
        check(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "response true");
        check(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, "response false");
        check("{", "-32700 None");
        check("[]", "-32600 None");
        check(r#"{"id":1,"method":"x"}"#, "-32600 Some(Number(Number(1)))");
        check(r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#, "-32600 None");
        check(r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, "-32600 None");
        check(
            r#"{"jsonrpc":"2.0","id":1}"#,
            "-32600 Some(Number(Number(1)))",
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":2}"#,
            "-32600 Some(Number(Number(1)))",
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#,
            "-32602 Some(Number(Number(1)))",
        );
    }
}
