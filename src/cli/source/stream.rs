//! A task's events from a server, as they happen.

use std::collections::VecDeque;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use super::client::Client;
use super::request::Request;
use crate::id::TaskId;
use crate::view::Event;

/// The most bytes of one event: a line of a log or a message, and what stands around it.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// A stream of events.
pub(super) struct Stream {
    /// Nothing where the server had nothing to send.
    body: Option<Incoming>,
    rest: Vec<u8>,
    read: VecDeque<Told>,
}

/// What a stream brings.
pub(super) enum Told {
    /// An event.
    Event(Box<Event>),
    /// The task has ended, and that was all.
    End,
    /// Something that is for programs of another version.
    Other,
}

impl Stream {
    /// The events of a task after number `after`.
    pub(super) async fn open(client: &Client, task: TaskId, after: u64) -> anyhow::Result<Self> {
        let request = Request::get(format!("/api/v1/tasks/{task}/events?after={after}"));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let answer = client.send(request, headers).await?;
        let is_over = answer.status() == StatusCode::NO_CONTENT;
        let read = is_over.then_some(Told::End);
        Ok(Self {
            body: Some(answer.into_body()),
            rest: Vec::new(),
            read: read.into_iter().collect(),
        })
    }

    /// What comes next; nothing, where the connection has ended. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.read.pop_front() {
                return Some(told);
            }
            let frame = self.body.as_mut()?.frame().await;
            let Some(Ok(frame)) = frame else {
                self.body = None;
                return None;
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.rest.extend_from_slice(&data);
            if self.rest.len() > EVENT_BYTES_MAX {
                self.body = None;
            }
            self.parse();
        }
    }

    /// Takes out what has arrived as a whole.
    fn parse(&mut self) {
        let mut begin = 0;
        while let Some(block) = self.rest.get(begin..)
            && let Some(end) = block.windows(2).position(|two| two == b"\n\n")
        {
            let text = String::from_utf8_lossy(block.get(..end).unwrap_or_default());
            self.read.extend(told(&text));
            begin += end + 2;
        }
        self.rest.drain(..begin);
    }
}

/// What a block of lines says; nothing, where it only breaks the silence.
fn told(block: &str) -> Option<Told> {
    let field = |name: &str| {
        let mut lines = block.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let data = field("data")?;
    Some(match field("event") {
        None | Some("message") => match serde_json::from_str(data) {
            Ok(event) => Told::Event(event),
            Err(_) => Told::Other,
        },
        Some("end") => Told::End,
        Some(_) => Told::Other,
    })
}
