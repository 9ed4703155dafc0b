//! Questions of tools, as elicitation has them, and the answers that come back.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use super::content::put;
use crate::runtime::Answer;
use crate::task::{Question, Record, Wait};

/// The method by which a client is asked.
pub(super) const METHOD: &str = "elicitation/create";

/// The questions that a task waits for.
pub(super) fn open(record: &Record) -> &[Question] {
    match record.state.wait() {
        Some(Wait::Input { questions }) => questions,
        _ => &[],
    }
}

/// What the client is asked with.
pub(super) fn params(question: &Question) -> Value {
    let mut schema = serde_json::from_str(&question.schema).unwrap_or_else(|_| json!({}));
    // MCP wants it there, a JSON Schema may do without.
    if schema.get("properties").is_none() {
        put(&mut schema, "properties", json!({}));
    }
    json!({"message": question.message, "requestedSchema": schema})
}

/// All questions that a task waits for, by their keys.
pub(super) fn requests(record: &Record) -> Value {
    let requests = open(record).iter().map(|question| {
        let mut params = params(question);
        put(&mut params, "mode", json!("form"));
        let request = json!({"method": METHOD, "params": params});
        (question.key.to_string(), request)
    });
    Value::Object(requests.collect::<Map<_, _>>())
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum Response {
    Accept {
        #[serde(default)]
        content: Map<String, Value>,
    },
    Decline,
    Cancel,
}

/// The answer that a client's response to an elicitation is.
pub(super) fn answer(response: Value) -> Result<Answer, Error> {
    let response: Response = super::error::params(response)?;
    Ok(match response {
        Response::Accept { content } => Answer::Accept(Value::Object(content)),
        Response::Decline => Answer::Decline,
        Response::Cancel => Answer::Cancel,
    })
}

/// The answers to all of `responses`.
pub(super) fn answers(responses: Map<String, Value>) -> Result<HashMap<String, Answer>, Error> {
    responses
        .into_iter()
        .map(|(key, response)| {
            let answer = answer(response).map_err(|error| {
                let why = error.message.trim_start_matches("params");
                let key = crate::text::clean_line(&key, 128);
                Error::invalid_params(format!("params.inputResponses.{key}{why}"))
            })?;
            Ok((key, answer))
        })
        .collect()
}
