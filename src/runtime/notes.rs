//! What principals keep: notes by kind and name, and names that they chose for tasks.

use std::sync::Arc;

use super::{Error, Runtime};
use crate::id::{Principal, TaskKey};
use crate::limit::CHOSEN_NAME_BYTES_MAX;
use crate::store::{Note, NotePage, Noted};

impl Runtime {
    /// Writes a note of `by`, in the place of the one that there was. It is durable when this
    /// returns.
    pub async fn put_note(&self, by: &Principal, kind: &str, note: Note) -> Result<(), Error> {
        self.0
            .noted((by, "note"), None, self.0.check_stored(&by.tenant))?;
        let put = self.0.store.put_note(by, kind, note, self.0.clock.now());
        let put = put.await.map_err(Error::from);
        self.0.noted((by, "note"), None, put)
    }

    /// Writes a note of `by`, unless there is one, which is then returned.
    pub async fn put_note_if_absent(
        &self,
        by: &Principal,
        kind: &str,
        note: Note,
    ) -> Result<Noted, Error> {
        self.0
            .noted((by, "note"), None, self.0.check_stored(&by.tenant))?;
        let (store, now) = (&self.0.store, self.0.clock.now());
        let put = store.put_note_if_absent(by, kind, note, now).await;
        self.0.noted((by, "note"), None, put.map_err(Error::from))
    }

    /// Removes a note of `by`, if there is one.
    pub async fn delete_note(&self, by: &Principal, kind: &str, name: &str) -> Result<(), Error> {
        Ok(self.0.store.delete_note(by, kind, name).await?)
    }

    /// A note of `by`, unless its time is over.
    pub async fn note(
        &self,
        by: &Principal,
        kind: &str,
        name: &str,
    ) -> Result<Option<Note>, Error> {
        if name.len() > CHOSEN_NAME_BYTES_MAX {
            return Ok(None);
        }
        let now = self.0.clock.now();
        Ok(self.0.store.note(by, kind, name, now).await?)
    }

    /// The notes of `by` of a kind with names greater than `after`, by name, a page at a time.
    pub async fn notes(
        &self,
        by: &Principal,
        kind: &str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Result<NotePage, Error> {
        let now = self.0.clock.now();
        Ok(self.0.store.notes(by, kind, after, (limit, now)).await?)
    }

    /// The task to which `by` has given a name.
    pub async fn named(&self, by: &Principal, name: &str) -> Result<Option<TaskKey>, Error> {
        // The engine takes no keys of any length; and nothing has such a name.
        if name.len() > CHOSEN_NAME_BYTES_MAX {
            return Ok(None);
        }
        Ok(self.0.store.named(by, name).await?)
    }
}
