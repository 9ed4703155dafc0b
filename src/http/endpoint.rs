//! `/mcp`: Streamable HTTP, for both eras (specification 2026-07-28 and 2025-11-25,
//! basic/transports). One message is posted; the answer is one JSON text, or a stream of events
//! where something is to be said before it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::authority::Stranger;
use super::stream::{Early, Reply};
use super::{Flight, InFlight, Peer, State, body};
use crate::identity::Caller;
use crate::mcp::{Context, Error, Headers, Id, Kind, Message, Session, Stream, answer};

/// From this version on a request is modern.
const MODERN: &str = "2026-07-28";

const VERSION: &str = "mcp-protocol-version";
const SESSION: &str = "mcp-session-id";
const PARAM: &str = "mcp-param-";

/// Anything but a POST.
pub(super) async fn only_post() -> Response {
    let allow = [(header::ALLOW, "POST")];
    (StatusCode::METHOD_NOT_ALLOWED, allow).into_response()
}

pub(super) async fn post(
    Extract(state): Extract<State>,
    Extension(peer): Extension<Peer>,
    posted: Request,
) -> Response {
    let (head, body) = posted.into_parts();
    let headers = head.headers;
    // Of somebody who is nobody here no body is read: they could fill the memory with bodies.
    let Ok(caller) = state.caller(&headers, &peer, "mcp") else {
        return Stranger::answer();
    };
    if !is_json(&headers) {
        let why = "a message is sent as application/json\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    let options = &state.0.options;
    let body_max = usize::try_from(options.body_max).unwrap_or(usize::MAX);
    let body = match body::read(body, body_max, options.header_timeout).await {
        Ok(body) => body,
        Err(unread) => return refusal(unread.status, None, Error::invalid_request(unread.why)),
    };
    let takes_stream = takes_stream(&headers);
    let headers = said(&headers);
    match Message::decode(&body) {
        Err(malformed) => {
            let id = malformed.id.as_ref();
            refusal(StatusCode::BAD_REQUEST, id, malformed.error)
        }
        Ok(Message::Response { id, result }) => {
            state.0.server.answered(&caller, &id, result);
            StatusCode::ACCEPTED.into_response()
        }
        Ok(Message::Notification { method, params }) => {
            match state
                .0
                .server
                .check_notification(&method, &params, &headers)
            {
                Err(error) => refusal(StatusCode::BAD_REQUEST, None, error),
                Ok(()) => {
                    state
                        .0
                        .in_flight
                        .notified((&caller, &headers), &method, &params);
                    StatusCode::ACCEPTED.into_response()
                }
            }
        }
        Ok(Message::Request { id, method, params }) => {
            let from = From {
                caller,
                headers,
                takes_stream,
            };
            request(&state, from, id, (method, params)).await
        }
    }
}

/// Where a request comes from.
struct From {
    caller: Caller,
    headers: Headers,
    /// Whether the client reads a stream of events.
    takes_stream: bool,
}

async fn request(state: &State, from: From, id: Id, (method, params): (String, Value)) -> Response {
    let From {
        caller,
        headers,
        takes_stream,
    } = from;
    let is_modern = headers.version.as_deref() >= Some(MODERN);
    let session = (method == "initialize" && !is_modern).then(|| Session::begin(&params));
    let (stream, messages) = Stream::new();
    let (gone, cancelled) = (CancellationToken::new(), CancellationToken::new());
    let flight = state
        .0
        .in_flight
        .enter((&caller, &headers), &id, &cancelled);
    let context = Context {
        caller,
        id: id.clone(),
        session: match takes_stream {
            true => headers.session.as_deref().and_then(Session::from_header),
            false => Some(Session::without_stream()),
        },
        headers: Some(headers),
        is_connection: false,
        stream,
        gone: gone.clone(),
        cancelled,
    };
    let (done, result) = oneshot::channel();
    let server = state.0.server.clone();
    // It goes on where nobody reads any more: what then becomes of it is not HTTP's to decide.
    tokio::spawn(async move {
        let result = server.dispatch(&context, &method, params).await;
        drop(flight);
        let _ = done.send(result);
    });
    let reply = Reply::new(messages, (id, result), gone);
    match reply.early(&state.0.runtime, takes_stream).await {
        Early::Answer(id, Ok(result)) => {
            let mut response = Json(answer(Some(&id), Ok(result))).into_response();
            if let Some(session) = session {
                let value = HeaderValue::try_from(session.to_header());
                let name = HeaderName::from_static(SESSION);
                value.into_iter().for_each(|value| {
                    response.headers_mut().insert(name.clone(), value);
                });
            }
            response
        }
        Early::Answer(id, Err(error)) => refusal(status(&error, is_modern), Some(&id), error),
        Early::Stream(reply) => reply.into_response(state.0.options.stream_keep_alive),
    }
}

fn refusal(status: StatusCode, id: Option<&Id>, error: Error) -> Response {
    (status, Json(answer(id, Err(error)))).into_response()
}

/// What an error is in HTTP's own terms. The legacy era has none: there a status is about the
/// transport, and clients take 404 for a session that is gone.
fn status(error: &Error, is_modern: bool) -> StatusCode {
    match error.kind {
        Kind::MethodNotFound if is_modern => StatusCode::NOT_FOUND,
        Kind::Envelope
        | Kind::HeaderMismatch
        | Kind::MissingCapability
        | Kind::UnsupportedVersion => StatusCode::BAD_REQUEST,
        Kind::Parse
        | Kind::InvalidRequest
        | Kind::MethodNotFound
        | Kind::InvalidParams
        | Kind::Internal => StatusCode::OK,
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Whether the client reads a stream of events: it says so, or says nothing of what it reads.
fn takes_stream(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
    accepted.peek().is_none()
        || accepted.any(|accepted| {
            let accepted = accepted.to_str().unwrap_or_default();
            ["text/event-stream", "text/*", "*/*"]
                .iter()
                .any(|kind| accepted.contains(kind))
        })
}

/// What the headers say of the protocol.
fn said(headers: &HeaderMap) -> Headers {
    // One that is there twice says both, as a list (RFC 9110, 5.3), and so nothing that a body could
    // say: whoever stands between may have gone by either.
    let get = |name: &str| {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| Some(value.to_str().ok()?.trim()));
        let values: Vec<_> = values.collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.join(", "))
    };
    let params = headers.keys().filter_map(|name| {
        let name = name.as_str();
        Some((name.strip_prefix(PARAM)?.to_owned(), get(name)?))
    });
    Headers {
        version: get(VERSION),
        method: get("mcp-method"),
        name: get("mcp-name"),
        session: get(SESSION),
        params: params.collect::<HashMap<_, _>>(),
    }
}

impl InFlight {
    /// Notes a request that a message of its own may cancel. An id that is in use already is the
    /// client's mistake: the request is served, and can't be cancelled.
    fn enter(
        &self,
        (caller, headers): (&Caller, &Headers),
        id: &Id,
        cancelled: &CancellationToken,
    ) -> Option<Flight> {
        let session = headers.session.clone()?;
        let key = (caller.principal.clone(), session, id.clone());
        match self.lock().entry(key.clone()) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(place) => place.insert(cancelled.clone()),
        };
        let all = self.clone();
        Some(Flight { all, key })
    }

    /// Cancels a request, if that is what has been said.
    fn notified(&self, (caller, headers): (&Caller, &Headers), method: &str, params: &Value) {
        let id = params.get("requestId").cloned();
        let id = id.and_then(|id| serde_json::from_value(id).ok());
        if let ("notifications/cancelled", Some(id), Some(session)) =
            (method, id, headers.session.clone())
            && let Some(cancelled) = self.lock().get(&(caller.principal.clone(), session, id))
        {
            cancelled.cancel();
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}
