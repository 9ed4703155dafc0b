//! `/api/v1`: tasks over plain HTTP, with the JSON that the command line prints. `docs/api.md`
//! tells of each route.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State as Extract};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::authority::Stranger;
use super::{Peer, State};
use crate::desk::{Ask, Desk, List, PAGE};
use crate::id::{CheckpointId, TaskId};
use crate::task::Status;

mod audit;
mod body;
mod events;
mod failure;

use body::Body;
use failure::Failure;

type Answer = Result<Json<Value>, Failure>;
type Made = Result<(StatusCode, Json<Value>), Failure>;

/// The routes, without what leads them.
pub(super) fn routes(state: &State) -> Router<State> {
    Router::new()
        .route("/tasks", get(list))
        .route("/tasks/{id}", get(show))
        .route("/tasks/{id}/events", get(events::get))
        .route("/tasks/{id}/result", get(result))
        .route("/tasks/{id}/cancel", post(cancel))
        .route("/tasks/{id}/pause", post(pause))
        .route("/tasks/{id}/resume", post(resume))
        .route("/tasks/{id}/answer", post(answer))
        .route("/tasks/{id}/checkpoints", get(checkpoints).post(save))
        .route("/tasks/{id}/checkpoints/{checkpoint}", get(export))
        .route("/tasks/{id}/restore", post(restore))
        .route("/tasks/{id}/fork", post(fork))
        .route("/audit", get(audit::get))
        .fallback(async || Failure::no_route())
        .method_not_allowed_fallback(async || Failure::no_method())
        .layer(from_fn_with_state(state.clone(), authenticate))
}

/// Lets only those pass who are somebody here, each with a desk of their own.
async fn authenticate(
    Extract(state): Extract<State>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    // What leads the path was taken off on the way here.
    let what = format!("{} /api/v1{}", request.method(), request.uri().path());
    match state.caller(request.headers(), &peer, &what) {
        Ok(caller) => {
            let desk = state.desk(caller, &peer);
            request.extensions_mut().insert(desk);
            next.run(request).await
        }
        Err(_) => {
            let why = Failure::new(StatusCode::UNAUTHORIZED, "unauthenticated", Stranger::WHY);
            Stranger::challenge(why.into_response())
        }
    }
}

/// Which tasks are listed; several statuses stand with commas between them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    status: Option<String>,
    tool: Option<String>,
    owner: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn list(
    Extension(desk): Extension<Desk>,
    query: Result<Query<Listed>, QueryRejection>,
) -> Answer {
    let Query(listed) = query?;
    let words = listed.status.as_deref().unwrap_or_default().split(',');
    let words = words.filter(|word| !word.is_empty());
    let status: Result<Vec<Status>, _> = words.map(status).collect();
    let cursor = listed.cursor.as_deref().map(str::parse).transpose();
    let list = List {
        status: status?,
        tool: listed.tool,
        owner: listed.owner,
        cursor: cursor.map_err(|error| Failure::invalid(format!("cursor: {error}")))?,
        limit: limit(listed.limit)?,
    };
    Ok(Json(desk.ask(Ask::List(list)).await?))
}

/// A status is written as tasks have it.
fn status(word: &str) -> Result<Status, Failure> {
    serde_json::from_value(Value::String(word.to_owned()))
        .map_err(|error| Failure::invalid(format!("status: {error}")))
}

/// How much a page is to hold.
fn limit(asked: Option<usize>) -> Result<usize, Failure> {
    match asked.unwrap_or(PAGE) {
        0 => Err(Failure::invalid("limit: it is at least 1")),
        limit => Ok(limit),
    }
}

/// A text that is no task's id names no task.
fn task(id: &str) -> Result<TaskId, Failure> {
    id.parse().map_err(|_| Failure::no_task(id))
}

async fn show(Extension(desk): Extension<Desk>, Path(id): Path<String>) -> Answer {
    Ok(Json(desk.ask(Ask::Task(task(&id)?)).await?))
}

async fn result(Extension(desk): Extension<Desk>, Path(id): Path<String>) -> Answer {
    Ok(Json(desk.ask(Ask::Result(task(&id)?)).await?))
}

async fn cancel(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(cancel): Body<crate::desk::Cancel>,
) -> Answer {
    Ok(Json(desk.ask(Ask::Cancel(task(&id)?, cancel)).await?))
}

async fn pause(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(body::Nothing {}): Body<body::Nothing>,
) -> Answer {
    Ok(Json(desk.ask(Ask::Pause(task(&id)?)).await?))
}

async fn resume(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(body::Nothing {}): Body<body::Nothing>,
) -> Answer {
    Ok(Json(desk.ask(Ask::Resume(task(&id)?)).await?))
}

async fn answer(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(answer): Body<crate::desk::Answer>,
) -> Answer {
    Ok(Json(desk.ask(Ask::Answer(task(&id)?, answer)).await?))
}

async fn checkpoints(Extension(desk): Extension<Desk>, Path(id): Path<String>) -> Answer {
    Ok(Json(desk.ask(Ask::Checkpoints(task(&id)?)).await?))
}

async fn save(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(save): Body<crate::desk::Save>,
) -> Made {
    let saved = desk.ask(Ask::Save(task(&id)?, save)).await?;
    Ok((StatusCode::CREATED, Json(saved)))
}

async fn export(
    Extension(desk): Extension<Desk>,
    Path((id, checkpoint)): Path<(String, String)>,
) -> Answer {
    let task = task(&id)?;
    let checkpoint = checkpoint.parse::<CheckpointId>();
    let checkpoint =
        checkpoint.map_err(|error| Failure::invalid(format!("checkpoint: {error}")))?;
    Ok(Json(desk.ask(Ask::Export(task, checkpoint)).await?))
}

async fn restore(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(restore): Body<crate::desk::Restore>,
) -> Answer {
    Ok(Json(desk.ask(Ask::Restore(task(&id)?, restore)).await?))
}

async fn fork(
    Extension(desk): Extension<Desk>,
    Path(id): Path<String>,
    Body(fork): Body<crate::desk::Fork>,
) -> Made {
    let child = desk.ask(Ask::Fork(task(&id)?, fork)).await?;
    Ok((StatusCode::CREATED, Json(child)))
}
