//! The supervising side of an attempt: admit, load, run, watch the time, conclude.

use std::sync::Arc;

use tracing::Instrument as _;

use super::admission::Slot;
use super::boundary::Boundary;
use super::error::list;
use super::executor::{CpuTime, Lost, Running};
use super::grant;
use super::link::Link;
use super::{CutOff, Loaded, Shared, lock};
use crate::id::TaskKey;
use crate::limit::MESSAGE_BYTES_MAX;
use crate::registry::Registered;
use crate::sandbox::{self, Call, Ending, Meter};
use crate::store;
use crate::task::{self, Change, Event, Failure, Fenced, Kind, Reason, Record};
use crate::text;
use crate::tool;

/// Runs one attempt at `task`, in `slot`, to its end.
pub(super) async fn run(shared: Arc<Shared>, key: TaskKey, slot: Slot) {
    let admitted = Change::by_host(shared.clock.now(), Event::Admitted);
    // Something else may have happened to the task while it was queued.
    let Ok(record) = shared.store.change(&key, admitted).await else {
        return;
    };
    let span = tracing::info_span!("task.attempt", task = %key, attempt = record.attempt);
    attempt(shared, record, slot).instrument(span).await;
}

async fn attempt(shared: Arc<Shared>, record: Arc<Record>, slot: Slot) {
    let loaded = match shared.store.journal(&record).await {
        Ok(loaded) => loaded,
        Err(error) => return unreadable(&shared, &record, &error).await,
    };
    // Loading the component is the host's time, not the task's.
    let prepared = tokio::select! {
        prepared = prepare(&shared, &record) => prepared,
        cut_off = shared.cut_off() => {
            if cut_off == CutOff::Suspend {
                write(&shared, &record, Event::Suspended { pause: false }).await;
            }
            return;
        }
    };
    let meter = Arc::new(Meter::new(&record.spec.limits, &record.usage));
    slot.metered(meter.clone());
    let cpu = CpuTime::default();
    let link = Link::new(
        shared.clone(),
        &record,
        loaded.journal,
        (meter, cpu.clone()),
    );
    let link = Arc::new(link);
    let entered = Loaded::enter(&shared, &link);
    // What came between the admission and here went past the link: look once more.
    if shared.is_draining() {
        link.want_drain();
    }
    if let Ok(Some(newest)) = shared.store.get(&link.key).await {
        link.renew(newest);
    }
    let ending = match prepared {
        Ok((registered, call)) => {
            let boundary = Box::new(Boundary::new(link.clone(), loaded.outputs));
            let component = &registered.component;
            let guest = shared
                .sandbox
                .attempt(component, call, link.meter.clone(), boundary);
            let guest = guest.instrument(tracing::Span::current());
            let guest = shared.spawn_guest(&record.spec.owner, cpu, guest);
            let ending = watch(&link, guest).await;
            ending.map(|ending| held_to_schema(&registered, &record, ending))
        }
        Err(failure) => Some(End::Other(task::Ending::Failed(failure))),
    };
    if let Some(ending) = ending {
        conclude(&link, ending).await;
    }
    drop(entered);
    drop(slot);
}

/// Ends a task whose journal is damaged: nobody could go on with it.
async fn unreadable(shared: &Shared, record: &Record, error: &store::Error) {
    tracing::error!(task = %record.key(), %error, "the journal can't be read");
    let failure = Failure::new(Kind::Host, "the task's journal can't be read");
    let ending = task::Ending::Failed(failure);
    let output = None;
    write(shared, record, Event::Ended { ending, output }).await;
}

/// Writes for an attempt that was never loaded.
async fn write(shared: &Shared, record: &Record, event: Event) {
    let attempt = Some(Fenced {
        attempt: record.attempt,
        usage: record.usage,
        grace_used: record.state.stop().map_or(0, |stop| stop.grace_used),
        told: false,
    });
    let change = Change {
        attempt,
        ..Change::by_host(shared.clock.now(), event)
    };
    // A refusal means that the task has ended meanwhile.
    let _ = shared.store.change(&record.key(), change).await;
}

/// How an attempt ended.
enum End {
    Returned(tool::Output),
    Other(task::Ending),
}

