//! The audit, as lines of JSON: each exactly as it is kept for whoever checks it later, so the page
//! that they are says where the next begins in its head and not around them.

use axum::Extension;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::{Failure, limit};
use crate::desk::Desk;

/// The number after which the next page begins.
const AFTER: HeaderName = HeaderName::from_static("stepwell-after");

/// Whether there is more to be had now.
const MORE: HeaderName = HeaderName::from_static("stepwell-more");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<u64>,
    limit: Option<usize>,
    newest: Option<usize>,
}

pub(super) async fn get(
    Extension(desk): Extension<Desk>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(wanted) = query?;
    let page = match wanted.newest {
        Some(newest) => desk.audit_newest(newest).await?,
        None => {
            let after = wanted.after.unwrap_or_default();
            desk.audit(after, limit(wanted.limit)?).await?
        }
    };
    let lines = page.entries.iter().map(|entry| entry.line() + "\n");
    let head = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (AFTER, page.after.to_string()),
        (MORE, page.is_more.to_string()),
    ];
    Ok((head, lines.collect::<String>()).into_response())
}
