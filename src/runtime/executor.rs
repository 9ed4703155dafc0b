//! Where guests run: on threads of their own, apart from those that serve requests and below them
//! in priority, in an order that is fair between tenants.
//!
//! A guest is a future, and it is polled until it lets others run. Each poll is timed by the CPU
//! time of its thread and charged to the guest and its tenant; `fair` decides who is next. This
//! module knows nothing of WebAssembly: that a guest yields soon while it is polled is the business
//! of `preempt`, which is called where somebody should not have to wait.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_task::{Builder, FallibleTask, Runnable, ScheduleInfo, WithInfo};

use crate::clock::{Stopwatch, thread_cpu};
use crate::id::{Principal, TenantId};
use context::{Context as Aside, lower_priority};
use fair::{Account, Fair};

mod context;
mod fair;
#[cfg(test)]
mod tests;

/// The CPU time that a guest has used, shared with whoever asks for it.
#[derive(Clone, Debug, Default)]
pub(super) struct CpuTime(Arc<AtomicU64>);

impl CpuTime {
    /// In microseconds, as of the guest's last poll that has ended.
    pub(super) fn micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / 1_000
    }

    fn add(&self, cpu: Duration) {
        let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// The threads of the guests. When it is dropped, they end after the polls that they are at.
pub(super) struct Executor {
    shared: Arc<Shared>,
    aside: Aside,
}

/// A guest at work. Dropping it cuts the guest off: at its next yield, if it is being polled.
pub(super) struct Running<T> {
    task: Option<FallibleTask<thread::Result<T>, Arc<Guest>>>,
    guest: Arc<Guest>,
    shared: Arc<Shared>,
}

/// A guest that is gone without a result: it panicked, or its executor has ended.
#[derive(Debug)]
pub(super) struct Lost;

impl Executor {
    /// Starts `threads` of them. `preempt` makes those guests yield soon that are being polled.
    pub(super) fn new(
        threads: usize,
        preempt: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let aside = Aside::new(threads)?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                fair: Fair::default(),
                idle: 0,
                called: 0,
                is_over: false,
            }),
            ready: Condvar::new(),
            since: Stopwatch::start(),
            preempt: Box::new(preempt),
        });
        // From here on an error ends the threads that there are.
        let executor = Self { shared, aside };
        for _ in 0..threads {
            let (shared, tokio) = (executor.shared.clone(), executor.aside.handle().clone());
            let thread = thread::Builder::new().name("stepwell-guest".into());
            thread.spawn(move || {
                let _context = tokio.enter();
                shared.work();
            })?;
        }
        Ok(executor)
    }

    /// Runs a guest for `owner`, whose tenant has this weight. What it uses is added to `cpu`.
    pub(super) fn spawn<F>(
        &self,
        (owner, weight): (&Principal, u32),
        cpu: CpuTime,
        guest: F,
    ) -> Running<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let about = Arc::new(Guest {
            account: self.shared.queue().fair.account(&owner.tenant, weight),
            principal: Arc::new(owner.clone()),
            cpu,
            is_cancelled: AtomicBool::new(false),
        });
        let metered = Metered {
            future: Box::pin(guest),
            guest: about.clone(),
        };
        let shared = self.shared.clone();
        let schedule = WithInfo(move |guest, info| shared.schedule(guest, info));
        let builder = Builder::new().metadata(about.clone());
        let (runnable, task) = builder.spawn(|_| metered, schedule);
        runnable.schedule();
        Running {
            task: Some(task.fallible()),
            guest: about,
            shared: self.shared.clone(),
        }
    }

    /// How much CPU time a tenant has used for its weight: whoever has used less is first.
    pub(super) fn used(&self, tenant: &TenantId) -> u128 {
        self.shared.queue().fair.used(tenant)
    }

    /// All the CPU time that a tenant has used.
    pub(super) fn cpu(&self, tenant: &TenantId) -> Duration {
        self.shared.queue().fair.cpu(tenant)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.is_over = true;
        let ready = queue.fair.drain();
        drop(queue);
        self.shared.ready.notify_all();
        // Not while the queue is locked: a guest that is dropped may wake another.
        drop(ready);
    }
}

impl<T> Running<T> {
    /// Cuts the guest off, and waits until it is gone with all that it held. Returns how it ended
    /// where it was faster.
    pub(super) async fn cancel(mut self) -> Option<Result<T, Lost>> {
        let task = self.task.take()?;
        self.shared.cancel(&self.guest);
        let ended = task.cancel().await?;
        Some(ended.map_err(|_| Lost))
    }
}

