//! Whether this process is well, for whoever decides what becomes of it.

use axum::extract::State as Extract;
use axum::http::StatusCode;

use super::State;

/// The process answers: it need not be restarted.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Whether new work should be sent here.
pub(super) async fn ready(Extract(state): Extract<State>) -> (StatusCode, String) {
    match state.0.runtime.unready() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
