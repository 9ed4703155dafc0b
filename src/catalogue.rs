//! What is offered: the tools by the names under which they are served, each with its component,
//! its limits and its grants.
//!
//! A catalogue never changes; another takes its place. Tasks keep what they were accepted with, so
//! a tool that is not offered any more is still run for the tasks that asked for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::id::Digest;
use crate::limit::Limits;
use crate::runtime::{Grant, Request};
use crate::task::Policy;
use crate::tool::Tool;

/// A tool that is served.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The name under which it is served.
    pub name: Arc<str>,
    /// The tool.
    pub tool: Arc<Tool>,
    /// The component that it is in.
    pub component: Digest,
    /// The limits of its tasks.
    pub limits: Limits,
    /// The folders that its tasks may use.
    pub grants: Vec<Grant>,
    /// How much of its calls is kept.
    pub policy: Policy,
    /// How long a task of it is expected to take.
    pub expected_duration: Option<Duration>,
    /// The time within which a task of it should have ended.
    pub sla: Option<Duration>,
}

impl Offer {
    /// A call of the tool with these arguments.
    pub fn request(&self, owner: crate::id::Principal, arguments: serde_json::Value) -> Request {
        Request {
            owner,
            limits: self.limits.clone(),
            grants: self.grants.clone(),
            policy: Some(self.policy),
            ..Request::new(self.component, self.tool.definition.name.clone(), arguments)
        }
    }
}

/// The tools that are served, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue(BTreeMap<Arc<str>, Arc<Offer>>);

/// Two tools, or a tool and a word of the protocol, under one name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidName {
    /// Two tools have it.
    #[error("two tools are called `{0}`: give one of them another name in the configuration")]
    Twice(Arc<str>),
    /// It is not one.
    #[error("`{0}` is no name for a tool: 1 to 128 characters of A-Z, a-z, 0-9, `_`, `-` and `.`")]
    Malformed(Arc<str>),
    /// The server has a tool of that name.
    #[error("`{0}` is a tool of the server itself: give yours another name in the configuration")]
    Reserved(Arc<str>),
}

/// The names of tools that are the server's own, whether it offers them or not.
pub const RESERVED: [&str; 4] = ["task_cancel", "task_result", "task_start", "task_status"];

/// The most characters of a tool's name: <https://modelcontextprotocol.io/specification>, Tools.
const NAME_CHARS_MAX: usize = 128;

impl Catalogue {
    /// The catalogue of these tools.
    pub fn new(offers: impl IntoIterator<Item = Offer>) -> Result<Self, InvalidName> {
        let mut tools = BTreeMap::new();
        for offer in offers {
            let name = offer.name.clone();
            let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
            if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(allowed) {
                return Err(InvalidName::Malformed(name));
            }
            if RESERVED.contains(&&*name) {
                return Err(InvalidName::Reserved(name));
            }
            if tools.insert(name.clone(), Arc::new(offer)).is_some() {
                return Err(InvalidName::Twice(name));
            }
        }
        Ok(Self(tools))
    }

    /// The tool that is served as `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<Offer>> {
        self.0.get(name)
    }

    /// The tool of a component: the name under which a task's tool is served.
    pub fn of(&self, component: Digest, tool: &str) -> Option<&Arc<Offer>> {
        let is = |offer: &&Arc<Offer>| {
            offer.component == component && offer.tool.definition.name == tool
        };
        self.0.values().find(is)
    }

    /// The tools after the name `after`, in the order of their names.
    pub fn after<'a>(&'a self, after: &'a str) -> impl Iterator<Item = &'a Arc<Offer>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = if after.is_empty() {
            Unbounded
        } else {
            Excluded(after)
        };
        self.0
            .range::<str, _>((from, Unbounded))
            .map(|(_, offer)| offer)
    }

    /// Whether both look the same to whoever lists their tools.
    fn looks_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.values().zip(other.0.values()).all(|(one, other)| {
                one.name == other.name
                    && one.policy == other.policy
                    && one.tool.definition == other.tool.definition
            })
    }
}

/// The catalogue of this moment. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Offers(Arc<watch::Sender<Arc<Catalogue>>>);

impl Offers {
    /// Offers this.
    pub fn new(catalogue: Catalogue) -> Self {
        Self(Arc::new(watch::channel(Arc::new(catalogue)).0))
    }

    /// What is offered now.
    pub fn now(&self) -> Arc<Catalogue> {
        self.0.borrow().clone()
    }

    /// Offers this from now on. Whoever waits for changes is told if the list of tools is another
    /// one.
    pub fn replace(&self, catalogue: Catalogue) {
        self.0.send_if_modified(|current| {
            let is_another = !current.looks_like(&catalogue);
            *current = Arc::new(catalogue);
            is_another
        });
    }

    /// Told whenever something else is offered.
    pub fn changes(&self) -> watch::Receiver<Arc<Catalogue>> {
        let mut changes = self.0.subscribe();
        changes.mark_unchanged();
        changes
    }
}
