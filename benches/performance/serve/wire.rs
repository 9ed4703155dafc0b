//! Messages of the modern era, and the requests that carry them over HTTP.

use serde_json::{Value, json};

/// What a client of calls can do.
pub(super) fn nothing() -> Value {
    json!({})
}

/// What a client of tasks can do.
pub(super) fn tasks() -> Value {
    json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})
}

/// A request of a client that can do this.
fn message(method: &str, params: &Value, capabilities: &Value) -> Value {
    let mut params = params.as_object().cloned().unwrap_or_default();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    params.insert("_meta".to_owned(), meta);
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A call of a tool.
pub(super) fn call(tool: &str, arguments: &Value, capabilities: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    message("tools/call", &params, capabilities)
}

/// What `echo` is called with.
pub(super) fn arguments() -> Value {
    json!({"text": "the quick brown fox", "number": 7})
}

/// A look at a task.
pub(super) fn get(task: &str) -> Value {
    message("tasks/get", &json!({"taskId": task}), &tasks())
}

/// A subscription to a task.
pub(super) fn listen(task: &str) -> Value {
    let wanted = json!({"notifications": {"taskIds": [task]}});
    message("subscriptions/listen", &wanted, &tasks())
}

/// The request that carries a message, with the headers that the era wants.
pub(super) fn http(message: &Value) -> Vec<u8> {
    let text = |pointer: &str| {
        let found = message.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let method = text("/method").unwrap_or_default();
    let name = text("/params/name").or_else(|| text("/params/taskId"));
    let name = name.map(|name| format!("mcp-name: {name}\r\n"));
    let (name, body) = (name.unwrap_or_default(), message.to_string());
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\n\
         host: 127.0.0.1\r\n\
         content-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n\
         mcp-protocol-version: 2026-07-28\r\n\
         mcp-method: {method}\r\n\
         {name}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
