//! What `--json` prints: stable names, in snake case. Times are RFC 3339, durations milliseconds.

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::runtime::Called;
use crate::store::Event;
use crate::task::{
    Actor, Entry, Failure, How, Kind, Mark, Outcome, Question, Reason, Record, State, Stop, Wait,
};
use crate::tool::Output;

/// A task, with what it returned.
pub(super) fn task(record: &Record, output: Option<&Output>) -> Value {
    let spec = &record.spec;
    let mut task = json!({
        "task": record.id,
        "status": record.status(),
        "tool": spec.tool,
        "component": spec.component.to_string(),
        "owner": spec.owner.to_string(),
        "key": spec.key,
        "policy": spec.policy,
        "grants": spec.grants,
        "attempt": record.attempt,
        "retries": record.retries,
        "steps_done": record.steps_before + record.steps,
        "checkpoints": record.marks.len(),
        "created": time(spec.created),
        "updated": time(record.updated),
        "deadline": time(record.deadline()),
        "expires": time(record.expires()),
        "limits": spec.limits,
        "usage": record.usage,
        "clean_up": record.clean_up,
        "stop": record.state.stop().map(stop),
    });
    if let Some((parent, at)) = &spec.forked_from {
        add(
            &mut task,
            "forked_from",
            json!({"task": parent, "checkpoint": at.map(|at| at.to_string())}),
        );
    }
    match &record.state {
        State::Waiting(wait) | State::Paused { wait: Some(wait) } => waits(&mut task, wait),
        State::Queued {
            not_before: Some(at),
            ..
        } => add(&mut task, "not_before", time(*at)),
        State::Finished {
            outcome,
            at,
            doubts,
            ..
        } => {
            add(&mut task, "ended", time(*at));
            add(&mut task, "doubts", json!(doubts));
            ended(&mut task, outcome);
            if let Some(output) = output {
                add(&mut task, "result", json!(output));
            }
        }
        State::Queued { .. } | State::Running { .. } | State::Paused { wait: None } => {}
    }
    task
}

/// A call of which nothing is kept.
pub(super) fn call(tool: &str, called: &Called, limits: &crate::limit::Limits) -> Value {
    let mut call = json!({"task": null, "tool": tool, "usage": called.usage, "limits": limits});
    match &called.result {
        Ok(output) => {
            add(&mut call, "status", json!("completed"));
            add(&mut call, "result", json!(output));
        }
        Err(why) => {
            add(&mut call, "status", json!("failed"));
            add(&mut call, "failure", failure(why));
        }
    }
    call
}

/// One entry of a task's events.
pub(super) fn event(event: &Event) -> Value {
    let mut value = json!({
        "number": event.number,
        "at": time(event.at),
        "attempt": event.attempt,
    });
    let (kind, fields) = entry(&event.entry);
    add(&mut value, "type", json!(kind));
    if let (Value::Object(value), Value::Object(fields)) = (&mut value, fields) {
        value.extend(fields);
    }
    value
}

/// A checkpoint, without its state.
pub(super) fn mark(mark: &Mark) -> Value {
    json!({
        "checkpoint": mark.id.to_string(),
        "origin": mark.origin,
        "stretch": mark.stretch,
        "steps_done": mark.steps_done(),
        "bytes": mark.bytes,
        "at": time(mark.at),
    })
}

fn entry(entry: &Entry) -> (&'static str, Value) {
    match entry {
        Entry::Status { from, to } => ("status", json!({"from": from, "to": to})),
        Entry::OnceBegun { name } => ("once_begun", json!({"step": name})),
        Entry::StepDone { name } => ("step_done", json!({"step": name})),
        Entry::CheckpointSaved { id, origin } => (
            "checkpoint_saved",
            json!({"checkpoint": id.to_string(), "origin": origin}),
        ),
        Entry::StopRequested {
            reason: why,
            why: words,
        } => (
            "stop_requested",
            json!({"reason": reason(*why), "why": words}),
        ),
        Entry::Retried { message } => ("retried", json!({"message": message})),
        Entry::Crashed => ("crashed", json!({})),
        Entry::Answered { key } => ("answered", json!({"question": key})),
        Entry::Restored { checkpoint } => {
            ("restored", json!({"checkpoint": checkpoint.to_string()}))
        }
        Entry::Forked { child } => ("forked", json!({"task": child})),
        Entry::Progress {
            done,
            total,
            message,
        } => (
            "progress",
            json!({"done": done, "total": total, "message": message}),
        ),
        Entry::Line { source, text } => ("line", json!({"source": source, "text": text})),
    }
}

fn ended(task: &mut Value, outcome: &Outcome) {
    let how = match outcome {
        Outcome::Completed => None,
        Outcome::Failed { failure: why, how } => {
            add(task, "failure", failure(why));
            how.as_ref()
        }
        Outcome::Cancelled { how } => Some(how),
    };
    let Some(how) = how else { return };
    let word = match how {
        How::Failed { .. } => "failed".to_owned(),
        how => how.to_string(),
    };
    add(task, "how", json!(word));
    match how {
        How::Failed { failure: why, told } => {
            add(task, "how_failure", failure(why));
            add(task, "told", json!(told));
        }
        How::Forced { step } => add(task, "forced_step", json!(step)),
        How::Clean | How::Immediate | How::NotStarted | How::Finished => {}
    }
}

fn failure(failure: &Failure) -> Value {
    let limit = match failure.kind {
        Kind::LimitExceeded(name) => Some(name.as_str()),
        Kind::OutOfFuel => Some("fuel"),
        Kind::OutOfMemory => Some("memory"),
        _ => None,
    };
    let data = failure.data.as_ref().map(|data| parsed(data));
    json!({
        "kind": failure.kind.code(),
        "message": failure.message,
        "limit": limit,
        "data": data,
    })
}

fn stop(stop: &Stop) -> Value {
    let cancel = stop.cancel.as_ref().map(|cancel| {
        json!({
            "by": actor(&cancel.by),
            "at": time(cancel.at),
            "why": cancel.why,
            "grace": cancel.grace,
            "mode": cancel.mode,
        })
    });
    json!({
        "reason": reason(stop.reason),
        "at": time(stop.at),
        "grace": stop.grace,
        "grace_used": stop.grace_used,
        "cancel": cancel,
    })
}

fn waits(task: &mut Value, wait: &Wait) {
    match wait {
        Wait::Timer { name, until } => {
            add(
                task,
                "waits_for",
                json!({"sleep": name, "until": time(*until)}),
            );
        }
        Wait::Input { questions } => {
            add(task, "questions", questions.iter().map(question).collect());
        }
    }
}

fn question(question: &Question) -> Value {
    json!({
        "question": question.key,
        "name": question.name,
        "message": question.message,
        "schema": parsed(&question.schema),
    })
}

/// Who did something.
pub(super) fn actor(actor: &Actor) -> String {
    actor.to_string()
}

/// The word for a reason to stop, as the contract has it.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Cancelled => "cancelled",
        Reason::DeadlineExceeded => "deadline-exceeded",
        Reason::OutOfFuel => "out-of-fuel",
    }
}

/// A JSON text as what it says.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn time(at: Timestamp) -> Value {
    json!(at.to_string())
}

/// Adds a field to an object.
pub(super) fn add(object: &mut Value, name: &str, value: Value) {
    let fields: Option<&mut Map<_, _>> = object.as_object_mut();
    if let Some(fields) = fields {
        fields.insert(name.to_owned(), value);
    }
}
