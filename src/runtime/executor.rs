//! Where guests run: on threads of their own, apart from those that serve requests.
//!
//! This is the seam for sharing the CPU between tenants: whoever spawns says for whom. For now
//! every guest has the same right to a thread.

use std::future::Future;

use tokio::runtime;
use tokio::task::JoinHandle;

use crate::id::TenantId;

/// The threads of the guests.
pub(super) struct Executor(Option<runtime::Runtime>);

impl Executor {
    /// Starts `threads` of them.
    pub(super) fn new(threads: usize) -> std::io::Result<Self> {
        let mut builder = runtime::Builder::new_multi_thread();
        let threads = builder
            .worker_threads(threads)
            .thread_name("stepwell-guest")
            .enable_all();
        Ok(Self(Some(threads.build()?)))
    }

    /// Runs a guest for `tenant`. Aborting the handle drops it at its next yield.
    pub(super) fn spawn<F>(&self, _tenant: &TenantId, guest: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match &self.0 {
            Some(threads) => threads.spawn(guest),
            None => tokio::spawn(guest),
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // Waiting for the threads would block, and this may be dropped by an async worker.
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}
