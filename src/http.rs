//! HTTP: the protocol at `/mcp`, tasks at `/api/v1`, and whether this process is well; on TCP, and
//! on a socket in the data directory for whoever may open that.
//!
//! What a request says is checked here as far as HTTP goes (where it came from, who asks, how large
//! it is); what it means is the business of [`crate::mcp`] and [`crate::desk`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::audit::Entry;
use crate::config::Http;
use crate::desk::Desk;
use crate::id::Principal;
use crate::identity::Caller;
use crate::mcp::{Id, Server};
use crate::runtime::Runtime;

mod api;
mod authority;
mod body;
mod connection;
mod endpoint;
mod health;
mod origin;
mod socket;
mod stream;

pub use authority::Authority;
pub use connection::{Listener, Peer};
pub use socket::{CannotBind, Name, Socket};

use authority::Stranger;

/// Serves requests, whatever they come by. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Front(State);

/// What every request is answered with.
#[derive(Clone)]
struct State(Arc<Shared>);

struct Shared {
    server: Server,
    runtime: Runtime,
    authority: Authority,
    options: Http,
    in_flight: InFlight,
    shutdown: CancellationToken,
}

/// The requests of legacy clients that are at work, by who asks and their session: what is cancelled
/// by a message of its own. A session is what a client says, so it is one within a principal only.
#[derive(Clone, Default)]
struct InFlight(Arc<Mutex<HashMap<FlightKey, CancellationToken>>>);

type FlightKey = (Principal, String, Id);

/// One of them. Dropping it forgets it.
struct Flight {
    all: InFlight,
    key: FlightKey,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, HashMap<FlightKey, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Front {
    /// Serves until `shutdown`.
    pub fn new(
        (server, runtime): (Server, Runtime),
        (authority, options): (Authority, Http),
        shutdown: CancellationToken,
    ) -> Self {
        Self(State(Arc::new(Shared {
            server,
            runtime,
            authority,
            options,
            in_flight: InFlight::default(),
            shutdown,
        })))
    }

    /// Serves who comes by `listener` until the shutdown, and then until every answer is sent or
    /// `patience` is over.
    pub async fn serve(self, listener: impl Listener, patience: Duration) {
        let shared = &self.0.0;
        let serving = (&shared.options, shared.shutdown.clone());
        connection::accept(listener, self.router(), serving, patience).await;
    }

    fn router(&self) -> Router {
        let state = &self.0;
        let body_max = usize::try_from(state.0.options.body_max).unwrap_or(usize::MAX);
        let guarded = Router::new()
            .route("/mcp", post(endpoint::post).fallback(endpoint::only_post))
            .nest("/api/v1", api::routes(state))
            .layer(DefaultBodyLimit::max(body_max))
            .layer(from_fn_with_state(state.clone(), origin::check));
        Router::new()
            .route("/livez", get(health::live))
            .route("/readyz", get(health::ready))
            .merge(guarded)
            .with_state(state.clone())
    }
}

impl State {
    /// Who asks for `what`. Whoever is nobody here is in the audit.
    fn caller(&self, headers: &HeaderMap, peer: &Peer, what: &str) -> Result<Caller, Stranger> {
        if *peer == Peer::Socket {
            return Ok(Caller::local());
        }
        self.0.authority.caller(headers).inspect_err(|stranger| {
            let from = match &stranger.key {
                Some(key) => format!("{peer}, with the key {key}"),
                None => peer.to_string(),
            };
            let now = self.0.runtime.clock().now();
            let entry = Entry::refused_stranger(now, &from, what, stranger.code);
            self.0.runtime.audit(entry);
        })
    }

    /// The desk at which the caller's requests are carried out.
    fn desk(&self, caller: Caller, peer: &Peer) -> Desk {
        let runtime = self.0.runtime.clone();
        match peer {
            Peer::Socket => Desk::of_host(runtime),
            Peer::Address(_) => Desk::new(Access::new(runtime), caller),
        }
    }
}
