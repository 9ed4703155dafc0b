//! Settings with which nothing would ever run, refused at the start.

use super::{Error, Options, Share};
use crate::limit::{self, Name};

impl Options {
    /// Refuses a setting that is too small, by its name.
    pub(super) fn check(&self) -> Result<(), Error> {
        at_least("running_max", count(self.running_max), 1)?;
        at_least("queued_max", count(self.queued_max), 1)?;
        at_least("memory_max", self.memory_max, memory_least())?;
        self.tenants.usual.check("tenants.usual")?;
        let mut special = self.tenants.special.iter();
        special.try_for_each(|(tenant, share)| share.check(&format!("tenants.special.{tenant}")))
    }
}

impl Share {
    fn check(&self, whose: &str) -> Result<(), Error> {
        let settings = [
            ("weight", self.weight.into(), 1),
            ("running_max", count(self.running_max), 1),
            ("queued_max", count(self.queued_max), 1),
            ("memory_max", self.memory_max, memory_least()),
        ];
        let mut settings = settings.into_iter();
        settings
            .try_for_each(|(name, value, least)| at_least(&format!("{whose}.{name}"), value, least))
    }
}

/// The least memory limit that a task may have: with less there is room for none.
fn memory_least() -> u64 {
    let limit = limit::ALL.iter().find(|limit| limit.name == Name::Memory);
    limit.map_or(0, |limit| limit.min)
}

fn at_least(name: &str, value: u64, least: u64) -> Result<(), Error> {
    if value >= least {
        return Ok(());
    }
    let name = name.to_owned();
    Err(Error::Setting { name, value, least })
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
