//! Clients that give up on a request after a while: once with calls that are answered when they
//! are done, once with tasks that are asked for.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::clock::{Stopwatch, millis};
use stepwell::id::Digest;
use stepwell::runtime::{Error, Options, Request, Runtime};
use stepwell_guest_examples::TEST_GUEST;
use tokio::task::JoinSet;

use crate::draw::Draw;

/// A client waits for 60 seconds for an answer, and asks again every 5: here a hundredth of that.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(600);
const POLL: Duration = Duration::from_millis(50);

const CLIENTS: usize = 8;
const CALLS_PER_CLIENT: usize = 24;

/// Of a hundred calls so many are long.
const LONG_PERCENT: u64 = 30;

/// What is done of a call before it is journalled.
const STEP: Duration = Duration::from_millis(100);

/// How the clients call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// One request, which is answered when the call is done. Who gives up cancels the call.
    Answered,
    /// One request for a task, and then requests for what has become of it.
    Asked,
}

/// What came of all calls.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) calls: usize,
    /// All requests that were made.
    pub(crate) requests: usize,
    /// Calls with a request that was not answered in time.
    pub(crate) timed_out: usize,
    /// How long it took until there was a result, where there was one.
    pub(crate) short: Vec<Duration>,
    pub(crate) long: Vec<Duration>,
}

/// A call that is to be made.
#[derive(Clone, Copy)]
struct Call {
    work: Duration,
    is_long: bool,
}

/// A client's requests for one call.
#[derive(Default)]
struct Client {
    requests: usize,
    unanswered: usize,
}

/// What all clients are to call: for each client one after the other.
pub(crate) struct Plan(Vec<Vec<Call>>);

impl Plan {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let mut call = || {
            let is_long = draw.of(0..100) < LONG_PERCENT;
            let range = if is_long { 300..3_000 } else { 5..50 };
            Call {
                work: draw.millis(range),
                is_long,
            }
        };
        let mut client = || (0..CALLS_PER_CLIENT).map(|_| call()).collect();
        Self((0..CLIENTS).map(|_| client()).collect())
    }
}

/// How it is done, for people.
pub(crate) fn about() -> String {
    format!(
        "{CLIENTS} clients at once, each with {CALLS_PER_CLIENT} calls one after the other; \
         {LONG_PERCENT} % of them work for 0.3 to 3 s, the others for 5 to 50 ms, in steps of at \
         most {} ms. A client gives a request up after {} ms; a task is asked for every {} ms.",
        STEP.as_millis(),
        TIMEOUT.as_millis(),
        POLL.as_millis()
    )
}

/// Lets the clients make their calls.
pub(crate) async fn make(plan: &Plan, way: Way) -> anyhow::Result<Seen> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::start(Options::new(folder.path())).await?;
    let component = runtime.add(TEST_GUEST.to_vec()).await?;
    let component = component.manifest.component;
    let mut clients = JoinSet::new();
    for (client, calls) in plan.0.iter().cloned().enumerate() {
        let runtime = runtime.clone();
        clients.spawn(async move {
            let mut seen = Seen::default();
            for (number, call) in calls.into_iter().enumerate() {
                let key = format!("{client}/{number}");
                seen.add(call, make_one(&runtime, component, call, way, key).await?);
            }
            anyhow::Ok(seen)
        });
    }
    let mut all = Seen::default();
    while let Some(seen) = clients.join_next().await {
        all.join(seen??);
    }
    runtime.drain(Duration::from_secs(5)).await;
    Ok(all)
}

/// Makes one call; how long it took, if there was a result.
async fn make_one(
    runtime: &Runtime,
    component: Digest,
    call: Call,
    way: Way,
    key: String,
) -> anyhow::Result<(Client, Option<Duration>)> {
    let mut client = Client::default();
    let mut request = Request::new(component, "script", call.arguments());
    let watch = Stopwatch::start();
    if way == Way::Answered {
        // What is given up is dropped, and the guest with it.
        let called = client.ask(runtime.call(request, |_| {})).await?;
        let called = called.map(|called| called.result);
        let is_done = called.transpose().map_err(|it| anyhow::anyhow!("{it}"))?;
        return Ok((client, is_done.map(|_| watch.elapsed())));
    }
    // Asked for again under the same key, it is the same task.
    request.key = Some(key);
    let task = loop {
        if let Some(accepted) = client.ask(runtime.submit(request.clone())).await? {
            break accepted.record.key();
        }
    };
    loop {
        tokio::time::sleep(POLL.min(call.work)).await;
        let record = client.ask(runtime.record(&task)).await?;
        if record.is_some_and(|record| record.state.is_terminal()) {
            break;
        }
    }
    let output = loop {
        if let Some(output) = client.ask(runtime.output(&task)).await? {
            break output;
        }
    };
    anyhow::ensure!(output.is_some(), "task {task} has no result");
    Ok((client, Some(watch.elapsed())))
}

impl Client {
    /// Waits for the answer to a request, for as long as a client does.
    async fn ask<T>(
        &mut self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        self.requests += 1;
        match tokio::time::timeout(TIMEOUT, request).await {
            Ok(answer) => answer.map(Some),
            Err(_) => {
                self.unanswered += 1;
                Ok(None)
            }
        }
    }
}

impl Call {
    /// A script that works for that long: a step is a wait, and a journalled result.
    fn arguments(&self) -> Value {
        let work = millis(self.work);
        let steps = work.div_ceil(millis(STEP)).max(1);
        let wait = json!({"sleep": "work {i}", "ms": work / steps});
        let done = json!({"step": {"name": "step {i}", "output": "done"}});
        json!({"ops": [{"repeat": steps, "ops": [wait, done]}]})
    }
}

impl Seen {
    fn add(&mut self, call: Call, (client, took): (Client, Option<Duration>)) {
        self.calls += 1;
        self.requests += client.requests;
        self.timed_out += usize::from(client.unanswered > 0);
        let of_its_kind = if call.is_long {
            &mut self.long
        } else {
            &mut self.short
        };
        of_its_kind.extend(took);
    }

    fn join(&mut self, other: Self) {
        self.calls += other.calls;
        self.requests += other.requests;
        self.timed_out += other.timed_out;
        self.short.extend(other.short);
        self.long.extend(other.long);
    }
}
