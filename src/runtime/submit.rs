//! Accepting a task: durable before the answer.

use std::sync::Arc;

use serde_json::Value;
use tracing::Instrument as _;

use super::{ARGUMENTS_HELD_MAX, Error, Fresh, Grant, Runtime, Shared, grant, lock, policy};
use crate::id::{Digest, Principal, TaskId, TaskKey};
use crate::limit::{KEY_BYTES_MAX, Limits};
use crate::registry::{self, Registered};
use crate::store::{NewTask, Submitted};
use crate::task::{Policy, Record, Spec};
use crate::tool::Tool;

/// A call that is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub owner: Principal,
    /// The component; it must have been added to the registry.
    pub component: Digest,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// Its limits.
    pub limits: Limits,
    /// The folders that it may use.
    pub grants: Vec<Grant>,
    /// An idempotency key: the same one again finds the same task again.
    pub key: Option<String>,
    /// A name of the owner's choice: no other task of the owner's has it while this one is kept.
    pub name: Option<String>,
    /// How much is kept, where the configuration says more of that than the tool.
    pub policy: Option<Policy>,
}

impl Request {
    /// A call of `tool` by the local user, with the usual limits and nothing granted.
    pub fn new(component: Digest, tool: impl Into<String>, arguments: Value) -> Self {
        Self {
            owner: Principal::local(),
            component,
            tool: tool.into(),
            arguments,
            limits: Limits::default(),
            grants: Vec::new(),
            key: None,
            name: None,
            policy: None,
        }
    }
}

/// A task that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The task.
    pub record: Arc<Record>,
    /// Whether it is new, or was found by its idempotency key.
    pub is_new: bool,
}

/// A request that passed every check that needs no store.
pub(super) struct Checked {
    pub(super) registered: Arc<Registered>,
    pub(super) spec: Spec,
    pub(super) arguments: Arc<[u8]>,
}

/// What a task that is about to be accepted has here already. Dropping it gives that back, also
/// where whoever submits the task goes away meanwhile.
pub(super) struct Reservation<'a> {
    shared: &'a Shared,
    key: &'a TaskKey,
    is_used: bool,
}

impl<'a> Reservation<'a> {
    pub(super) fn new(shared: &'a Shared, key: &'a TaskKey, fresh: Fresh) -> Self {
        lock(&shared.fresh).insert(key.clone(), fresh);
        Self {
            shared,
            key,
            is_used: false,
        }
    }

    /// The task is there: what was taken for it is its own now.
    pub(super) fn used(mut self) {
        self.is_used = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            drop(lock(&self.shared.fresh).remove(self.key));
            lock(&self.shared.mine).remove(self.key);
        }
    }
}

impl Runtime {
    /// Accepts a task. It is durable when this returns, and runs when it is its turn.
    pub async fn submit(&self, request: Request) -> Result<Accepted, Error> {
        let span =
            tracing::info_span!("task.create", tool = %request.tool, task = tracing::field::Empty);
        async {
            let owner = request.owner.clone();
            let accepted = self.accept(request).await;
            let accepted = self.0.noted((&owner, "submit"), None, accepted)?;
            tracing::Span::current().record("task", tracing::field::display(accepted.record.key()));
            Ok(accepted)
        }
        .instrument(span)
        .await
    }

    async fn accept(&self, request: Request) -> Result<Accepted, Error> {
        let shared = &self.0;
        let Checked {
            spec, arguments, ..
        } = self.check(request).await?;
        if spec.policy == Policy::Never {
            return Err(Error::NothingKept(spec.tool.to_string()));
        }
        let place = shared.take_place(&spec.owner.tenant)?;
        let id = TaskId::random();
        let key = TaskKey {
            tenant: spec.owner.tenant.clone(),
            id,
        };
        let is_short = arguments.len() <= ARGUMENTS_HELD_MAX;
        let fresh = Fresh {
            place: Some(place),
            arguments: is_short.then(|| arguments.clone()),
        };
        let reservation = Reservation::new(shared, &key, fresh);
        lock(&shared.mine).insert(key.clone());
        let new = NewTask {
            id,
            spec,
            arguments,
            answered: None,
        };
        let submitted = shared.store.submit(new).await?;
        // The loop takes charge of it when it comes to the commit.
        Ok(match submitted {
            Submitted::New(record) => {
                reservation.used();
                Accepted {
                    record,
                    is_new: true,
                }
            }
            Submitted::Existing(record) => Accepted {
                record,
                is_new: false,
            },
        })
    }

    /// Refuses new work where the process is about to end.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.0.is_draining() {
            Err(Error::Draining)
        } else {
            Ok(())
        }
    }

    /// Checks everything about a request that can be checked before it is accepted.
    pub(super) async fn check(&self, request: Request) -> Result<Checked, Error> {
        self.check_open()?;
        self.0.check_budget(&request.owner.tenant)?;
        let registered = self.registered(request.component).await?;
        let tool = tool_of(&registered, &request.tool)?;
        let limits = request.limits;
        self.0.check_limits(&limits, &request.owner.tenant)?;
        let arguments = request.arguments.to_string();
        let (used, max) = (arguments.len() as u64, limits.arguments);
        if used > max {
            return Err(Error::TooLarge {
                what: "the arguments",
                used,
                max,
            });
        }
        tool.input
            .check(&request.arguments)
            .map_err(Error::InvalidArguments)?;
        grant::check_apart(&request.grants)?;
        let grants = request.grants.into_iter().map(Grant::absolute);
        let grants = grants.map(|grant| grant.map(|grant| Arc::from(grant.to_string())));
        request.key.as_deref().map_or(Ok(()), check_key)?;
        let policy = policy(&registered, &tool, request.policy)?;
        if policy == Policy::Never && request.key.is_some() {
            return Err(Error::KeyNotKept(request.tool));
        }
        if policy == Policy::Never && request.name.is_some() {
            return Err(Error::NothingKept(request.tool));
        }
        let spec = Spec {
            owner: request.owner,
            component: request.component,
            tool: request.tool.into(),
            arguments: Digest::of(arguments.as_bytes()),
            key: request.key.map(Arc::from),
            limits,
            grants: grants.collect::<Result<_, _>>()?,
            policy,
            created: self.0.clock.now(),
            forked_from: None,
            name: request.name.map(Arc::from),
        };
        Ok(Checked {
            registered,
            spec,
            arguments: arguments.into_bytes().into(),
        })
    }

    /// The tool of a component that is registered and not quarantined.
    pub async fn tool(&self, component: Digest, name: &str) -> Result<Arc<Tool>, Error> {
        tool_of(&*self.registered(component).await?, name)
    }

    pub(super) async fn registered(&self, component: Digest) -> Result<Arc<Registered>, Error> {
        let registered = self.0.registry.get(component).await?;
        let registered = registered.ok_or(Error::NoComponent(component))?;
        match self.0.registry.is_quarantined(&component) {
            None => Ok(registered),
            Some(reason) => {
                let digest = component;
                Err(registry::Error::Quarantined { digest, reason }.into())
            }
        }
    }
}

pub(super) fn tool_of(registered: &Registered, name: &str) -> Result<Arc<Tool>, Error> {
    let tools = &registered.manifest.tools;
    let tool = registered.manifest.tool(name).cloned();
    tool.ok_or_else(|| Error::NoTool {
        tool: name.into(),
        known: tools.iter().map(|it| it.definition.name.clone()).collect(),
    })
}

/// An idempotency key is shown to people and stored with the task.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    let fits = (1..=KEY_BYTES_MAX).contains(&key.len());
    if fits && !key.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::InvalidKey)
}
