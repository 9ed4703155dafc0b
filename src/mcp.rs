//! The Model Context Protocol without a transport: a method and its parameters in, a result or an
//! error out, over the durable runtime.
//!
//! Both eras are served at once, and the era is decided for each request ([`era`]): what differs
//! between them is in [`modern`] and [`legacy`], one file each, over the same calls and the same
//! tasks. [`plain`] is a third vocabulary for the same tasks, not a third era.
//!
//! The wire types are ours, all of them. rmcp's `model` would fit most of the modern era, but drops
//! the older generation of tasks, drops `taskIds` of a subscription, and reads requests through
//! untagged enums, so that a wrong parameter can't be told by its path. It is the tests' client.
//!
//! This module knows no sockets and no processes: whoever has a message hands it to
//! [`Server::dispatch`], with the way back for what is said before the answer ([`Stream`]).

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::catalogue::{Catalogue, Offers};
use crate::config::Mcp;
use crate::identity::Caller;

mod call;
mod carried;
mod content;
mod era;
mod error;
mod follow;
mod headers;
mod legacy;
mod listen;
mod modern;
mod outcome;
mod peer;
mod plain;
mod question;
mod rpc;
mod task;
mod task_tools;
mod token;
mod tools;

pub use error::{Error, Kind};
pub use headers::Headers;
pub use legacy::Session;
pub use peer::Stream;
pub use rpc::{Id, Malformed, Message, answer};

use era::Era;
use listen::Subscriptions;
use peer::Asked;
use token::Secret;

/// Serves the protocol. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    access: Access,
    offers: Offers,
    settings: Mcp,
    secret: Secret,
    asked: Asked,
    subscriptions: Subscriptions,
    tokens: legacy::Tokens,
    closing: CancellationToken,
}

/// What surrounds a request.
pub struct Context {
    /// Who asks.
    pub caller: Caller,
    /// The request's id.
    pub id: Id,
    /// The headers, where the request came over HTTP.
    pub headers: Option<Headers>,
    /// What is known of a legacy client since its handshake.
    pub session: Option<Session>,
    /// Whether messages that belong to no request reach the client by `stream`, too.
    pub is_connection: bool,
    /// The way back for what is said before the answer.
    pub stream: Stream,
    /// The client has gone.
    pub gone: CancellationToken,
    /// The client wants no answer any more.
    pub cancelled: CancellationToken,
}

impl Server {
    /// A server of the tools in `offers`. `secret` authenticates what clients hand back.
    pub fn new(access: Access, offers: Offers, secret: [u8; 32], settings: Mcp) -> Self {
        Self(Arc::new(Shared {
            access,
            offers,
            secret: Secret::new(secret),
            asked: Asked::default(),
            subscriptions: Subscriptions::new(&settings),
            tokens: legacy::Tokens::default(),
            settings,
            closing: CancellationToken::new(),
        }))
    }

    /// Answers a request.
    pub async fn dispatch(
        &self,
        context: &Context,
        method: &str,
        params: Value,
    ) -> Result<Value, Error> {
        match Era::of(method, &params, context.headers.as_ref())? {
            Era::Modern(envelope) => self.modern(context, &envelope, method, params).await,
            Era::Legacy => self.legacy(context, method, params).await,
        }
    }

    /// Refuses a notification whose headers say something else than its body.
    pub fn check_notification(
        &self,
        method: &str,
        params: &Value,
        headers: &Headers,
    ) -> Result<(), Error> {
        if Era::is_modern(params, Some(headers)) {
            headers.check_method(method)?;
        }
        Ok(())
    }

    /// Takes note of an answer to a request of ours.
    pub fn answered(&self, who: &Caller, id: &Id, result: Result<Value, Value>) {
        self.0.asked.answered(&who.principal, id, result);
    }

    /// Told whenever other tools are offered.
    pub fn changes(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.0.offers.changes()
    }

    /// Ends what would last as long as the connection: subscriptions get their last answer. Calls
    /// and tasks go on.
    pub fn close(&self) {
        self.0.closing.cancel();
    }
}
