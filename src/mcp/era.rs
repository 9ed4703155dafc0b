//! Which era of the protocol a request speaks.
//!
//! Modern (2026-07-28) requests carry version and capabilities in their own `_meta`; legacy ones
//! (2025-11-25 and older) follow a handshake. Both are served at one place, and no session is kept
//! for either. Rules: specification 2026-07-28, basic/versioning and basic/transports.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{self, Kind};
use super::{Error, Headers};

/// The version that modern requests speak.
pub(super) const MODERN: &str = "2026-07-28";

/// The versions that legacy clients may speak, newest first.
pub(super) const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// The extension by which a modern client takes tasks.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// What a modern request says of its client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Envelope {
    /// What the client can do, as it says.
    pub(super) capabilities: Value,
    /// By which it wants to be told of progress.
    pub(super) progress: Option<Value>,
}

/// Which era.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Era {
    /// 2026-07-28.
    Modern(Envelope),
    /// What came before.
    Legacy,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion", borrow)]
    version: Cow<'a, str>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: serde_json::Map<String, Value>,
    #[serde(rename = "io.modelcontextprotocol/clientInfo", default, borrow)]
    _client: Option<Client<'a>>,
    #[serde(rename = "progressToken", default)]
    progress: Option<Value>,
}

#[derive(Deserialize)]
struct Client<'a> {
    #[serde(rename = "name", borrow)]
    _name: Cow<'a, str>,
    #[serde(rename = "version", borrow)]
    _version: Cow<'a, str>,
}

impl Era {
    /// Whether a message is of the modern era, by what it says of itself.
    pub(super) fn is_modern(params: &Value, headers: Option<&Headers>) -> bool {
        let meta = params.get("_meta");
        let version = headers.and_then(|headers| headers.version.as_deref());
        // Versions are dates: they sort as texts.
        meta.is_some_and(|meta| meta.get(VERSION).is_some())
            || version.is_some_and(|version| version >= MODERN)
    }

    /// The era of a request, by its metadata and, over HTTP, its headers.
    pub(super) fn of(
        method: &str,
        params: &Value,
        headers: Option<&Headers>,
    ) -> Result<Self, Error> {
        let meta = params.get("_meta");
        if !Self::is_modern(params, headers) {
            return match headers.and_then(|headers| headers.version.as_deref()) {
                // The handshake says by itself which version it wants.
                Some(version) if !LEGACY.contains(&version) && method != "initialize" => {
                    Err(unsupported(version))
                }
                _ => Ok(Self::Legacy),
            };
        }
        let meta = meta.unwrap_or(&Value::Null);
        let meta: Meta<'_> = serde_path_to_error::deserialize(meta).map_err(|error| {
            let (path, why) = (error.path().to_string(), error.inner().to_string());
            Error::new(Kind::Envelope, format!("params._meta.{path}: {why}"))
        })?;
        if let Some(headers) = headers {
            headers.check_version(&meta.version)?;
        }
        if meta.version != MODERN {
            return Err(unsupported(&meta.version));
        }
        if let Some(headers) = headers {
            headers.check_method(method)?;
        }
        Ok(Self::Modern(Envelope {
            capabilities: Value::Object(meta.capabilities),
            progress: meta.progress,
        }))
    }
}

impl Envelope {
    /// Whether the client takes tasks.
    pub(super) fn takes_tasks(&self) -> bool {
        let extensions = self.capabilities.get("extensions");
        extensions.is_some_and(|extensions| extensions.get(TASKS).is_some())
    }

    /// Whether the client can be asked questions by a form.
    pub(super) fn takes_forms(&self) -> bool {
        takes_forms(&self.capabilities)
    }
}

/// Whether these capabilities of a client have elicitation by forms: an empty one has, by the
/// specification.
pub(super) fn takes_forms(capabilities: &Value) -> bool {
    match capabilities.get("elicitation") {
        Some(Value::Object(modes)) => modes.is_empty() || modes.contains_key("form"),
        _ => false,
    }
}

/// What of `required`, in the shape of a client's capabilities, `capabilities` lack.
pub(super) fn lacking(required: &Value, capabilities: &Value) -> Option<Value> {
    let Value::Object(required) = required else {
        return None;
    };
    let missing: serde_json::Map<_, _> = required
        .iter()
        .filter_map(|(name, inner)| match capabilities.get(name) {
            None => Some((name.clone(), inner.clone())),
            Some(has) => lacking(inner, has).map(|inner| (name.clone(), inner)),
        })
        .collect();
    (!missing.is_empty()).then_some(Value::Object(missing))
}

fn unsupported(version: &str) -> Error {
    let requested = crate::text::clean_line(version, 64);
    let message = format!("the protocol version `{requested}` is not spoken here");
    Error::new(error::Kind::UnsupportedVersion, message)
        .with(json!({"supported": supported(), "requested": requested}))
}

/// Every version that is spoken here, oldest first.
pub(super) fn supported() -> Vec<&'static str> {
    let legacy = LEGACY.iter().rev().copied();
    legacy.chain([MODERN]).collect()
}
