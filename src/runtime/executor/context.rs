//! What guests wait for besides the CPU: timers, and work on files, which blocks.
//!
//! It is a small tokio runtime, in whose context guests are polled. In that of the threads that
//! serve, the files of one tenant could take all threads that may block, and those that are started
//! from a guest's thread would have its low priority, whoever gets them next.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How nice the guests' threads are. A serving thread weighs nine times as much then where both
/// want the same core, and gets it within some 50 us of having something to do (`perf sched`, 99 of
/// 100 times). With `SCHED_IDLE`, `SCHED_BATCH` or a slice of another length that is no sooner; and
/// at `SCHED_IDLE`, as at 19, other programs of the machine would starve the guests.
const NICE: i32 = 10;

/// How many threads may block, for each of those that poll guests. They wait for a disk and not for
/// a core, and a disk that is waited for by more of them does not do more.
const BLOCKING_PER_THREAD: usize = 4;

/// The runtime. It is always there until this is dropped.
pub(super) struct Context(Option<Runtime>, Handle);

impl Context {
    /// For so many threads that poll guests.
    pub(super) fn new(threads: usize) -> io::Result<Self> {
        // It has no tasks, so its one worker only drives the timers.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(threads.max(1) * BLOCKING_PER_THREAD)
            .thread_name("stepwell-aside")
            .on_thread_start(lower_priority)
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self(Some(runtime), handle))
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.1
    }
}

impl Drop for Context {
    /// Waits for nothing: it may be dropped in async code, and a disk may never answer.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Puts this thread below those that serve. On Linux a priority is a thread's own.
pub(super) fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "guests run at the priority of the threads that serve");
    }
}
