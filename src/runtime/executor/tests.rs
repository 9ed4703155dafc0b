//! The executor with real threads: nothing is lost, and nobody waits who should not.

use std::sync::atomic::AtomicUsize;

use tokio::sync::{mpsc, oneshot};

use super::*;

mod model;

fn owner(tenant: &str, subject: &str) -> Principal {
    Principal {
        tenant: tenant.to_owned().try_into().unwrap(),
        subject: subject.into(),
        ..Principal::local()
    }
}

/// Lets others run, once.
async fn yield_now() {
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// Uses CPU time of this thread.
fn burn(cpu: Duration) {
    let before = thread_cpu();
    while thread_cpu().saturating_sub(before) < cpu {
        std::hint::spin_loop();
    }
}

fn spawn<F>(executor: &Executor, owner: &Principal, guest: F) -> Running<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    executor.spawn((owner, 1), CpuTime::default(), guest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost() {
    const PAIRS: usize = 100;
    const ROUNDS: usize = 200;
    let executor = Executor::new(3, || {}).unwrap();
    let mut running = Vec::new();
    for pair in 0..PAIRS {
        let (to_b, mut from_a) = mpsc::channel(1);
        let (to_a, mut from_b) = mpsc::channel(1);
        let a = async move {
            for round in 0..ROUNDS {
                to_b.send(round).await.unwrap();
                assert_eq!(from_b.recv().await, Some(round));
            }
        };
        let b = async move {
            while let Some(round) = from_a.recv().await {
                yield_now().await;
                to_a.send(round).await.unwrap();
            }
        };
        let (tenant, subject) = (format!("t{}", pair % 7), format!("s{}", pair % 3));
        running.push(spawn(&executor, &owner(&tenant, &subject), a));
        running.push(spawn(&executor, &owner("other", &subject), b));
    }
    for guest in running {
        guest.await.unwrap();
    }
}

/// Counts those that are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_cancelled_is_gone_when_that_is_answered() {
    let executor = Executor::new(2, || {}).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    for round in 0..200 {
        let alive = Alive::new(&count);
        let spins = round % 2 == 0;
        let guest = spawn(&executor, &owner("a", "s"), async move {
            let _alive = alive;
            if spins {
                loop {
                    yield_now().await;
                }
            }
            std::future::pending::<()>().await;
        });
        assert!(guest.cancel().await.is_none());
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
    assert!(executor.shared.queue().fair.drain().is_empty());
}

#[tokio::test]
async fn a_cancelled_guest_goes_before_all_others() {
    let executor = Executor::new(1, || {}).unwrap();
    let (first, started) = oneshot::channel();
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let held = spawn(&executor, &owner("a", "s"), async move {
        first.send(()).unwrap();
        gate.recv().unwrap();
    });
    started.await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let noted = |what: &'static str| Noted(what, order.clone());
    // The thread is held: all of these are ready and wait, the one to be cancelled last.
    let others: Vec<_> = (0..5)
        .map(|_| {
            let noted = noted("other");
            spawn(&executor, &owner("b", "s"), async move { drop(noted) })
        })
        .collect();
    let last = noted("cancelled");
    let last = spawn(&executor, &owner("b", "s"), async move {
        let _last = last;
        yield_now().await;
    });
    drop(last);
    go.send(()).unwrap();
    held.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 6);
    assert_eq!(order[0], "cancelled");
}

/// Notes when it is dropped.
struct Noted(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[tokio::test]
async fn a_newcomer_makes_those_that_are_polled_yield() {
    spinning_gives_way(1).await;
}

#[tokio::test]
async fn whoever_is_cancelled_yields_though_a_thread_is_idle() {
    spinning_gives_way(2).await;
}

async fn spinning_gives_way(threads: usize) {
    let is_asked = Arc::new(AtomicBool::new(false));
    let (asked, heard) = (is_asked.clone(), is_asked.clone());
    let executor = Executor::new(threads, move || asked.store(true, Ordering::SeqCst)).unwrap();
    let (first, started) = oneshot::channel();
    let mut first = Some(first);
    // It never yields but when it is asked to; without that this test would not end.
    let spinning = spawn(&executor, &owner("hog", "s"), async move {
        loop {
            while !heard.swap(false, Ordering::SeqCst) {
                std::hint::spin_loop();
                first.take().map(|first| first.send(()));
            }
            yield_now().await;
        }
    });
    started.await.unwrap();
    let guest = spawn(&executor, &owner("newcomer", "s"), async { 7 });
    assert_eq!(guest.await.unwrap(), 7);
    while executor.shared.queue().idle < threads - 1 {
        tokio::task::yield_now().await;
    }
    // So does whoever wants it gone.
    assert!(spinning.cancel().await.is_none());
}

#[tokio::test]
async fn a_panic_ends_the_guest_and_not_its_thread() {
    let executor = Executor::new(1, || {}).unwrap();
    let owner = owner("a", "s");
    let guest = spawn(&executor, &owner, async { panic!("as the test wants it") });
    let ended: Result<(), Lost> = guest.await;
    assert!(ended.is_err());
    assert_eq!(spawn(&executor, &owner, async { 7 }).await.unwrap(), 7);
}

#[tokio::test]
async fn what_is_used_is_charged_before_the_end_is_seen() {
    let executor = Executor::new(1, || {}).unwrap();
    let (cpu, owner) = (CpuTime::default(), owner("a", "s"));
    let work = Duration::from_millis(2);
    let guest = async move {
        burn(work);
        yield_now().await;
        burn(work);
    };
    let guest = executor.spawn((&owner, 1), cpu.clone(), guest);
    guest.await.unwrap();
    assert!(cpu.micros() >= 4_000, "{}", cpu.micros());
    // The tenant is charged when the thread has come back from the poll.
    spawn(&executor, &owner, async {}).await.unwrap();
    assert!(executor.cpu(&owner.tenant) >= work * 2);
}

#[tokio::test]
async fn an_executor_that_ends_drops_what_is_ready() {
    let count = Arc::new(AtomicUsize::new(0));
    let executor = Executor::new(0, || {}).unwrap();
    let alive = Alive::new(&count);
    let guest = spawn(&executor, &owner("a", "s"), async move { drop(alive) });
    drop(executor);
    assert!(guest.await.is_err());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
