//! What is not needed any more: expired records, rows of past stretches, unused components.

use std::sync::Weak;
use std::time::Duration;

use super::{Runtime, Shared, lock};
use crate::clock::{Timestamp, millis};
use crate::id::{Digest, TaskKey};

/// How often the store is looked through.
const ROUND: Duration = Duration::from_secs(60);

/// A jump of the machine's clock by more than this pauses retention: what has expired by a clock
/// that is wrong would be gone for good.
pub(super) const JUMP_MAX: Duration = Duration::from_secs(3_600);

/// The records that are removed in one go.
const PAGE: usize = 256;

impl Runtime {
    pub(super) fn spawn_retention(&self) {
        let shared = std::sync::Arc::downgrade(&self.0);
        tokio::spawn(rounds(shared));
    }

    /// Removes what has expired, now.
    pub async fn retain(&self) -> Result<usize, super::Error> {
        self.0.retain().await
    }
}

async fn rounds(shared: Weak<Shared>) {
    loop {
        let next = {
            let Some(shared) = shared.upgrade().filter(|shared| !shared.is_draining()) else {
                return;
            };
            if let Err(error) = shared.retain().await {
                tracing::warn!(%error, "retention will be tried again");
            }
            (shared.sleeper.clone(), shared.clock.now().plus(ROUND))
        };
        next.0.until(next.1).await;
    }
}

impl Shared {
    async fn retain(&self) -> Result<usize, super::Error> {
        let jump = self.clock.jump();
        if jump > JUMP_MAX {
            tracing::warn!(?jump, "the machine's clock has jumped: retention is paused");
            return Ok(0);
        }
        let now = self.clock.now();
        let mut removed = 0;
        loop {
            let expired = self.store.expired(now, PAGE).await?;
            for task in &expired {
                let record = self.store.get(task).await?;
                if self.store.remove(task, now).await? {
                    removed += 1;
                    if let Some(record) = record.filter(|it| !it.spec.is_of_host()) {
                        self.forget_component(record.spec.component).await?;
                    }
                }
            }
            if expired.len() < PAGE {
                break;
            }
        }
        self.store.sweep_notes(now).await?;
        let (age, count) = (self.options.audit_age_max, self.options.audit_max);
        let before = Timestamp(now.0.saturating_sub(millis(age)));
        self.store.sweep_audit(before, count).await?;
        Ok(removed)
    }

    /// Forgets the component of a task that has expired, unless a live task needs it or this
    /// process has added it.
    async fn forget_component(&self, component: Digest) -> Result<(), super::Error> {
        let is_added = lock(&self.added).contains(&component);
        let is_needed = || {
            let live = self.store.live();
            live.iter().any(|live| live.spec.component == component)
        };
        if !is_added && !is_needed() {
            self.registry.forget(component).await?;
        }
        Ok(())
    }

    /// Removes the rows that a checkpoint or a restore has left behind, one task once at a time.
    pub(super) async fn sweep(&self, task: TaskKey) {
        if !lock(&self.sweeping).insert(task.clone()) {
            return;
        }
        if let Err(error) = self.store.sweep(&task).await {
            tracing::debug!(%task, %error, "rows left behind will be removed later");
        }
        lock(&self.sweeping).remove(&task);
    }
}
