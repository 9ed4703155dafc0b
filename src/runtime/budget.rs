//! What a tenant may use in a day, and have kept: past it nothing new is accepted. What is at work
//! goes on.

use std::sync::Arc;

use super::{Error, Shared};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::sandbox::Meter;

impl Shared {
    /// Refuses what is new where the tenant is past a cap.
    pub(super) fn check_budget(&self, tenant: &TenantId) -> Result<(), Error> {
        self.check_fuel(tenant)?;
        self.check_stored(tenant)
    }

    fn check_fuel(&self, tenant: &TenantId) -> Result<(), Error> {
        let Some(max) = self.options.tenants.share(tenant).fuel_per_day else {
            return Ok(());
        };
        let now = self.clock.now();
        let cap = Cap {
            name: "fuel_per_day",
            used: self.store.used(tenant, now).fuel,
            max,
        };
        cap.check(Some(now.next_day()))
    }

    /// Refuses to keep more where the tenant is past that cap.
    pub(super) fn check_stored(&self, tenant: &TenantId) -> Result<(), Error> {
        let Some(max) = self.options.tenants.share(tenant).stored_max else {
            return Ok(());
        };
        let cap = Cap {
            name: "stored_max",
            used: self.store.used(tenant, self.clock.now()).stored,
            max,
        };
        cap.check(None)
    }
}

struct Cap {
    name: &'static str,
    used: u64,
    max: u64,
}

impl Cap {
    fn check(self, resets: Option<Timestamp>) -> Result<(), Error> {
        let Self { name, used, max } = self;
        if used < max {
            return Ok(());
        }
        Err(Error::TenantOverBudget {
            cap: name,
            used,
            max,
            resets,
        })
    }
}

/// Charges a call of which nothing is kept for the fuel that it has used, however it ends.
pub(super) struct Charge {
    pub(super) shared: Arc<Shared>,
    pub(super) tenant: TenantId,
    pub(super) meter: Arc<Meter>,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let (at, fuel) = (self.shared.clock.now(), self.meter.usage().fuel);
        if fuel > 0 {
            self.shared.store.charge(&self.tenant, at, fuel);
        }
    }
}