/// What the attempt runs, with its arguments and its folders.
async fn prepare(shared: &Shared, record: &Record) -> Result<(Arc<Registered>, Call), Failure> {
    let spec = &record.spec;
    let host = |message: String| Failure::new(Kind::Host, message);
    let registered = shared.registry.get(spec.component).await;
    let registered = registered.map_err(|error| host(error.to_string()))?;
    let gone = || {
        host(format!(
            "component {} is not kept here any more",
            spec.component
        ))
    };
    let registered = registered.ok_or_else(gone)?;
    let fresh = lock(&shared.fresh).remove(&record.key());
    let arguments = match fresh.and_then(|fresh| fresh.arguments) {
        Some(arguments) => Some(arguments),
        None => shared.store.arguments(&record.key()).await.ok().flatten(),
    };
    let arguments = arguments.ok_or_else(|| host("no arguments are kept".into()))?;
    let call = Call {
        tool: spec.tool.to_string(),
        arguments: String::from_utf8_lossy(&arguments).into_owned(),
        limits: spec.limits.clone(),
        grants: grant::open_all(&spec.grants).map_err(|error| host(error.to_string()))?,
    };
    Ok((registered, call))
}

/// Waits for the guest, and steps in when its time is over. Returns nothing where there is nothing
/// to conclude: the guest was taken away, or the attempt is void.
async fn watch(link: &Arc<Link>, mut guest: Running<Ending>) -> Option<End> {
    let mut pulse = link.pulse();
    loop {
        pulse.mark_unchanged();
        let look = link.look();
        if look.is_void {
            guest.cancel().await;
            return None;
        }
        tokio::select! {
            biased;
            // Who has ended by itself has, however late it is.
            ended = &mut guest => return ended_by_itself(ended),
            _ = pulse.changed() => {}
            () = link.shared.sleeper.until_some(look.forced) => {
                let step = link.at_work();
                let forced = Some(End::Other(task::Ending::Forced { step }));
                return guest.cancel().await.map_or(forced, ended_by_itself);
            }
            () = link.shared.sleeper.until_some(look.active_over) => {
                if link.stop(Reason::DeadlineExceeded).await.is_err() {
                    guest.cancel().await;
                    return None;
                }
            }
            cut_off = link.shared.cut_off() => {
                if let Some(ended) = guest.cancel().await {
                    return ended_by_itself(ended);
                }
                if cut_off == CutOff::Suspend {
                    // A refusal means that the task ended meanwhile.
                    let _ = link.commit(Event::Suspended { pause: false }).await;
                }
                return None;
            }
        }
    }
}

fn ended_by_itself(ended: Result<Ending, Lost>) -> Option<End> {
    Some(End::Other(match ended {
        Ok(Ending::Returned(output)) => return Some(End::Returned(output)),
        Ok(Ending::Error(error)) => task::Ending::Error(error),
        Ok(Ending::Failed(failure) | Ending::Ended(sandbox::End::Failed(failure))) => {
            task::Ending::Failed(failure)
        }
        Ok(Ending::Ended(sandbox::End::Suspended | sandbox::End::Lost)) => return None,
        Err(Lost) => {
            tracing::error!("the host failed while it ran a component");
            let message = "the host failed while it ran the component";
            task::Ending::Failed(Failure::new(Kind::Host, message))
        }
    }))
}

fn held_to_schema(registered: &Registered, record: &Record, end: End) -> End {
    let End::Returned(output) = end else {
        return end;
    };
    match check_output(registered, &record.spec.tool, output) {
        Ok(output) => End::Returned(output),
        Err(failure) => End::Other(task::Ending::Failed(failure)),
    }
}

/// Holds a tool to its own output schema.
pub(super) fn check_output(
    registered: &Registered,
    tool: &str,
    output: tool::Output,
) -> Result<tool::Output, Failure> {
    let tool = registered.manifest.tool(tool);
    let Some(schema) = tool.and_then(|tool| tool.output.as_ref()) else {
        return Ok(output);
    };
    let wrong = match &output.structured {
        Some(structured) => schema.check(structured).err().map(|found| list(&found)),
        None => Some("nothing structured was returned".to_owned()),
    };
    let Some(wrong) = wrong else {
        return Ok(output);
    };
    let message = format!("what it returned does not fit its output schema: {wrong}");
    let message = text::clean_line(&message, MESSAGE_BYTES_MAX);
    Err(Failure::new(Kind::ToolError, message))
}

async fn conclude(link: &Link, end: End) {
    let (ending, output) = match end {
        End::Other(ending) => (ending, None),
        End::Returned(output) => match serde_json::to_vec(&output) {
            Ok(output) => (task::Ending::Returned, Some(output.into())),
            Err(error) => {
                let failure = Failure::new(Kind::Host, error.to_string());
                (task::Ending::Failed(failure), None)
            }
        },
    };
    // A refusal means that the task has ended already: a cancel came first.
    let _ = link.commit(Event::Ended { ending, output }).await;
}
