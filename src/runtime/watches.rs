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

/// The tasks that somebody follows, until the runtime has ended.
pub(super) struct Watches(Mutex<Option<HashMap<TaskKey, watch::Sender<Newest>>>>);

impl Watches {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }

    /// Follows a task; nothing once the runtime has ended.
    pub(super) fn follow(&self, task: &TaskKey) -> Option<watch::Receiver<Newest>> {
        let mut watches = lock(&self.0);
        let watches = watches.as_mut()?;
        if watches.len() >= MANY {
            watches.retain(|_, watchers| !watchers.is_closed());
        }
        let watchers = watches.entry(task.clone());
        Some(
            watchers
                .or_insert_with(|| watch::channel(None).0)
                .subscribe(),
        )
    }

    /// Shows a record to whoever follows the task, unless they have seen a newer one.
    pub(super) fn show(&self, task: &TaskKey, record: &Arc<Record>) {
        let mut watches = lock(&self.0);
        let Some(watches) = watches.as_mut() else {
            return;
        };
        let Some(watchers) = watches.get(task) else {
            return;
        };
        watchers.send_if_modified(|shown| {
            let is_newer = shown.as_ref().is_none_or(|shown| shown.seq < record.seq);
            if is_newer {
                *shown = Some(record.clone());
            }
            is_newer
        });
        if watchers.is_closed() {
            watches.remove(task);
        }
    }

    /// Lets go of everybody: nothing will be shown any more.
    pub(super) fn end(&self) {
        lock(&self.0).take();
    }
}
