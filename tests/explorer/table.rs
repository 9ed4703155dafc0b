//! What no change of a task may do, whatever led to it: the table of a task's life.

use std::sync::Arc;

use stepwell::clock::Timestamp;
use stepwell::id::{CheckpointId, Digest};
use stepwell::task::{
    Actor, Change, Ending, Event, How, Illegal, Outcome, Reason, Record, Row, RowKind, State,
    Status, StepKey, Usage, Wait, WaitOver, apply,
};

use crate::world::{Ghost, Step, need};

/// Every arrow from one state to another.
pub(crate) const ARROWS: &[(Status, Status)] = {
    use Status::{
        Cancelled, Completed, Failed, Paused, Queued, Running, WaitingInput, WaitingTimer,
    };
    &[
        (Queued, Running),
        (Queued, Cancelled),
        (Queued, Failed),
        (Queued, Paused),
        (Running, Queued),
        (Running, WaitingTimer),
        (Running, WaitingInput),
        (Running, Paused),
        (Running, Completed),
        (Running, Failed),
        (Running, Cancelled),
        (WaitingTimer, Queued),
        (WaitingInput, Queued),
        (WaitingTimer, Paused),
        (WaitingInput, Paused),
        (Paused, Queued),
        (Paused, WaitingTimer),
        (Paused, WaitingInput),
        (WaitingTimer, Failed),
        (WaitingTimer, Cancelled),
        (WaitingInput, Failed),
        (WaitingInput, Cancelled),
        (Paused, Failed),
        (Paused, Cancelled),
    ]
};

/// Checks one change of a record.
pub(crate) fn check(before: &Record, after: &Record, ghost: &Ghost) -> Step<()> {
    let (from, to) = (before.status(), after.status());
    need(from == to || ARROWS.contains(&(from, to)), || {
        format!("no such arrow: {from} to {to}")
    })?;
    need(
        !before.state.is_terminal() || before.state == after.state,
        || format!("a terminal state changed: {from} to {to}"),
    )?;
    need(after.seq == before.seq + 1, || {
        "a change without a number".into()
    })?;
    let State::Finished { outcome, stop, .. } = &after.state else {
        return Ok(());
    };
    let word = match outcome {
        Outcome::Completed => false,
        Outcome::Failed { how, .. } => how.is_some(),
        Outcome::Cancelled { .. } => true,
    };
    need(stop.is_some() == word, || {
        format!("no word for this end: {to}")
    })?;
    let cancel = ghost.cancelled || stop.as_ref().is_some_and(|stop| stop.cancel.is_some());
    need(
        cancel == matches!(outcome, Outcome::Cancelled { .. }),
        || format!("cancel was recorded, ended {to}"),
    )
}

/// How a task with a stop came to its end.
pub(crate) fn how(record: &Record) -> Option<&How> {
    match &record.state {
        State::Finished { outcome, .. } => match outcome {
            Outcome::Completed => None,
            Outcome::Failed { how, .. } => how.as_ref(),
            Outcome::Cancelled { how } => Some(how),
        },
        _ => None,
    }
}

/// Checks that an ended task refuses everything, but that somebody forks it.
pub(crate) fn check_refuses(record: &Record) -> Step<()> {
    for event in events() {
        let change = Change {
            attempt: Some(stepwell::task::Fenced {
                attempt: record.attempt,
                usage: Usage::default(),
                grace_used: 0,
                told: false,
            }),
            by: Actor::Tool,
            ..Change::by_host(Timestamp(u64::MAX), event)
        };
        let refused = matches!(apply(record, &change), Err(Illegal::Ended(_)));
        need(refused, || format!("an ended task took {:?}", change.event))?;
    }
    Ok(())
}

fn events() -> Vec<Event> {
    let bytes: Arc<[u8]> = Arc::default();
    let at = StepKey {
        stretch: 0,
        name: "late".into(),
    };
    let row = Row {
        at,
        kind: RowKind::Step,
        input: Digest([0; 32]),
        place: 0,
        clean_up: false,
    };
    let questions = Vec::new();
    let done = |output| Event::Done {
        row,
        output,
        once: None,
    };
    vec![
        Event::Admitted,
        done(bytes.clone()),
        Event::Saved {
            state: bytes.clone(),
        },
        Event::Waits(Wait::Input { questions }),
        Event::Suspended { pause: true },
        Event::Crashed,
        Event::Ended {
            ending: Ending::Returned,
            output: None,
        },
        Event::Stop {
            reason: Reason::OutOfFuel,
            grace: 0,
            cancel: None,
        },
        Event::Pause,
        Event::Resume,
        Event::WaitOver(WaitOver::Due),
        Event::ClientSaved { state: bytes },
        Event::Restored {
            checkpoint: CheckpointId(0),
            go_on: false,
        },
    ]
}
