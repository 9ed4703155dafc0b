//! Tasks in words.

use super::amounts::about;
use crate::limit::{MESSAGE_BYTES_MAX, Unit, format_count, format_duration};
use crate::task::{Mode, Origin, Source, Status};
use crate::text::clean_line;
use crate::tool::{Content, Output};
use crate::view::{Entry, Stop, Task};

/// The facts of a task, each with its name.
pub(super) fn facts(task: &Task) -> Vec<(&'static str, String)> {
    let component: String = task.component.chars().take(12).collect();
    let retries = match task.retries {
        0 => String::new(),
        count => format!(", {count} of them retries"),
    };
    let mut facts = vec![
        ("task", task.task.to_string()),
        ("tool", format!("{} of component {component}", task.tool)),
        ("status", task.status.to_string()),
        ("owner", task.owner.clone()),
        ("attempts", format!("{}{retries}", task.attempt)),
        ("steps", format!("{} done", task.steps_done)),
        ("checkpoints", task.checkpoints.to_string()),
        ("accepted", task.created.clone()),
        ("changed", task.updated.clone()),
        ("deadline", task.deadline.clone()),
        ("kept until", task.expires.clone()),
    ];
    if let Some(key) = &task.key {
        facts.push(("key", key.clone()));
    }
    if let Some(parent) = &task.forked_from {
        let at = parent.checkpoint.as_ref();
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        facts.push(("forked from", format!("{}{at}", parent.task)));
    }
    facts.extend(task.grants.iter().map(|grant| ("folder", grant.clone())));
    facts.extend(used(task));
    facts.extend(task.stop.iter().flat_map(stop));
    facts.extend(state(task));
    if !task.clean_up.is_empty() {
        facts.push(("tidied up", task.clean_up.join(", ")));
    }
    facts
        .into_iter()
        .map(|(name, fact)| (name, clean_line(&fact, MESSAGE_BYTES_MAX)))
        .collect()
}

/// What was used, beside what was allowed.
pub(super) fn used(task: &Task) -> Vec<(&'static str, String)> {
    let (limits, usage) = (&task.limits, &task.usage);
    let of = |used: String, unit: Unit, limit| format!("{used} of {}", unit.format(limit));
    let dropped = match usage.log_dropped {
        0 => String::new(),
        bytes => format!(", {} dropped", about(bytes)),
    };
    let log = of(about(usage.log_bytes), Unit::Bytes, limits.log);
    vec![
        (
            "fuel",
            of(format_count(usage.fuel), Unit::Fuel, limits.fuel),
        ),
        (
            "memory",
            of(about(usage.memory_peak), Unit::Bytes, limits.memory),
        ),
        (
            "at work",
            of(format_duration(usage.active), Unit::Millis, limits.active),
        ),
        ("cpu", format_duration(usage.cpu / 1_000)),
        ("log", format!("{log}{dropped}")),
        ("host calls", format_count(usage.host_calls)),
    ]
}

fn stop(stop: &Stop) -> Vec<(&'static str, String)> {
    let grace = format!(
        "{} of {} used",
        format_duration(stop.grace_used),
        format_duration(stop.grace)
    );
    let mut facts = vec![
        ("asked to stop", format!("{}, at {}", stop.reason, stop.at)),
        ("grace", grace),
    ];
    if let Some(cancel) = &stop.cancel {
        let why = cancel
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let mode = match cancel.mode {
            Mode::Graceful => "",
            Mode::Immediate => ", at once",
        };
        facts.push((
            "cancelled by",
            format!("{}, at {}{mode}{why}", cancel.by, cancel.at),
        ));
    }
    facts
}

fn state(task: &Task) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(sleep) = &task.waits_for {
        facts.push((
            "sleeps",
            format!("`{}`, until {}", sleep.sleep, sleep.until),
        ));
    }
    for question in task.questions.iter().flatten() {
        let (key, message, schema) = (&question.question, &question.message, &question.schema);
        facts.push(("asks", format!("`{key}`: {message} {schema}")));
    }
    if let Some(at) = &task.not_before {
        facts.push(("not before", at.clone()));
    }
    if let Some(at) = &task.ended {
        facts.push(("ended", at.clone()));
        facts.push(("outcome", ended(task)));
    }
    if let Some(doubts) = task.doubts.as_ref().filter(|doubts| !doubts.is_empty()) {
        facts.push(("in doubt", doubts.join(", ")));
    }
    facts
}

