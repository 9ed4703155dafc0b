//! HTTP by hand: what is sent is what the test says, and nothing else.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// Where a server is, and with which key it is asked.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) place: Place,
    pub(crate) key: Option<String>,
}

#[derive(Clone)]
pub(crate) enum Place {
    Port(String),
    Socket(PathBuf),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its status and the code of its error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = &self.json()["error"]["code"];
        (self.status, code.as_str().unwrap_or_default().to_owned())
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Client {
    /// As somebody else.
    pub(crate) fn with(&self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self.clone()
        }
    }

    fn connect(&self) -> Box<dyn Stream> {
        let limit = Some(Duration::from_secs(60));
        match &self.place {
            Place::Port(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(limit).unwrap();
                Box::new(stream)
            }
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(limit).unwrap();
                Box::new(stream)
            }
        }
    }

    fn begin(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Box<dyn Stream> {
        let mut stream = self.connect();
        let mut head = format!("{line} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str("Host: localhost\r\n");
        }
        if let Some(key) = &self.key {
            head.push_str(&format!("Authorization: Bearer {key}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        write!(stream, "{head}Connection: close\r\n\r\n{body}").unwrap();
        stream
    }

    /// A request with these headers.
    pub(crate) fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.begin(line, headers, body);
        let mut text = String::new();
        // A server that refuses a body may close before it has read it.
        let _ = stream.read_to_string(&mut text);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET /api/v1{path}"), &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let kind = [("Content-Type", "application/json")];
        self.send(&format!("POST /api/v1{path}"), &kind, &body.to_string())
    }

    /// A task's events as they happen.
    pub(crate) fn events(&self, task: &str, headers: &[(&str, &str)]) -> Events {
        let mut headers = headers.to_vec();
        headers.push(("Accept", "text/event-stream"));
        let stream = self.begin(&format!("GET /api/v1/tasks/{task}/events"), &headers, "");
        let mut events = Events(BufReader::new(stream));
        let status = events.line().unwrap();
        assert!(status.contains("200"), "{status}");
        while events.line().is_some_and(|line| !line.is_empty()) {}
        events
    }
}

/// A stream of events.
pub(crate) struct Events(BufReader<Box<dyn Stream>>);

/// What comes by a stream.
#[derive(PartialEq, Debug)]
pub(crate) enum Told {
    /// An event, with its id.
    Event(u64, Value),
    /// The end.
    End(Value),
    /// Something to break the silence.
    Silence,
}

impl Events {
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// What comes next; nothing, where the stream is at its end.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut id, mut is_end) = (None, false);
        loop {
            let line = self.line()?;
            if line == ":" {
                return Some(Told::Silence);
            } else if let Some(number) = line.strip_prefix("id: ") {
                id = Some(number.parse().unwrap());
            } else if line == "event: end" {
                is_end = true;
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).unwrap();
                return Some(match is_end {
                    true => Told::End(data),
                    false => Told::Event(id.unwrap(), data),
                });
            }
            // Everything else is the length of a chunk, or the line between events.
        }
    }

    /// The events until there are no more.
    pub(crate) fn rest(mut self) -> (Vec<Value>, Option<Value>) {
        let (mut events, mut end) = (Vec::new(), None);
        while let Some(told) = self.next() {
            match told {
                Told::Event(id, event) => {
                    assert_eq!(event["number"], id);
                    events.push(event);
                }
                Told::End(data) => end = Some(data),
                Told::Silence => {}
            }
        }
        (events, end)
    }
}
