//! Looking at tasks.

use std::sync::Arc;

use tokio::sync::watch;

use super::watches::{Interest, Newest, Progress};
use super::{Error, Runtime};
use crate::id::{TaskKey, TenantId};
use crate::store::{Cursor, Event, Filter, Page};
use crate::task::Record;
use crate::tool::Output;

impl Runtime {
    /// The task as it is.
    pub async fn record(&self, task: &TaskKey) -> Result<Arc<Record>, Error> {
        let record = self.0.store.get(task).await?;
        record.ok_or_else(|| Error::Unknown(task.clone()))
    }

    /// What the task returned, if it did.
    pub async fn output(&self, task: &TaskKey) -> Result<Option<Output>, Error> {
        let output = self.0.store.output(task).await?;
        Ok(output.and_then(|output| serde_json::from_slice(&output).ok()))
    }

    /// What the task was called with: a JSON text.
    pub async fn arguments(&self, task: &TaskKey) -> Result<String, Error> {
        let arguments = self.0.store.arguments(task).await?;
        let arguments = arguments.ok_or_else(|| Error::Unknown(task.clone()))?;
        Ok(String::from_utf8_lossy(&arguments).into_owned())
    }

    /// The tenant's tasks, newest first, a page at a time.
    pub async fn list(
        &self,
        tenant: &TenantId,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, Error> {
        Ok(self.0.store.list(tenant, filter, after, limit).await?)
    }

    /// The task's events after number `after`, in order.
    pub async fn events(
        &self,
        task: &TaskKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        Ok(self.0.store.events(task, after, limit).await?)
    }

    /// The newest progress that the task reported.
    pub async fn progress(&self, task: &TaskKey) -> Result<Option<Event>, Error> {
        Ok(self.0.store.progress(task).await?)
    }

    /// Follows the task: the newest record, and each after it.
    pub async fn watch(
        &self,
        task: &TaskKey,
    ) -> Result<watch::Receiver<Option<Arc<Record>>>, Error> {
        self.follow(task, Interest::All).await
    }

    /// Follows the task: the newest record, and each after it that changes more than the journal
    /// and what was used.
    pub async fn watch_news(
        &self,
        task: &TaskKey,
    ) -> Result<watch::Receiver<Option<Arc<Record>>>, Error> {
        self.follow(task, Interest::News).await
    }

    /// Follows what the task reports of how far it is, from now on.
    pub fn watch_progress(
        &self,
        task: &TaskKey,
    ) -> Result<watch::Receiver<Option<Progress>>, Error> {
        let receiver = self.0.watches.follow_progress(task);
        receiver.ok_or_else(|| self.0.gone())
    }

    /// As [`Self::watch`], for those who want to be told of this.
    pub(super) async fn follow(
        &self,
        task: &TaskKey,
        interest: Interest,
    ) -> Result<watch::Receiver<Newest>, Error> {
        let receiver = self.0.watches.follow(task, interest);
        let receiver = receiver.ok_or_else(|| self.0.gone())?;
        // Whoever subscribes first and reads then misses nothing in between.
        let record = self.record(task).await?;
        self.0.show(task, &record);
        Ok(receiver)
    }
}
