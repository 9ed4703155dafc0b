//! Tasks in words.

use super::amounts::{about, shown};
use super::json::reason;
use crate::limit::{MESSAGE_BYTES_MAX, Unit, format_count, format_duration};
use crate::task::{Entry, How, Outcome, Question, Record, Source, State, Stop, Wait};
use crate::text::clean_line;
use crate::tool::{Content, Output};

/// The facts of a task, each with its name.
pub(super) fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let spec = &record.spec;
    let component: String = spec.component.short().chars().take(12).collect();
    let retries = match record.retries {
        0 => String::new(),
        count => format!(", {count} of them retries"),
    };
    let mut facts = vec![
        ("task", record.id.to_string()),
        ("tool", format!("{} of component {component}", spec.tool)),
        ("status", record.status().to_string()),
        ("owner", spec.owner.to_string()),
        ("attempts", format!("{}{retries}", record.attempt)),
        (
            "steps",
            format!("{} done", record.steps_before + record.steps),
        ),
        ("checkpoints", record.marks.len().to_string()),
        ("accepted", spec.created.to_string()),
        ("changed", record.updated.to_string()),
        ("deadline", record.deadline().to_string()),
        ("kept until", record.expires().to_string()),
    ];
    if let Some(key) = &spec.key {
        facts.push(("key", key.to_string()));
    }
    if let Some((parent, at)) = &spec.forked_from {
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        facts.push(("forked from", format!("{parent}{at}")));
    }
    facts.extend(
        spec.grants
            .iter()
            .map(|grant| ("folder", grant.to_string())),
    );
    facts.extend(used(record));
    facts.extend(record.state.stop().into_iter().flat_map(stop));
    facts.extend(state(record));
    if !record.clean_up.is_empty() {
        facts.push(("tidied up", record.clean_up.join(", ")));
    }
    facts
        .into_iter()
        .map(|(name, fact)| (name, clean_line(&fact, MESSAGE_BYTES_MAX)))
        .collect()
}

/// What was used, beside what was allowed.
pub(super) fn used(record: &Record) -> Vec<(&'static str, String)> {
    let (limits, usage) = (&record.spec.limits, &record.usage);
    let of = |used: String, unit, limit| format!("{used} of {}", shown(unit, limit));
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
        (
            "asked to stop",
            format!("{}, at {}", reason(stop.reason), stop.at),
        ),
        ("grace", grace),
    ];
    if let Some(cancel) = &stop.cancel {
        let why = cancel
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let mode = match cancel.mode {
            crate::task::Mode::Graceful => "",
            crate::task::Mode::Immediate => ", at once",
        };
        facts.push((
            "cancelled by",
            format!("{}, at {}{mode}{why}", cancel.by, cancel.at),
        ));
    }
    facts
}

fn state(record: &Record) -> Vec<(&'static str, String)> {
    match &record.state {
        State::Waiting(wait) | State::Paused { wait: Some(wait) } => match wait {
            Wait::Timer { name, until } => vec![("sleeps", format!("`{name}`, until {until}"))],
            Wait::Input { questions } => {
                let question = |question: &Question| {
                    (
                        "asks",
                        format!(
                            "`{}`: {} {}",
                            question.key, question.message, question.schema
                        ),
                    )
                };
                questions.iter().map(question).collect()
            }
        },
        State::Queued {
            not_before: Some(at),
            ..
        } => vec![("not before", at.to_string())],
        State::Queued { .. } | State::Running { .. } | State::Paused { wait: None } => Vec::new(),
        State::Finished {
            outcome,
            at,
            doubts,
            ..
        } => {
            let mut facts = vec![("ended", at.to_string()), ("outcome", ended(outcome))];
            if !doubts.is_empty() {
                facts.push(("in doubt", doubts.join(", ")));
            }
            facts
        }
    }
}

/// An end in one line.
pub(super) fn ended(outcome: &Outcome) -> String {
    let ended = match outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::Failed { failure, how: None } => format!("failed: {failure}"),
        Outcome::Failed {
            failure,
            how: Some(how),
        } => {
            format!("failed: {failure}; {}", came(how))
        }
        Outcome::Cancelled { how } => format!("cancelled; {}", came(how)),
    };
    clean_line(&ended, MESSAGE_BYTES_MAX)
}

/// How a task that was asked to stop came to its end.
fn came(how: &How) -> String {
    match how {
        How::Clean => "it was told, and ended cleanly".to_owned(),
        How::Failed {
            failure,
            told: true,
        } => format!("it was told, and failed: {failure}"),
        How::Failed {
            failure,
            told: false,
        } => format!("it failed before it was told: {failure}"),
        How::Forced { step: Some(step) } => format!("its grace was over in step `{step}`"),
        How::Forced { step: None } => "its grace was over".to_owned(),
        How::Immediate => "at once, without asking it".to_owned(),
        How::NotStarted => "it had done nothing yet that lasts".to_owned(),
        How::Finished => "it finished before it was told".to_owned(),
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
        Entry::OnceBegun { name } => format!("step `{name}` begun, to take effect once"),
        Entry::StepDone { name } => format!("step `{name}` done"),
        Entry::CheckpointSaved {
            id,
            origin: crate::task::Origin::Tool,
        } => {
            format!("checkpoint {id} saved")
        }
        Entry::CheckpointSaved { id, .. } => format!("checkpoint {id} saved from outside"),
        Entry::StopRequested {
            reason: why,
            why: None,
        } => {
            format!("asked to stop: {}", reason(*why))
        }
        Entry::StopRequested {
            reason: why,
            why: Some(words),
        } => {
            format!("asked to stop: {}: {words}", reason(*why))
        }
        Entry::Retried { message } => format!("failed for now, and is tried again: {message}"),
        Entry::Crashed => "the process that ran it ended".to_owned(),
        Entry::Answered { key } => format!("question `{key}` answered"),
        Entry::Restored { checkpoint } => format!("restored to {checkpoint}"),
        Entry::Forked { child } => format!("forked: {child}"),
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
