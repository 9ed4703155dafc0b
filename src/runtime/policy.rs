//! How much of a call is kept: what the tool says of itself, or what the configuration says of it.

use super::{Error, Runtime};
use crate::id::Digest;
use crate::registry::Registered;
use crate::task::Policy;
use crate::tool::{TaskSupport, Tool};

/// The configuration says of a tool what can't be: either has to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy `{policy}` contradicts the tool `{tool}`, which says that tasks are {says}")]
pub struct Contradiction {
    /// The tool.
    pub tool: String,
    /// What is said of it.
    pub policy: Policy,
    /// What it says of itself.
    pub says: TaskSupport,
}

/// The policy of a tool of `registered`, which `wanted` overrides.
///
/// By itself it is what the tool says ([`Policy::usual`]), but `never` where tasks are optional for
/// it, the tool is read-only, and nothing that its component imports is durable: then there is
/// nothing to keep.
pub fn policy(
    registered: &Registered,
    tool: &Tool,
    wanted: Option<Policy>,
) -> Result<Policy, Contradiction> {
    let says = tool.definition.task_support;
    let is_read_only = tool.definition.annotations.read_only == Some(true);
    let is_passing = is_read_only && !registered.component.is_durable();
    let usual = match says {
        TaskSupport::Optional if is_passing => Policy::Never,
        says => Policy::usual(says),
    };
    let wanted = wanted.unwrap_or(usual);
    if wanted.fits(says) {
        return Ok(wanted);
    }
    Err(Contradiction {
        tool: tool.definition.name.clone(),
        policy: wanted,
        says,
    })
}

impl Runtime {
    /// How much is kept of calls of a tool, where the configuration says `wanted` of it.
    pub async fn policy(
        &self,
        component: Digest,
        tool: &str,
        wanted: Option<Policy>,
    ) -> Result<Policy, Error> {
        let registered = self.registered(component).await?;
        let tool = super::submit::tool_of(&registered, tool)?;
        Ok(policy(&registered, &tool, wanted)?)
    }
}
