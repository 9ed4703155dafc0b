//! The server at the other end of a pipe.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};

use crate::agent::Request;
use crate::house::{Ended, HUNG, Process};

pub(crate) struct Pipe {
    pub(crate) process: Process,
    input: ChildStdin,
    messages: Receiver<String>,
}

impl Pipe {
    pub(crate) fn new(process: Process, input: ChildStdin, output: ChildStdout) -> Self {
        let (sender, messages) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            input,
            messages,
        }
    }

    pub(crate) fn line(&mut self, bytes: impl AsRef<[u8]>) {
        let line = [bytes.as_ref(), b"\n"].concat();
        self.input.write_all(&line).expect("it takes the line");
        self.input.flush().expect("it takes the line");
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.line(message.to_string());
    }

    /// Sends a request under this id.
    pub(crate) fn request(&mut self, id: u64, request: &Request) {
        let mut body = request.body.clone();
        body["id"] = json!(id);
        self.say(&body);
    }

    pub(crate) fn legacy(&mut self, id: u64, method: &str, params: &Value) {
        self.request(id, &Request::legacy(method, params));
    }

    pub(crate) fn shake_hands(&mut self) {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "test", "version": "1"},
        });
        self.legacy(0, "initialize", &params);
        self.answer(0).expect("a handshake");
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    /// The next message. Whatever is written is one on a line of its own.
    pub(crate) fn message(&mut self) -> Value {
        let line = self.messages.recv_timeout(HUNG);
        let line = line.unwrap_or_else(|error| panic!("no message: {error}"));
        checked(&line)
    }

    /// The next message that is as wanted; those before it are dropped.
    pub(crate) fn until(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.message();
            if is_wanted(&message) {
                return message;
            }
        }
    }

    /// The answer to a request.
    pub(crate) fn answer(&mut self, id: u64) -> Result<Value, Value> {
        let answer = self.until(|message| message["id"] == id && message.get("method").is_none());
        match answer.get("error") {
            None => Ok(answer["result"].clone()),
            Some(error) => Err(error.clone()),
        }
    }

    /// Sends this as it is.
    pub(crate) fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.input.write_all(bytes.as_ref()).expect("it takes it");
        self.input.flush().expect("it takes it");
    }

    /// Waits for the end, with the input open.
    pub(crate) fn ended(self) -> (Vec<Value>, Ended) {
        let ended = self.process.ended();
        let rest = self.messages.iter();
        (rest.map(|line| checked(&line)).collect(), ended)
    }

    /// Closes the input, and waits for the end: what is written until then, and how it ended.
    pub(crate) fn close(self) -> (Vec<Value>, Ended) {
        drop(self.input);
        let ended = self.process.ended();
        let rest = self.messages.iter();
        (rest.map(|line| checked(&line)).collect(), ended)
    }
}

/// The server at the other end of a pipe that nobody reads.
pub(crate) struct DeafPipe {
    pub(crate) process: Process,
    pub(crate) input: Option<ChildStdin>,
    /// Open, and never read.
    pub(crate) _output: ChildStdout,
}

impl DeafPipe {
    /// Sends all of this, or as much as the server takes until its end.
    pub(crate) fn flood(&mut self, text: String) -> thread::JoinHandle<ChildStdin> {
        let mut input = self.input.take().expect("an input");
        thread::spawn(move || {
            let _ = input.write_all(text.as_bytes());
            // It stays open: it is not its end that ends the server.
            input
        })
    }
}

fn checked(line: &str) -> Value {
    let message: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(message["jsonrpc"], "2.0", "{line}");
    message
}
