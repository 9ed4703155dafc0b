//! Calls of which nothing is kept: the policy `never`.
//!
//! `begin` always runs and `complete` keeps nothing; what needs a journal is denied. Such a call
//! takes a slot like any other guest, and is held to the same limits. It can't be gone on with, so a
//! drain lets it come to its end, and cuts it off when its patience does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::admission::{Admission, Asker, Class, Ready, Slot};
use super::attempt::check_output;
use super::boundary::{STAY_MAX, progress};
use super::budget::Charge;
use super::executor::{CpuTime, Lost};
use super::submit::Checked;
use super::supervisor::Message;
use super::{Error, Request, Runtime, Shared, grant};
use crate::clock::{Timestamp, millis};
use crate::id::{Principal, TaskId};
use crate::sandbox::{
    Answer, Asked, Call, Durable, End, Ending, Entry, Info, Loaded, Meter, Reply, StopRequest,
};
use crate::task::{Entry as Logged, Failure, Kind, Source, Usage};
use crate::tool::Output;

/// What came of a call of which nothing is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Called {
    /// What it returned, or how it failed.
    pub result: Result<Output, Failure>,
    /// What it used.
    pub usage: Usage,
}

impl Runtime {
    /// Calls a tool and keeps nothing: dropping the future drops the guest. What it logs, prints
    /// and reports meanwhile is given to `listen`, on a thread of the guest's.
    pub async fn call(
        &self,
        request: Request,
        listen: impl Fn(Logged) + Send + 'static,
    ) -> Result<Called, Error> {
        let owner = request.owner.clone();
        let called = self.call_checked(request, listen).await;
        self.0.noted((&owner, "call"), None, called)
    }

    async fn call_checked(
        &self,
        request: Request,
        listen: impl Fn(Logged) + Send + 'static,
    ) -> Result<Called, Error> {
        let shared = &self.0;
        let Checked {
            registered,
            spec,
            arguments,
        } = self.check(request).await?;
        let asker = Asker {
            owner: &spec.owner,
            memory: spec.limits.memory,
        };
        let call = Call {
            tool: spec.tool.to_string(),
            arguments: String::from_utf8_lossy(&arguments).into_owned(),
            grants: grant::open_all(&spec.grants)?,
            limits: spec.limits.clone(),
        };
        let slot = shared.slot(asker).await?;
        // First this: a drain that is not seen after it waits for the guest.
        let tracked = shared.tracker.token();
        self.check_open()?;
        let meter = Arc::new(Meter::new(&spec.limits, &Usage::default()));
        slot.metered(meter.clone());
        let begun = shared.clock.now();
        let until = begun.plus(Duration::from_millis(
            spec.limits.active.min(spec.limits.deadline),
        ));
        let nothing = Nothing {
            id: TaskId::random(),
            until,
            runtime: self.clone(),
            listen: Box::new(listen),
            done: 0.0,
        };
        let component = &registered.component;
        let guest = shared
            .sandbox
            .attempt(component, call, meter.clone(), Box::new(nothing));
        let charge = Charge {
            shared: shared.clone(),
            tenant: spec.owner.tenant.clone(),
            meter: meter.clone(),
        };
        let guest = until_cut_off(shared.clone(), (charge, slot, tracked), guest);
        let cpu = CpuTime::default();
        let guest = shared.spawn_guest(&spec.owner, cpu.clone(), guest);
        let result = tokio::select! {
            ended = guest => {
                returned(ended).and_then(|output| check_output(&registered, &spec.tool, output))
            }
            () = shared.sleeper.until(until) => Err(Failure::new(
                Kind::DeadlineExceeded,
                format!("it was at work for {} ms", millis(until.since(begun))),
            )),
        };
        let active = millis(shared.clock.now().since(begun));
        Ok(Called {
            result,
            usage: Usage {
                active,
                cpu: cpu.micros(),
                ..meter.usage()
            },
        })
    }
}

/// A guest, or nothing where it is cut off by the end of the runtime: that is its own business, since
/// nobody has to poll the caller's side. However late that is noticed, it holds what it has until it
/// is gone; and it is charged for before its slot is anybody else's.
async fn until_cut_off<T>(
    shared: Arc<Shared>,
    _held: impl Send,
    guest: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        ended = guest => Some(ended),
        _ = shared.cut_off() => None,
    }
}

