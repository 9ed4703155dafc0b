//! Who asks, by what the request carries.

use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::clock::Clock;
use crate::identity::{Caller, Keys, Lookup, Secret};

/// How it is known who asks. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Authority {
    keys: Arc<RwLock<Arc<Keys>>>,
    clock: Clock,
}

/// Somebody who is nobody here. Outside they all look the same; the rest is for the audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stranger {
    /// Why.
    pub(super) code: &'static str,
    /// The id of the key that was good once.
    pub(super) key: Option<String>,
}

impl Authority {
    /// Whoever has one of these keys; where there is none, everybody is the local user, and only
    /// this machine may be served.
    pub fn new(keys: Keys, clock: Clock) -> Self {
        Self {
            keys: Arc::new(RwLock::new(Arc::new(keys))),
            clock,
        }
    }

    /// These keys from now on.
    pub fn replace(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Who asks.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Stranger> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.clone();
        if keys.is_empty() {
            return Ok(Caller::local());
        }
        let refused = |code, key| Err(Stranger { code, key });
        let Some(key) = bearer(headers) else {
            return refused("unauthenticated", None);
        };
        match keys.find(&key, self.clock.now()) {
            Lookup::Found(caller) => Ok(caller),
            Lookup::Unknown | Lookup::Malformed => refused("unauthenticated", None),
            Lookup::Revoked(id) => {
                tracing::warn!(key = id, "a key that was revoked was refused");
                refused("revoked-key", Some(id))
            }
            Lookup::Expired(id) => {
                tracing::warn!(key = id, "a key whose time is over was refused");
                refused("expired-key", Some(id))
            }
        }
    }
}

impl Stranger {
    /// What is said to all of them.
    pub(super) const WHY: &'static str = "a key is needed here: `Authorization: Bearer sw_...`";

    /// The answer in plain text.
    pub(super) fn answer() -> Response {
        let why = format!("{}\n", Self::WHY);
        Self::challenge((StatusCode::UNAUTHORIZED, why).into_response())
    }

    /// The answer, with what says how to ask.
    pub(super) fn challenge(mut response: Response) -> Response {
        let bearer = HeaderValue::from_static("Bearer realm=\"stepwell\"");
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, bearer);
        response
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let is_only = values.next().is_none();
    (is_only && scheme.eq_ignore_ascii_case("bearer")).then(|| Secret::new(key.trim()))
}
