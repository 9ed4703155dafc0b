//! What strangers send, as functions of bytes. Each returns what came of it in a few words: a driver
//! without coverage keeps an input whose words are new.
//!
//! None may panic, and none may take long: that is all that is asked of them.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use stepwell::access::Access;
use stepwell::catalogue::{Catalogue, Offers};
use stepwell::config::{Config, Mcp};
use stepwell::identity::Caller;
use stepwell::mcp::{Context, Error, Headers, Message, Server, Session, Stream, answer};
use stepwell::runtime::{Options, Runtime};
use stepwell::tool::{Schema, check_question};
use tokio_util::sync::CancellationToken;

/// A target.
pub type Target = fn(&[u8]) -> String;

/// All of them, by name.
pub const ALL: [(&str, Target); 3] = [("decode", decode), ("config", config), ("schema", schema)];

/// What a tool's schema may have, at most: it is refused before it is compiled.
const SCHEMA_BYTES_MAX: usize = 64 << 10;
const SCHEMA_DEPTH_MAX: usize = 32;

/// A message as it comes, and what the server answers, over HTTP and over a pipe.
pub fn decode(data: &[u8]) -> String {
    let read = match Message::decode(data) {
        Err(malformed) => {
            let said = words(&malformed.error);
            answer(malformed.id.as_ref(), Err(malformed.error)).to_string();
            return said;
        }
        Ok(read) => read,
    };
    let world = world();
    match read {
        Message::Response { id, result } => {
            world.server.answered(&Caller::local(), &id, result);
            "a response".into()
        }
        Message::Notification { method, params } => {
            let headers = headers(&method, &params);
            let checked = world.server.check_notification(&method, &params, &headers);
            checked.map_or_else(|error| words(&error), |()| "a notification".into())
        }
        Message::Request { id, method, params } => {
            let mut said = String::new();
            for headers in [None, Some(headers(&method, &params))] {
                let context = context(&id, &params, headers);
                let answered = world.server.dispatch(&context, &method, params.clone());
                let answered = world.tokio.block_on(answered);
                said.push_str(&match &answered {
                    Ok(_) => format!("{method}: done;"),
                    Err(error) => words(error),
                });
                answer(Some(&id), answered).to_string();
            }
            said
        }
    }
}

/// A configuration.
pub fn config(data: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(data) else {
        return "not UTF-8".into();
    };
    match Config::parse(text, Path::new("/etc/stepwell.toml")) {
        Ok(config) => {
            let (keys, components) = (config.keys.len(), config.components.len());
            format!("{} keys, {} components", keys.min(4), components.min(4))
        }
        Err(error) => {
            let problems = error.problems().iter().take(3);
            let said = problems.map(|it| format!("{}: {}", it.place.key, it.message));
            shape(&said.collect::<Vec<_>>().join(";"))
        }
    }
}

/// A schema of a tool or of a question, and on the next lines a value that it is to judge.
pub fn schema(data: &[u8]) -> String {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (schema, value) = (parts.next().unwrap_or_default(), parts.next());
    let Ok(text) = std::str::from_utf8(schema) else {
        return "not UTF-8".into();
    };
    let mut said = match check_question(text) {
        Ok(()) => "a question;".into(),
        Err(why) => shape(&why),
    };
    let Ok(schema) = serde_json::from_str::<Value>(text) else {
        return said;
    };
    if text.len() > SCHEMA_BYTES_MAX || depth(&schema) > SCHEMA_DEPTH_MAX {
        return said;
    }
    let compiled = match Schema::new(&schema) {
        Ok(compiled) => compiled,
        Err(error) => return said + &shape(&error.to_string()),
    };
    let value = value.and_then(|value| serde_json::from_slice::<Value>(value).ok());
    for value in [value.unwrap_or_default(), schema] {
        match compiled.check(&value) {
            Ok(()) => said.push_str("fits;"),
            Err(violations) => said.push_str(&shape(&violations[0].to_string())),
        }
    }
    said
}

/// A server without a tool. It has a store, because tasks are looked up in one; nothing is written.
struct World {
    server: Server,
    tokio: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let _inside = tokio.enter();
        let options = Options {
            guest_threads: 1,
            running_max: 1,
            ..Options::new(folder.path())
        };
        let runtime = tokio.block_on(Runtime::start(options)).expect("a runtime");
        let offers = Offers::new(Catalogue::default());
        let server = Server::new(Access::new(runtime), offers, [7; 32], Mcp::default());
        World {
            server,
            tokio,
            _folder: folder,
        }
    })
}

/// Of a client that has gone already: nothing waits for it.
fn context(id: &stepwell::mcp::Id, params: &Value, headers: Option<Headers>) -> Context {
    let gone = CancellationToken::new();
    gone.cancel();
    Context {
        caller: Caller::local(),
        id: id.clone(),
        headers,
        session: Some(Session::begin(params)),
        is_connection: false,
        stream: Stream::new().0,
        gone,
        cancelled: CancellationToken::new(),
    }
}

/// The headers that a client would send with it.
fn headers(method: &str, params: &Value) -> Headers {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let version = "io.modelcontextprotocol/protocolVersion";
    Headers {
        version: text(params.get("_meta").and_then(|meta| meta.get(version))),
        method: Some(method.to_owned()),
        name: text(params.get("name").or(params.get("taskId"))),
        session: text(params.get("session")),
        params: [("region".to_owned(), "=?base64?SGVsbG8=?=".to_owned())].into(),
    }
}

fn words(error: &Error) -> String {
    format!("{}: {}", error.code(), shape(&error.message))
}

/// A message without what differs from input to input.
fn shape(message: &str) -> String {
    let mut shape = String::new();
    let mut is_quoted = false;
    for c in message.chars().take(400) {
        match c {
            '`' | '"' | '\'' => is_quoted = !is_quoted,
            _ if is_quoted || c.is_ascii_digit() => {}
            _ => shape.push(c),
        }
    }
    shape
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
