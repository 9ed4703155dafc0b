//! An answer on its way: at once if it is there soon, else as a stream of events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::mcp::{Error, Id, answer};
use crate::runtime::Runtime;

/// How long nothing is answered before a stream is begun: what stands between would take a long
/// silence for a server that is gone.
const SILENCE_MAX: Duration = Duration::from_secs(1);

type Result = std::result::Result<Value, Error>;

/// An answer that is not there yet, and what is said before it. Dropping it tells whoever works at
/// it that nobody reads any more.
pub(super) struct Reply {
    messages: mpsc::Receiver<Value>,
    result: oneshot::Receiver<Result>,
    id: Id,
    first: Option<Value>,
    is_answered: bool,
    _gone: DropGuard,
}

/// How an answer begins.
pub(super) enum Early {
    /// It was there at once.
    Answer(Id, Result),
    /// It is a stream.
    Stream(Reply),
}

impl Reply {
    pub(super) fn new(
        messages: mpsc::Receiver<Value>,
        (id, result): (Id, oneshot::Receiver<Result>),
        gone: CancellationToken,
    ) -> Self {
        Self {
            messages,
            result,
            id,
            first: None,
            is_answered: false,
            _gone: gone.drop_guard(),
        }
    }

    /// Waits until it is known how the answer begins. For a client that takes no stream nothing is
    /// said before it.
    pub(super) async fn early(mut self, runtime: &Runtime, takes_stream: bool) -> Early {
        if !takes_stream {
            return self.unstreamed().await;
        }
        let silence_over = runtime.clock().now().plus(SILENCE_MAX);
        tokio::select! {
            biased;
            Some(message) = self.messages.recv() => self.first = Some(message),
            result = &mut self.result => return Early::Answer(self.id, whole(result)),
            // A timer of its own would wake the threads that serve with every request.
            () = runtime.until(silence_over) => {}
        }
        Early::Stream(self)
    }

    async fn unstreamed(mut self) -> Early {
        loop {
            tokio::select! {
                biased;
                Some(_) = self.messages.recv() => {}
                result = &mut self.result => return Early::Answer(self.id, whole(result)),
            }
        }
    }

    /// The stream of events: every message, then the answer.
    pub(super) fn into_response(self, keep_alive: Duration) -> Response {
        let mut silence = tokio::time::interval(keep_alive);
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        silence.reset();
        let events = stream::unfold((self, silence), |(mut reply, mut silence)| async move {
            let event = reply.next(&mut silence).await?;
            silence.reset();
            Some((Ok::<_, Infallible>(event), (reply, silence)))
        });
        response(events)
    }

    async fn next(&mut self, silence: &mut Interval) -> Option<Bytes> {
        if self.is_answered {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(event(&first));
        }
        tokio::select! {
            // What was said before the answer is sent before it.
            biased;
            Some(message) = self.messages.recv() => Some(event(&message)),
            result = &mut self.result => {
                self.is_answered = true;
                Some(event(&answer(Some(&self.id), whole(result))))
            }
            _ = silence.tick() => Some(SILENCE),
        }
    }
}

/// The answer that is a stream of events.
pub(super) fn response(
    events: impl Stream<Item = std::result::Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Body::from_stream(events).into_response();
    let headers = response.headers_mut();
    let set = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // nginx would keep events until it has many (specification, basic/transports).
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is sent where there is no news, so that nothing on the way takes the stream for dead.
pub(super) const SILENCE: Bytes = Bytes::from_static(b":\n\n");

fn event(message: &Value) -> Bytes {
    format!("event: message\ndata: {message}\n\n").into()
}

fn whole(result: std::result::Result<Result, oneshot::error::RecvError>) -> Result {
    result.unwrap_or_else(|_| Err(Error::internal("host", "the request was cut off")))
}
