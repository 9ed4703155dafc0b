//! Who asks, and what they may do.
//!
//! A key is looked up here, and every act on a task is allowed here or nowhere. A key speaks for a
//! *subject*: the principal that it makes has the issuer `key` and one client for all keys, and not
//! the key's id, so that a subject whose key is replaced finds the tasks of the old one. Whoever is
//! to own tasks of their own is a subject of their own. This module knows no protocol: what a
//! refusal looks like from outside is not said here, but what is refused should look as if it did
//! not exist.

use crate::id::{Principal, TenantId};

mod key;
mod may;

pub use crate::config::Role;
pub use key::{Keys, Lookup, Minted, Secret};
pub use may::{Act, may};

/// Who asks, and as what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Who it is; the tasks that they begin are theirs.
    pub principal: Principal,
    /// What they may do in their tenant.
    pub role: Role,
}

impl Caller {
    /// The user of this machine: whoever can start Stepwell, or reach its loopback where no keys
    /// are configured, may do everything in the local tenant.
    pub fn local() -> Self {
        Self {
            principal: Principal::local(),
            role: Role::Administrator,
        }
    }

    /// The tenant in which they ask.
    pub fn tenant(&self) -> &TenantId {
        &self.principal.tenant
    }
}
