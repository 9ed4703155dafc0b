//! Who did what, and what was refused.
//!
//! What happens to a task is in the audit by the store's doing. What a principal asks for here and is
//! refused is added by this module; whoever serves requests adds what is refused before it comes
//! here, and what administrators do to the host.

use tokio::sync::watch;

use super::{Error, Runtime, Shared};
use crate::audit::{Entry, Page, Who};
use crate::id::{Principal, TaskKey, TenantId};

impl Runtime {
    /// Adds an entry to the audit, soon. Never blocks; of many refusals of one asker only the first
    /// are written, and then how many more there were.
    pub fn audit(&self, entry: Entry) {
        self.0.store.audit(entry);
    }

    /// Adds to the audit that `by` did `act` to `subject`: a key or a component was added or removed,
    /// a quarantine lifted, the configuration read again. It is on the disk when this returns.
    pub async fn audit_act(&self, by: Who, act: &str, subject: &str) -> Result<(), Error> {
        let entry = Entry::administered(self.0.clock.now(), by, act, subject);
        Ok(self.0.store.audit_synced(entry).await?)
    }

    /// Adds to the audit that `by` asked for `what`, and was answered with `code`.
    pub fn audit_refusal(&self, by: &Principal, what: &str, code: &str) {
        self.audit(Entry::refused(self.0.clock.now(), by, what, code));
    }

    /// Entries of the audit after number `after`, oldest first, a page at a time: of one tenant, or
    /// of all.
    pub async fn audit_after(
        &self,
        after: u64,
        limit: usize,
        tenant: Option<TenantId>,
    ) -> Result<Page, Error> {
        Ok(self.0.store.audit_after(after, limit, tenant).await?)
    }

    /// The newest entries of the audit, oldest first: of one tenant, or of all.
    pub async fn audit_newest(
        &self,
        limit: usize,
        tenant: Option<TenantId>,
    ) -> Result<Page, Error> {
        Ok(self.0.store.audit_newest(limit, tenant).await?)
    }

    /// Changes with every commit: whoever follows the audit, or a task's events, reads on then.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.0.store.commits()
    }
}

impl Shared {
    /// Adds to the audit that `what` was refused, if it was. A store that can't is no refusal.
    pub(super) fn noted<T>(
        &self,
        (by, what): (&Principal, &str),
        task: Option<&TaskKey>,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error) = &result
            && error.is_refusal()
        {
            let entry = Entry::refused(self.clock.now(), by, what, error.code());
            self.store.audit(match task {
                Some(task) => entry.about(task.id),
                None => entry,
            });
        }
        result
    }
}
