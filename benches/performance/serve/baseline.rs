//! The baseline of a call: axum as Stepwell has it, with a handler that reads the JSON of the
//! request and sends it back. It is served as axum serves by itself, by as many threads as
//! Stepwell's.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::child::{self, Child};

/// The baseline, in a process of its own.
pub(super) struct Baseline {
    pub(super) address: SocketAddr,
    process: Child,
}

impl Baseline {
    pub(super) fn start() -> anyhow::Result<Self> {
        let mut process = Child::start("axum", Path::new("."), &[])?;
        let (address, _) = process.says()?;
        let address = address.as_str().context("no address")?.parse()?;
        Ok(Self { address, process })
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        self.process.end()
    }
}

/// A child: serves until the parent lets go.
pub(crate) fn serve(_: &Path, _: &[String]) -> anyhow::Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let tokio = builder.enable_all().build()?;
    let listener = tokio.block_on(TcpListener::bind("127.0.0.1:0"))?;
    child::say(&json!(listener.local_addr()?))?;
    let listener = listener.tap_io(|stream| {
        // Stepwell's answers are not held back either.
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().route("/mcp", post(echo));
    tokio.spawn(async { axum::serve(listener, router).await });
    child::wait_for_end()
}

async fn echo(Json(message): Json<Value>) -> Json<Value> {
    Json(message)
}