impl<T> Future for Running<T> {
    type Output = Result<T, Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Err(Lost));
        };
        let ended = std::task::ready!(Pin::new(task).poll(cx));
        // It holds nothing any more, so dropping it needs nobody's attention.
        self.task = None;
        Poll::Ready(ended.and_then(Result::ok).ok_or(Lost))
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if self.task.is_some() {
            self.shared.cancel(&self.guest);
        }
    }
}

/// What is known of a guest beside its future.
struct Guest {
    account: Account,
    principal: Arc<Principal>,
    cpu: CpuTime,
    is_cancelled: AtomicBool,
}

/// A guest's future, which notes what its polls cost.
struct Metered<F> {
    future: Pin<Box<F>>,
    guest: Arc<Guest>,
}

impl<F: Future> Future for Metered<F> {
    type Output = thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.guest.is_cancelled.load(Ordering::Relaxed) {
            // It is dropped when this returns, or as soon as whoever cancels it comes to that.
            return Poll::Pending;
        }
        let before = thread_cpu();
        // A panic is the end of this guest, and not of its thread. Nothing of it is used again.
        let polled = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx)));
        // Before anybody can see that it has ended, and what it has used.
        self.guest.cpu.add(thread_cpu().saturating_sub(before));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// What the threads, the guests' wakers and the handles share.
struct Shared {
    queue: Mutex<Queue>,
    /// Told when a thread is called to work, and when it is over.
    ready: Condvar,
    since: Stopwatch,
    preempt: Box<dyn Fn() + Send + Sync>,
}

struct Queue {
    fair: Fair<Runnable<Arc<Guest>>>,
    /// Threads that wait, and how many of those were called to work already.
    idle: usize,
    called: usize,
    is_over: bool,
}

/// A poll that has ended: whom to charge for it, when it began, and the CPU time that it took.
type Charge = (Account, Duration, Duration);

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One thread's work.
    fn work(&self) {
        lower_priority();
        let (mut before, mut charge) = (thread_cpu(), None);
        while let Some((account, guest, begun)) = self.next(charge) {
            guest.run();
            // What it took to find the guest counts too, and that of waiting is nothing.
            let now = thread_cpu();
            charge = Some((account, begun, now.saturating_sub(before)));
            before = now;
        }
    }

    /// Waits for the next guest to poll. Nothing, if it is over.
    fn next(&self, charge: Option<Charge>) -> Option<(Account, Runnable<Arc<Guest>>, Duration)> {
        let mut queue = self.queue();
        if let Some((account, begun, cpu)) = charge {
            queue.fair.charge(account, begun, cpu);
        }
        while !queue.is_over {
            let now = self.since.elapsed();
            if let Some((account, guest)) = queue.fair.pop(now) {
                return Some((account, guest, now));
            }
            queue.idle += 1;
            let is_idle = |queue: &mut Queue| queue.called == 0 && !queue.is_over;
            let woken = self.ready.wait_while(queue, is_idle);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
            queue.called = queue.called.saturating_sub(1);
        }
        None
    }

    /// A guest is ready.
    fn schedule(&self, runnable: Runnable<Arc<Guest>>, info: ScheduleInfo) {
        let now = self.since.elapsed();
        let guest = runnable.metadata().clone();
        let mut queue = self.queue();
        if queue.is_over {
            drop(queue);
            return drop(runnable);
        }
        let is_urgent = if guest.is_cancelled.load(Ordering::Relaxed) {
            queue.fair.push_cancelled(guest.account, runnable);
            true
        } else {
            let whose = (guest.account, &guest.principal);
            queue.fair.push(whose, runnable, now)
        };
        // A guest that has just yielded has a thread that looks for the next.
        if !info.woken_while_running {
            self.call(queue, is_urgent);
        }
    }

    /// Sees to it that a guest that has become ready is polled soon.
    fn call(&self, mut queue: MutexGuard<'_, Queue>, is_urgent: bool) {
        if queue.idle > queue.called {
            queue.called += 1;
            drop(queue);
            self.ready.notify_one();
        } else {
            drop(queue);
            if is_urgent {
                (self.preempt)();
            }
        }
    }

    /// A guest is to be polled next, for it to be dropped.
    fn cancel(&self, guest: &Arc<Guest>) {
        guest.is_cancelled.store(true, Ordering::Relaxed);
        let is_it = |other: &Runnable<Arc<Guest>>| Arc::ptr_eq(other.metadata(), guest);
        let mut queue = self.queue();
        if queue.fair.cancel((guest.account, &guest.principal), is_it) {
            self.call(queue, true);
        } else {
            drop(queue);
            // It may be the one that is being polled.
            (self.preempt)();
        }
    }
}