/// What came of a guest; nothing where it was cut off.
fn returned(ended: Result<Option<Ending>, Lost>) -> Result<Output, Failure> {
    match ended {
        Ok(Some(Ending::Returned(output))) => Ok(output),
        Ok(Some(Ending::Error(error))) => Err(error.into_failure()),
        Ok(Some(Ending::Failed(failure) | Ending::Ended(End::Failed(failure)))) => Err(failure),
        Ok(Some(Ending::Ended(End::Suspended | End::Lost))) | Err(Lost) => Err(Failure::new(
            Kind::Host,
            "the host failed while it ran the component",
        )),
        Ok(None) => Err(Failure::new(
            Kind::Host,
            "the runtime ended while the tool was at work, and cut it off",
        )),
    }
}

impl Shared {
    /// Waits for a slot.
    async fn slot(&self, asker: Asker<'_>) -> Result<Slot, Error> {
        if let Some(slot) = self.admission.slot(asker) {
            return Ok(slot);
        }
        let place = self.take_place(&asker.owner.tenant)?;
        let (asked, slot) = oneshot::channel();
        let in_line = InLine {
            admission: &self.admission,
            owner: asker.owner,
            call: TaskId::random(),
        };
        let ready = Ready::Call(in_line.call, asked);
        self.admission.push(Class::New, ready, asker, Some(place));
        self.tell(Message::Look);
        slot.await.map_err(|_| self.gone())
    }
}

/// A caller who waits for a slot, and leaves the line on going away.
struct InLine<'a> {
    admission: &'a Admission,
    owner: &'a Principal,
    call: TaskId,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.admission.withdraw(self.call, self.owner);
    }
}

/// A durable side that keeps nothing.
struct Nothing {
    id: TaskId,
    until: Timestamp,
    runtime: Runtime,
    listen: Box<dyn Fn(Logged) + Send>,
    /// The most progress that was reported.
    done: f64,
}

fn denied<T: Send + 'static>(what: &str) -> Answer<'static, T> {
    let message = format!("`{what}` needs a journal, and nothing of this call is kept");
    let failure = Failure::new(Kind::Denied, message);
    Box::pin(std::future::ready(Err(End::Failed(failure))))
}

fn done<T: Send + 'static>(answer: T) -> Answer<'static, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl Durable for Nothing {
    fn begin(
        &mut self,
        name: String,
        _input: Vec<u8>,
        once: bool,
    ) -> Answer<'_, Result<Entry, StopRequest>> {
        if once {
            return denied("once");
        }
        done(Ok(Entry::Run {
            key: format!("{}/{name}", self.id).into(),
        }))
    }

    fn complete<'a>(&'a mut self, _name: &'a str, _output: Vec<u8>) -> Answer<'a, ()> {
        done(())
    }

    fn abandon(&mut self, _name: &str) {}

    fn load(&mut self) -> Answer<'_, Option<Loaded>> {
        done(None)
    }

    fn save(&mut self, _state: Vec<u8>) -> Answer<'_, Result<String, StopRequest>> {
        denied("save")
    }

    fn report(&mut self, done: f64, total: Option<f64>, message: String) {
        (self.listen)(progress(&mut self.done, (done, total), &message));
    }

    fn write(&mut self, source: Source, line: String) {
        let text = line.into();
        (self.listen)(Logged::Line { source, text });
    }

    fn sleep(&mut self, _name: String, millis: u64) -> Answer<'_, Result<(), StopRequest>> {
        let sleep = Duration::from_millis(millis);
        if sleep > STAY_MAX {
            return denied("sleep");
        }
        let until = self.runtime.0.clock.now().plus(sleep);
        let sleeper = self.runtime.0.sleeper.clone();
        Box::pin(async move {
            sleeper.until(until).await;
            Ok(Ok(()))
        })
    }

    fn ask(&mut self, _questions: Vec<Asked>) -> Answer<'_, Result<Vec<Reply>, StopRequest>> {
        denied("ask")
    }

    fn current(&self) -> Info {
        Info {
            id: self.id.to_string(),
            attempt: 1,
            traceparent: None,
        }
    }

    fn time_left(&self) -> u64 {
        millis(self.until.since(self.runtime.0.clock.now()))
    }

    fn stop_requested(&mut self) -> Answer<'_, Option<StopRequest>> {
        done(None)
    }
}
