//! What happens to a task: a page of it, or all of it as it happens, as server-sent events.
//!
//! An event's id is its number in the store, which is never another's: whoever names the last that
//! it has seen gets exactly what came after it, also from a server that was started again.

use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Duration, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Failure, State, limit, task};
use crate::desk::{Ask, Desk, PAGE_MAX};
use crate::http::stream::{SILENCE, response};
use crate::id::TaskKey;
use crate::runtime::{Error, Runtime};
use crate::task::Status;
use crate::view;

/// How often the log is looked at, at most: every commit of any task may have added to it.
const PACE: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn get(
    Extract(state): Extract<State>,
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let task = task(&id)?;
    let Query(wanted) = query?;
    let after = wanted.after.unwrap_or_default();
    if !wants_stream(&headers) {
        let ask = Ask::Events(task, after, limit(wanted.limit)?);
        return Ok(Json(desk.ask(ask).await?).into_response());
    }
    let after = last_seen(&headers)?.unwrap_or(after);
    let record = desk.look(task).await?;
    let mut silence = tokio::time::interval(state.0.options.stream_keep_alive);
    silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let runtime = desk.runtime().clone();
    let mut tail = Tail {
        commits: runtime.commits(),
        runtime,
        task: record.key(),
        after,
        silence,
        closing: state.0.shutdown.clone(),
        is_over: false,
    };
    // A browser that has seen everything asks again until it is told that there is nothing.
    let first = tail.read().await.map_err(crate::access::Error::from)?;
    if let Read::Ended(_) = first {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut first = Some(first);
    let events = stream::unfold(tail, move |mut tail| {
        let first = first.take();
        async move {
            let bytes = tail.next(first).await?;
            tail.silence.reset();
            Some((Ok::<_, Infallible>(bytes), tail))
        }
    });
    Ok(response(events))
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    accepted.any(|accept| {
        let accept = accept.to_str().unwrap_or_default();
        accept.to_ascii_lowercase().contains("text/event-stream")
    })
}

fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(last) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let last = last.to_str().ok().and_then(|last| last.trim().parse().ok());
    let refused = || Failure::invalid("Last-Event-ID: it is the number of an event");
    last.map(Some).ok_or_else(refused)
}

/// The rest of a task's events.
struct Tail {
    runtime: Runtime,
    task: TaskKey,
    after: u64,
    commits: watch::Receiver<u64>,
    silence: Interval,
    closing: CancellationToken,
    is_over: bool,
}

/// What a look at the log brings.
enum Read {
    /// These events.
    Events(Bytes),
    /// Nothing yet.
    Nothing,
    /// Nothing, ever: the task has ended, and all is sent.
    Ended(Status),
}

impl Tail {
    /// What is sent next; nothing, where the stream is at its end.
    async fn next(&mut self, mut read: Option<Read>) -> Option<Bytes> {
        loop {
            if self.is_over {
                return None;
            }
            let read = match read.take() {
                Some(read) => read,
                // It is not kept any more, or the store has failed: whoever asks again is told.
                None => self.read().await.ok()?,
            };
            match read {
                Read::Events(bytes) => return Some(bytes),
                Read::Ended(status) => {
                    self.is_over = true;
                    let status = json!({"status": status});
                    return Some(format!("event: end\ndata: {status}\n\n").into());
                }
                Read::Nothing => {}
            }
            tokio::select! {
                biased;
                // It goes on at the next start, from the last event that arrived.
                () = self.closing.cancelled() => return None,
                changed = self.commits.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(PACE).await;
                }
                _ = self.silence.tick() => return Some(SILENCE),
            }
        }
    }

    async fn read(&mut self) -> Result<Read, Error> {
        self.commits.mark_unchanged();
        // Before its log: what is written with the end, or before it, is in the log then.
        let status = self.runtime.record(&self.task).await?.status();
        let events = self
            .runtime
            .events(&self.task, self.after, PAGE_MAX)
            .await?;
        let Some(last) = events.last() else {
            return Ok(match status.is_terminal() {
                true => Read::Ended(status),
                false => Read::Nothing,
            });
        };
        self.after = last.number;
        let events = events.iter().map(|event| {
            let (id, event) = (event.number, json!(view::Event::from(event)));
            format!("id: {id}\ndata: {event}\n\n")
        });
        Ok(Read::Events(events.collect::<String>().into()))
    }
}
