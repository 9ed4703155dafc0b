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
    of_all: watch::Sender<Newest>,
    of_news: watch::Sender<Newest>,
}

impl Followers {
    fn are_gone(&self) -> bool {
        self.of_all.is_closed() && self.of_news.is_closed()
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
        let mut watches = lock(&self.0);
        let watches = watches.as_mut()?;
        if watches.len() >= MANY {
            watches.retain(|_, followers| !followers.are_gone());
        }
        let followers = watches.entry(task.clone()).or_insert_with(|| Followers {
            of_all: watch::channel(None).0,
            of_news: watch::channel(None).0,
        });
        Some(match interest {
            Interest::All => followers.of_all.subscribe(),
            Interest::News => followers.of_news.subscribe(),
        })
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
        show(&followers.of_all, record);
        if is == Interest::News {
            show(&followers.of_news, record);
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
