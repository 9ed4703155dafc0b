//! Subscriptions of the modern era: one long answer that tells of changes (specification
//! 2026-07-28, basic/utilities/subscriptions).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, BoxStream, SelectAll, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::content::put;
use super::era::Envelope;
use super::error::params;
use super::peer::Gone;
use super::{Context, Error, Server, task};
use crate::config::Mcp;
use crate::id::Principal;
use crate::identity::Act;
use crate::task::Record;

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The most tasks of one subscription.
const TASKS_MAX: usize = 1_000;

/// How many subscriptions each principal has.
pub(super) struct Subscriptions {
    open: Mutex<HashMap<Principal, usize>>,
    all_max: usize,
    each_max: usize,
}

/// One of them. Dropping it makes room for another.
struct Place<'a> {
    all: &'a Subscriptions,
    who: Principal,
}

impl Subscriptions {
    pub(super) fn new(settings: &Mcp) -> Self {
        Self {
            open: Mutex::default(),
            all_max: settings.subscriptions_max,
            each_max: settings.principal_subscriptions_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Principal, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, who: &Principal) -> Result<Place<'_>, Error> {
        let mut open = self.lock();
        let all: usize = open.values().sum();
        let own = open.get(who).copied().unwrap_or(0);
        let full = [
            (own >= self.each_max, own, "of this principal "),
            (all >= self.all_max, all, ""),
        ];
        if let Some((_, count, whose)) = full.into_iter().find(|(is_full, ..)| *is_full) {
            let message = format!("{count} subscriptions {whose}are open already; try again later");
            return Err(Error::internal("busy", message));
        }
        open.insert(who.clone(), own + 1);
        Ok(Place {
            all: self,
            who: who.clone(),
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        if let Some(count) = open.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.who);
            }
        }
    }
}

#[derive(Deserialize)]
struct Params {
    notifications: Wanted,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    tools_list_changed: bool,
    #[serde(default)]
    task_ids: Option<Vec<String>>,
}

/// Something to tell.
enum Change {
    Tools,
    Task(Arc<Record>),
}

impl Server {
    /// Tells of changes until the client goes, or the server ends.
    pub(super) async fn listen(
        &self,
        context: &Context,
        envelope: &Envelope,
        body: Value,
    ) -> Result<Value, Error> {
        let Params { notifications } = params(body)?;
        let wanted = notifications.task_ids;
        if wanted.is_some() && !envelope.takes_tasks() {
            return Err(super::modern::needs_tasks());
        }
        let wanted = wanted.unwrap_or_default();
        if wanted.len() > TASKS_MAX {
            let message = format!("params.notifications.taskIds: more than {TASKS_MAX}");
            return Err(Error::invalid_params(message));
        }
        let _place = self.0.subscriptions.take(&context.caller.principal)?;
        let mut accepted = json!({});
        let mut changes: SelectAll<BoxStream<'static, Change>> = SelectAll::new();
        if notifications.tools_list_changed {
            put(&mut accepted, "toolsListChanged", json!(true));
            changes.push(watched(self.0.offers.changes(), |_| Some(Change::Tools)));
        }
        let mut task_ids = Vec::new();
        for id in wanted {
            // One that is not there, or is somebody else's, is left out of what is accepted.
            let Ok(Some(record)) = self.look(&context.caller, &id, Act::See).await else {
                continue;
            };
            let mut news = self.0.access.runtime().watch_news(&record.key()).await?;
            // The task as it is now is told first.
            news.mark_changed();
            changes.push(watched(news, |record| record.clone().map(Change::Task)));
            task_ids.push(id);
        }
        if !task_ids.is_empty() {
            put(&mut accepted, "taskIds", json!(task_ids));
        }
        let told = self.tell(context, accepted, changes);
        tokio::select! {
            told = told => { told?; }
            () = self.0.closing.cancelled() => {}
            () = context.gone.cancelled() => {}
            () = context.cancelled.cancelled() => {}
        }
        Ok(json!({"_meta": {SUBSCRIPTION: context.id}}))
    }

    async fn tell(
        &self,
        context: &Context,
        accepted: Value,
        mut changes: SelectAll<BoxStream<'static, Change>>,
    ) -> Result<(), Error> {
        let stream = &context.stream;
        let tagged = |mut params: Value| {
            put(&mut params, "_meta", json!({SUBSCRIPTION: context.id}));
            params
        };
        let params = tagged(json!({"notifications": accepted}));
        let method = "notifications/subscriptions/acknowledged";
        if stream.notify(method, params).await == Err(Gone) {
            return Ok(());
        }
        while let Some(change) = changes.next().await {
            let told = match change {
                Change::Tools => {
                    let params = tagged(json!({}));
                    stream
                        .notify("notifications/tools/list_changed", params)
                        .await
                }
                Change::Task(record) => {
                    let params = tagged(self.details(&record).await?);
                    stream.notify("notifications/tasks", params).await
                }
            };
            if told == Err(Gone) {
                return Ok(());
            }
        }
        // What was subscribed to is over, or nothing of it was there: the stream stays open until
        // the client closes it.
        tokio::time::sleep(task::FOREVER).await;
        Ok(())
    }
}

/// The values of a watch, each as what it means.
fn watched<T: Clone + Send + Sync + 'static>(
    watch: tokio::sync::watch::Receiver<T>,
    meaning: impl Fn(&T) -> Option<Change> + Send + 'static,
) -> BoxStream<'static, Change> {
    let values = stream::unfold((watch, meaning), |(mut watch, meaning)| async move {
        loop {
            watch.changed().await.ok()?;
            let value = meaning(&watch.borrow_and_update());
            if let Some(value) = value {
                return Some((value, (watch, meaning)));
            }
        }
    });
    values.boxed()
}
