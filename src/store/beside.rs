//! The store's front door to what is no task's: the audit, accounts of tenants, and notes.

use std::sync::Arc;

use super::account::Delta;
use super::notes::{Op, Place};
use super::writer::Request;
use super::{Error, Note, NotePage, Noted, Refused, Store, Used, audit, notes, sweep};
use crate::audit::{Entry, Page};
use crate::clock::Timestamp;
use crate::id::{Principal, TaskKey, TenantId};

impl Store {
    /// Adds an entry to the audit, soon, without a sync of its own. Never blocks.
    ///
    /// Of the refusals of one asker ten are written in ten seconds, and then one entry that says how
    /// many more there were: whoever is refused can't fill the disk.
    pub fn audit(&self, entry: Entry) {
        self.0.audit(entry.bounded());
    }

    /// Adds an entry to the audit. It is on the disk when this returns.
    pub async fn audit_synced(&self, entry: Entry) -> Result<(), Error> {
        let entry = Box::new(entry.bounded());
        let audited = self.0.ask(|reply| Request::Audit(entry, reply)).await?;
        audited.map_err(sweep::store_error)
    }

    /// Up to `limit` entries of the audit with numbers greater than `after`, oldest first, and at
    /// most 1,024: of all tenants, or of one. Numbers rise, have gaps, and never come back.
    ///
    /// A page looks at a bounded number of entries: it may hold none, and yet have a next one. Whoever
    /// follows the audit reads on when [`Store::commits`] changes.
    pub async fn audit_after(
        &self,
        after: u64,
        limit: usize,
        tenant: Option<TenantId>,
    ) -> Result<Page, Error> {
        self.0
            .read(move |disk| audit::after(disk, after, limit, tenant.as_ref()))
            .await
    }

    /// The newest entries of the audit, up to `limit` and at most 1,024, oldest first: of all tenants,
    /// or of one. Of one tenant they are looked for among the newest 65,536 of all. The page ends
    /// after the newest entry of all, so that [`Store::audit_after`] goes on from it.
    pub async fn audit_newest(
        &self,
        limit: usize,
        tenant: Option<TenantId>,
    ) -> Result<Page, Error> {
        self.0
            .read(move |disk| audit::newest(disk, limit, tenant.as_ref()))
            .await
    }

    /// Removes, in pages, the entries of the audit from before an instant, and the oldest where there
    /// are more than `count_max`. Returns how many went.
    pub async fn sweep_audit(&self, before: Timestamp, count_max: u64) -> Result<usize, Error> {
        audit::sweep(&self.0, before, count_max).await
    }

    /// What `tenant` has used on the day of `now`, and what is kept for it.
    pub fn used(&self, tenant: &TenantId, now: Timestamp) -> Used {
        self.0.shared().accounts().of(tenant).at(now)
    }

    /// Charges `tenant` for the fuel of a call of which nothing else is kept. It counts at once, and
    /// is written with the next commit, or a second later.
    pub fn charge(&self, tenant: &TenantId, at: Timestamp, fuel: u64) {
        let delta = Delta {
            day: at.day(),
            fuel,
            stored: 0,
        };
        self.0.charge(tenant, &delta);
    }

    /// Writes a note, in the place of the one that there was. It is durable when this returns.
    pub async fn put_note(
        &self,
        owner: &Principal,
        kind: &str,
        note: Note,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.write_note((owner, kind), note, false, now)
            .await
            .map(drop)
    }

    /// Writes a note, unless there is one.
    pub async fn put_note_if_absent(
        &self,
        owner: &Principal,
        kind: &str,
        note: Note,
        now: Timestamp,
    ) -> Result<Noted, Refused> {
        self.write_note((owner, kind), note, true, now).await
    }

    async fn write_note(
        &self,
        (owner, kind): (&Principal, &str),
        note: Note,
        is_if_absent: bool,
        now: Timestamp,
    ) -> Result<Noted, Refused> {
        notes::check_bytes(&note.bytes)?;
        let place = Place::new(owner, kind, &note.name)?;
        let op = Op::Put {
            bytes: note.bytes,
            expires: note.expires,
            is_if_absent,
        };
        let note = Box::new((place, op, now));
        self.0.ask(|reply| Request::Note(note, reply)).await?
    }

    /// Removes a note, if there is one.
    pub async fn delete_note(
        &self,
        owner: &Principal,
        kind: &str,
        name: &str,
    ) -> Result<(), Refused> {
        let place = Place::new(owner, kind, name)?;
        let note = Box::new((place, Op::Delete, Timestamp::default()));
        let deleted = self.0.ask(|reply| Request::Note(note, reply)).await?;
        deleted.map(drop)
    }

    /// A note, unless its time is over at `now`.
    pub async fn note(
        &self,
        owner: &Principal,
        kind: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Note>, Refused> {
        let place = Place::new(owner, kind, name)?;
        let note = self.0.read(move |disk| notes::get(disk, &place, now));
        Ok(note.await?)
    }

    /// Up to `limit` notes of a kind with names greater than `after`, by name. A page is bounded by
    /// number and by bytes.
    pub async fn notes(
        &self,
        owner: &Principal,
        kind: &str,
        after: Option<Arc<str>>,
        (limit, now): (usize, Timestamp),
    ) -> Result<NotePage, Error> {
        let (owner, kind) = (owner.clone(), kind.to_owned());
        self.0
            .read(move |disk| notes::list(disk, (&owner, &kind), after.as_deref(), (limit, now)))
            .await
    }

    /// Removes, in pages, the notes whose time is over at `now`. Returns how many went.
    pub async fn sweep_notes(&self, now: Timestamp) -> Result<usize, Error> {
        notes::sweep(&self.0, now).await
    }

    /// The task to which `owner` has given a name.
    pub async fn named(&self, owner: &Principal, name: &str) -> Result<Option<TaskKey>, Error> {
        let (owner, name) = (owner.clone(), name.to_owned());
        self.0
            .read(move |disk| notes::named(disk, &owner, &name))
            .await
    }
}
