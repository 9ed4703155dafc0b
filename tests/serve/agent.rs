//! A client of the protocol over HTTP, of both eras.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::{Answer, Incoming, Wire, post};

/// A client. Each request has a connection of its own.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) address: SocketAddr,
    pub(crate) key: Option<String>,
    pub(crate) session: Option<String>,
}

/// A request, as the bytes of it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

/// What a client can do that takes tasks and can be asked.
pub(crate) fn everything() -> Value {
    json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

/// Adds fields to an object.
pub(crate) fn with(mut object: Value, fields: Value) -> Value {
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

impl Request {
    /// A modern request of a client that can do this.
    pub(crate) fn modern(capabilities: &Value, method: &str, params: Value) -> Self {
        let mut meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        });
        if let Some(more) = params.get("_meta") {
            meta = with(meta, more.clone());
        }
        let name = match method {
            "tools/call" => params.get("name"),
            "tasks/get" | "tasks/update" | "tasks/cancel" => params.get("taskId"),
            _ => None,
        };
        let mut headers = vec![
            ("MCP-Protocol-Version".to_owned(), "2026-07-28".to_owned()),
            ("Mcp-Method".to_owned(), method.to_owned()),
        ];
        if let Some(name) = name.and_then(Value::as_str) {
            headers.push(("Mcp-Name".to_owned(), name.to_owned()));
        }
        let params = with(params, json!({"_meta": meta}));
        Self {
            headers,
            body: json!({"jsonrpc": "2.0", "id": "m", "method": method, "params": params}),
        }
    }

    pub(crate) fn legacy(method: &str, params: &Value) -> Self {
        let version = ("MCP-Protocol-Version".to_owned(), "2025-11-25".to_owned());
        Self {
            headers: vec![version],
            body: json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
        }
    }

    /// With another value of a header, or without it.
    pub(crate) fn header(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers
            .retain(|(it, _)| !it.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

impl Agent {
    pub(crate) fn new(address: SocketAddr, key: Option<String>) -> Self {
        Self {
            address,
            key,
            session: None,
        }
    }

    /// The same client after its server has come back elsewhere.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// The client after a handshake of the legacy era, in which it says that it can be asked.
    pub(crate) fn shaken_hands(&self) -> Self {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = self.send(&Request::legacy("initialize", &params));
        let session = answer.header("mcp-session-id").map(str::to_owned);
        assert!(session.is_some(), "{answer:?}");
        Self {
            session,
            ..self.clone()
        }
    }

    /// The bytes of a request.
    pub(crate) fn bytes(&self, request: &Request) -> Vec<u8> {
        let key = self.key.as_ref().map(|key| format!("Bearer {key}"));
        let mut headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        headers.extend(key.as_deref().map(|key| ("Authorization", key)));
        headers.extend(self.session.as_deref().map(|it| ("Mcp-Session-Id", it)));
        post(&headers, request.body.to_string().as_bytes())
    }

    /// Sends a request, and waits for the head of its answer.
    pub(crate) fn begin(&self, request: &Request) -> Incoming {
        let mut wire = Wire::open(self.address);
        wire.send(self.bytes(request));
        wire.incoming()
    }

    pub(crate) fn send(&self, request: &Request) -> Answer {
        self.begin(request).answer().0
    }

    fn ask(&self, request: &Request) -> Result<Value, Value> {
        let answer = self.send(request);
        let last = answer.messages().pop().expect("an answer");
        match (last.get("result"), last.get("error")) {
            (Some(result), None) => Ok(result.clone()),
            (None, Some(error)) => Err(error.clone()),
            _ => panic!("{last}"),
        }
    }

    /// A modern request of a client that can do everything.
    pub(crate) fn modern(&self, method: &str, params: Value) -> Result<Value, Value> {
        self.ask(&Request::modern(&everything(), method, params))
    }

    pub(crate) fn legacy(&self, method: &str, params: &Value) -> Result<Value, Value> {
        self.ask(&Request::legacy(method, params))
    }

    /// The task that a script becomes.
    pub(crate) fn task(&self, arguments: &Value) -> String {
        let params = json!({"name": "script", "arguments": arguments, "task": {}});
        let created = self.legacy("tools/call", &params).expect("a task");
        created["task"]["taskId"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// Looks at a task until it is as wanted. There is no event to wait for: this is how a client
    /// without a subscription does it.
    pub(crate) fn until(&self, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let task = self.modern("tasks/get", json!({"taskId": id}));
            let task = task.expect("the task is there");
            if is_wanted(&task) {
                return task;
            }
            let is_over = ["completed", "failed", "cancelled"];
            assert!(
                !is_over.contains(&task["status"].as_str().unwrap_or_default()),
                "{task}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The task when it has ended, in whatever way.
    pub(crate) fn until_over(&self, id: &str) -> Value {
        loop {
            let task = self.modern("tasks/get", json!({"taskId": id}));
            let task = task.expect("the task is there");
            let status = task["status"].as_str().unwrap_or_default();
            if ["completed", "failed", "cancelled"].contains(&status) {
                return task;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The task when its script is at the gate.
    pub(crate) fn at_the_gate(&self, id: &str) -> Value {
        self.until(id, |task| {
            let words = task["statusMessage"].as_str().unwrap_or_default();
            words.contains("at the gate")
        })
    }

    /// The task when it has completed.
    pub(crate) fn completed(&self, id: &str) -> Value {
        self.until(id, |task| task["status"] == "completed")
    }
}
