//! HTTP/1.1 by hand, over one socket: so that a test can stop in the middle of anything.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::house::HUNG;

/// A connection.
pub(crate) struct Wire(BufReader<TcpStream>);

/// The head of an answer, and its body on the way.
pub(crate) struct Incoming {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    wire: Wire,
    left: Left,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What is still to come of a body.
enum Left {
    Bytes(u64),
    /// Chunks: so many bytes of this one.
    Chunks(u64),
    Nothing,
}

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(HUNG)).expect("a limit");
        stream.set_write_timeout(Some(HUNG)).expect("a limit");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.try_send(bytes);
        sent.expect("the server takes it");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&mut self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
    }

    /// Waits for the head of the next answer.
    pub(crate) fn incoming(self) -> Incoming {
        self.try_incoming().expect("an answer")
    }

    /// The head of the next answer; nothing, where the server has closed the connection.
    pub(crate) fn try_incoming(mut self) -> Option<Incoming> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).expect("a status");
        let status = status.parse().expect("a number");
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line()?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let find = |name: &str| headers.iter().find(|(it, _)| it == name);
        let left = match (find("transfer-encoding"), find("content-length")) {
            (Some(_), _) => Left::Chunks(0),
            (_, Some((_, length))) => Left::Bytes(length.parse().expect("a length")),
            (None, None) => Left::Nothing,
        };
        Some(Incoming {
            status,
            headers,
            wire: self,
            left,
        })
    }

    /// Whether the server has closed the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => true,
            Err(error) => panic!("{error}"),
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(0) => None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| &**value)
    }

    /// The whole answer, and the connection for the next.
    pub(crate) fn answer(mut self) -> (Answer, Wire) {
        let mut body = Vec::new();
        while let Some(byte) = self.byte() {
            body.push(byte);
        }
        let answer = Answer {
            status: self.status,
            headers: self.headers,
            body: String::from_utf8(body).expect("UTF-8"),
        };
        (answer, self.wire)
    }

    /// The next message of a stream of events; nothing at its end, or where it is cut off.
    pub(crate) fn event(&mut self) -> Option<Value> {
        loop {
            let mut line = Vec::new();
            loop {
                match self.byte()? {
                    b'\n' => break,
                    byte => line.push(byte),
                }
            }
            let line = String::from_utf8(line).expect("UTF-8");
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        loop {
            match &mut self.left {
                Left::Nothing | Left::Bytes(0) => return None,
                Left::Bytes(left) => {
                    *left -= 1;
                    return self.wire.byte();
                }
                Left::Chunks(0) => {
                    let size = self.wire.line()?;
                    let size = u64::from_str_radix(&size, 16).expect("a size");
                    if size == 0 {
                        self.wire.line()?;
                        self.left = Left::Nothing;
                        return None;
                    }
                    self.left = Left::Chunks(size);
                }
                Left::Chunks(left) => {
                    *left -= 1;
                    let is_last = *left == 0;
                    let byte = self.wire.byte()?;
                    if is_last {
                        self.wire.line()?;
                    }
                    return Some(byte);
                }
            }
        }
    }
}

impl Wire {
    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(1..) => Some(byte[0]),
            Ok(0) => None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| &**value)
    }

    /// The messages in it: of a stream of events, or the one that it is.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let read = |text: &str| {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
        };
        if self.header("content-type") != Some("text/event-stream") {
            return vec![read(&self.body)];
        }
        let lines = self.body.lines();
        lines
            .filter_map(|line| line.strip_prefix("data: "))
            .map(read)
            .collect()
    }

    /// The error of the protocol that it is.
    pub(crate) fn error(&self) -> Value {
        let last = self.messages().pop().expect("a message");
        assert!(last["error"].is_object(), "{self:?}");
        last["error"].clone()
    }
}

/// A request with these headers and this body.
pub(crate) fn post(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", &length)]].concat();
    [head("POST", "/mcp", &headers).as_bytes(), body].concat()
}

/// The head of a request. What a client always says is said where nothing else is.
pub(crate) fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let usual = [
        ("Host", "127.0.0.1"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ];
    let is_said = |name: &str| headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
    let usual = usual.iter().filter(|(name, _)| !is_said(name));
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    for (name, value) in usual.chain(headers) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}
