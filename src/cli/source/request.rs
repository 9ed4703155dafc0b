//! What is asked for, as a request of `/api/v1`.

use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use crate::desk::{Ask, List};
use crate::id::TaskId;

/// A request of HTTP.
pub(super) struct Request {
    pub(super) method: Method,
    /// The path, with what follows it.
    pub(super) path: String,
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
        }
    }

    fn post(path: String, body: &impl Serialize) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Some(serde_json::to_vec(body).unwrap_or_default()),
        }
    }

    /// The request that asks for this.
    pub(super) fn of(ask: &Ask) -> Self {
        let of = |task: &TaskId, rest: &str| format!("/api/v1/tasks/{task}{rest}");
        let nothing = Value::Object(serde_json::Map::new());
        match ask {
            Ask::List(list) => Self::get(format!("/api/v1/tasks?{}", query(list))),
            Ask::Task(task) => Self::get(of(task, "")),
            Ask::Events(task, after, limit) => {
                Self::get(of(task, &format!("/events?after={after}&limit={limit}")))
            }
            Ask::Result(task) => Self::get(of(task, "/result")),
            Ask::Cancel(task, cancel) => Self::post(of(task, "/cancel"), cancel),
            Ask::Pause(task) => Self::post(of(task, "/pause"), &nothing),
            Ask::Resume(task) => Self::post(of(task, "/resume"), &nothing),
            Ask::Answer(task, answer) => Self::post(of(task, "/answer"), answer),
            Ask::Checkpoints(task) => Self::get(of(task, "/checkpoints")),
            Ask::Save(task, save) => Self::post(of(task, "/checkpoints"), save),
            Ask::Export(task, checkpoint) => {
                Self::get(of(task, &format!("/checkpoints/{checkpoint}")))
            }
            Ask::Restore(task, restore) => Self::post(of(task, "/restore"), restore),
            Ask::Fork(task, fork) => Self::post(of(task, "/fork"), fork),
        }
    }
}

fn query(list: &List) -> String {
    let word = |status| serde_json::to_value(status).unwrap_or_default();
    let words = list.status.iter().map(word);
    let words: Vec<_> = words
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    let members = [
        ("limit", Some(list.limit.to_string())),
        ("status", (!words.is_empty()).then(|| words.join(","))),
        ("tool", list.tool.clone()),
        ("owner", list.owner.clone()),
        ("cursor", list.cursor.map(|cursor| cursor.to_string())),
    ];
    let members = members.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some(format!("{name}={}", escaped(&value)))
    });
    members.collect::<Vec<_>>().join("&")
}

/// A text as it stands in a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_stands_in_the_query() {
        let list = List {
            status: vec![
                crate::task::Status::WaitingInput,
                crate::task::Status::Paused,
            ],
            tool: Some("a b&c".into()),
            owner: Some("key:ann".into()),
            cursor: None,
            limit: 7,
        };
        assert_eq!(
            query(&list),
            "limit=7&status=waiting_input,paused&tool=a%20b%26c&owner=key%3Aann"
        );
    }
}