/// An end in one line.
pub(super) fn ended(task: &Task) -> String {
    let mut ended = task.status.to_string();
    if let (Status::Failed, Some(failure)) = (task.status, &task.failure) {
        ended = format!("{ended}: {}", failure.sentence());
    }
    if let Some(how) = &task.how {
        ended = format!("{ended}; {}", came(how, task));
    }
    clean_line(&ended, MESSAGE_BYTES_MAX)
}

/// How a task that was asked to stop came to its end.
fn came(how: &str, task: &Task) -> String {
    let failure = task.how_failure.as_ref();
    let failure = || {
        failure
            .map(crate::view::Failure::sentence)
            .unwrap_or_default()
    };
    let told = task.told.unwrap_or_default();
    match (how, task.forced_step.as_ref()) {
        ("clean", _) => "it was told, and ended cleanly".to_owned(),
        ("failed", _) if told => format!("it was told, and failed: {}", failure()),
        ("failed", _) => format!("it failed before it was told: {}", failure()),
        ("forced", Some(Some(step))) => format!("its grace was over in step `{step}`"),
        ("forced", _) => "its grace was over".to_owned(),
        ("immediate", _) => "at once, without asking it".to_owned(),
        ("not-started", _) => "it had done nothing yet that lasts".to_owned(),
        ("finished", _) => "it finished before it was told".to_owned(),
        (how, _) => how.to_owned(),
    }
}

/// An entry of a task's events in one line.
pub(super) fn entry(entry: &Entry) -> String {
    let line = match entry {
        Entry::Status { from: None, to } => format!("accepted: {to}"),
        Entry::Status {
            from: Some(from),
            to,
        } => format!("{from} -> {to}"),
        Entry::OnceBegun { step } => format!("step `{step}` begun, to take effect once"),
        Entry::StepDone { step } => format!("step `{step}` done"),
        Entry::CheckpointSaved {
            checkpoint,
            origin: Origin::Tool,
        } => format!("checkpoint {checkpoint} saved"),
        Entry::CheckpointSaved { checkpoint, .. } => {
            format!("checkpoint {checkpoint} saved from outside")
        }
        Entry::StopRequested { reason, why: None } => format!("asked to stop: {reason}"),
        Entry::StopRequested {
            reason,
            why: Some(words),
        } => format!("asked to stop: {reason}: {words}"),
        Entry::Retried { message } => format!("failed for now, and is tried again: {message}"),
        Entry::Crashed => "the process that ran it ended".to_owned(),
        Entry::Answered { question } => format!("question `{question}` answered"),
        Entry::Restored { checkpoint } => format!("restored to {checkpoint}"),
        Entry::Forked { task } => format!("forked: {task}"),
        Entry::Progress {
            done,
            total,
            message,
        } => progress(*done, *total, message),
        Entry::Line { source, text } => format!("{} {text}", origin(*source)),
    };
    clean_line(&line, MESSAGE_BYTES_MAX)
}

/// Progress in one line.
pub(super) fn progress(done: f64, total: Option<f64>, message: &str) -> String {
    match total {
        Some(total) if total > 0.0 => format!("{:.0}% {message}", 100.0 * done / total),
        _ => format!("{done} {message}"),
    }
}

fn origin(source: Source) -> &'static str {
    match source {
        Source::Stdout => "stdout|",
        Source::Stderr => "stderr|",
        Source::Debug => "debug:",
        Source::Info => "info:",
        Source::Warning => "warning:",
        Source::Error => "error:",
    }
}

/// What a tool returned: its structured output, or else its texts.
pub(super) fn output(output: &Output) -> String {
    if let Some(structured) = &output.structured {
        return serde_json::to_string_pretty(structured).unwrap_or_else(|_| structured.to_string());
    }
    let texts = output.content.iter().map(|content| match content {
        Content::Text { text } | Content::EmbeddedText { text, .. } => text.clone(),
        Content::Image { data, mime_type } | Content::Audio { data, mime_type } => {
            format!("[{mime_type}, {} bytes]", data.len())
        }
        Content::Link { uri, name, .. } => format!("[{name}]({uri})"),
        Content::EmbeddedBytes { uri, data, .. } => format!("[{uri}, {} bytes]", data.len()),
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Names and facts in two columns.
pub(super) fn columns<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    let lines = rows
        .iter()
        .map(|(name, fact)| format!("{name:width$}  {fact}"));
    lines.collect::<Vec<_>>().join("\n")
}
