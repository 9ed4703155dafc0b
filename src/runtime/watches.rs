//! Who follows which task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::lock;
use crate::id::TaskKey;
use crate::task::Record;

/// From here on tasks that nobody follows any more are forgotten before another is added.
const MANY: usize = 1_024;

/// The newest record of a task that somebody follows; nothing before the first was shown.
pub(super) type Newest = Option<Arc<Record>>;

/// What a task reported last of how far it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Progress {
    /// How much is done; it never decreases.
    pub done: f64,
    /// Of how much, where that is known.
    pub total: Option<f64>,
    /// What is at work, in the tool's words.
    pub message: Arc<str>,
}

/// What whoever follows a task wants to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// Every record.
    All,
    /// Those that change more than the journal and what was used. Most do not: a step wakes nobody
    /// who only waits for the end.
    News,
}

/// The tasks that somebody follows, until the runtime has ended.
pub(super) struct Watches(Mutex<Option<HashMap<TaskKey, Followers>>>);

struct Followers {
    all: watch::Sender<Newest>,
    news: watch::Sender<Newest>,
    progress: watch::Sender<Option<Progress>>,
}

impl Followers {
    fn new() -> Self {
        Self {
            all: watch::channel(None).0,
            news: watch::channel(None).0,
            progress: watch::channel(None).0,
        }
    }

    fn are_gone(&self) -> bool {
        self.all.is_closed() && self.news.is_closed() && self.progress.is_closed()
    }
}

impl Watches {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }

    /// Follows a task; nothing once the runtime has ended.
    pub(super) fn follow(
        &self,
        task: &TaskKey,
        interest: Interest,
    ) -> Option<watch::Receiver<Newest>> {
        self.join(task, |followers| match interest {
            Interest::All => followers.all.subscribe(),
            Interest::News => followers.news.subscribe(),
        })
    }

    /// Follows what a task reports of how far it is; nothing once the runtime has ended.
    pub(super) fn follow_progress(
        &self,
        task: &TaskKey,
    ) -> Option<watch::Receiver<Option<Progress>>> {
        self.join(task, |followers| followers.progress.subscribe())
    }

    fn join<T>(&self, task: &TaskKey, subscribe: impl FnOnce(&Followers) -> T) -> Option<T> {
        let mut watches = lock(&self.0);
        let watches = watches.as_mut()?;
        if watches.len() >= MANY {
            watches.retain(|_, followers| !followers.are_gone());
        }
        let followers = watches.entry(task.clone());
        Some(subscribe(followers.or_insert_with(Followers::new)))
    }

    /// Tells those who follow the task how far it is.
    pub(super) fn report(&self, task: &TaskKey, progress: Progress) {
        let watches = lock(&self.0);
        let followers = watches.as_ref().and_then(|watches| watches.get(task));
        if let Some(followers) = followers {
            followers.progress.send_replace(Some(progress));
        }
    }

    /// Shows a record to those who follow the task and want to be told of such, unless they have
    /// seen a newer one.
    pub(super) fn show(&self, task: &TaskKey, record: &Arc<Record>, is: Interest) {
        let mut watches = lock(&self.0);
        let Some(watches) = watches.as_mut() else {
            return;
        };
        let Some(followers) = watches.get(task) else {
            return;
        };
        show(&followers.all, record);
        if is == Interest::News {
            show(&followers.news, record);
        }
        if followers.are_gone() {
            watches.remove(task);
        }
    }

    /// Lets go of everybody: nothing will be shown any more.
    pub(super) fn end(&self) {
        lock(&self.0).take();
    }
}

fn show(followers: &watch::Sender<Newest>, record: &Arc<Record>) {
    followers.send_if_modified(|shown| {
        let is_newer = shown.as_ref().is_none_or(|shown| shown.seq < record.seq);
        if is_newer {
            *shown = Some(record.clone());
        }
        is_newer
    });
}
