//! The body of a request: JSON, or nothing where nothing has to be said.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::http::endpoint::is_json;

/// What a request says.
pub(super) struct Body<T>(pub(super) T);

/// What a request says where nothing can be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|refused| {
            let code = match refused.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "too-large",
                _ => "invalid-request",
            };
            Failure::new(refused.status(), code, refused.body_text())
        })?;
        if body.is_empty() {
            return read(b"{}");
        }
        if !is_json {
            let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid-request");
            let why = "what is said is sent as application/json";
            return Err(Failure::new(status, code, why));
        }
        read(&body)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Body<T>, Failure> {
    let body = serde_json::from_slice::<serde_json::Value>(body)
        .map_err(|error| Failure::invalid(format!("the body is not JSON: {error}")))?;
    let read = serde_path_to_error::deserialize(body);
    read.map(Body).map_err(|error| {
        let why = match error.path().to_string() {
            path if path == "." => error.inner().to_string(),
            path => format!("{path}: {}", error.inner()),
        };
        Failure::invalid(why)
    })
}
