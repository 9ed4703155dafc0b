//! The operations of a script: those of the contract, and how a tool may end.

use std::hint::black_box;

use serde_json::{Value, json};

use super::{Leave, Script, list, outside, text};
use crate::contract::exports::stepwell::tool::tools::Error;
use crate::contract::stepwell::tool::elicitation::{self, Answer, Question};
use crate::contract::stepwell::tool::steps::{self, Effect, Entry, Step};
use crate::contract::stepwell::tool::{checkpoints, log, progress, task, timers};
use crate::{failed, failure, file, invalid, number};

impl Script {
    pub(super) fn run(&mut self, op: &Value) -> Result<(), Leave> {
        let keys = op
            .as_object()
            .ok_or_else(|| invalid("an operation is an object"))?;
        let has = |name: &str| keys.contains_key(name);
        if let Some(step) = op.get("step") {
            self.step(step)
        } else if has("begin") {
            self.begin(op)
        } else if has("complete") {
            self.complete(op)
        } else if has("abandon") {
            let name = text(op, "abandon");
            let step = self.at_work.remove(name);
            let was_at_work = step.is_some();
            step.into_iter().for_each(Step::abandon);
            self.note(json!({ "abandoned": name, "was_at_work": was_at_work }))
        } else if has("drop") {
            let was_at_work = self.at_work.remove(text(op, "drop")).is_some();
            self.note(json!({ "dropped": text(op, "drop"), "was_at_work": was_at_work }))
        } else if let Some(state) = op.get("save") {
            let state = state
                .as_str()
                .map_or_else(|| state.to_string(), str::to_owned);
            match checkpoints::save(state.as_bytes()) {
                Ok(id) => self.note(json!({ "saved": id })),
                Err(stop) => self.stopped(stop),
            }
        } else if has("sleep") {
            match timers::sleep(text(op, "sleep"), number(op, "ms")?) {
                Ok(()) => self.note(json!({ "slept": text(op, "sleep") })),
                Err(stop) => self.stopped(stop),
            }
        } else if has("ask") {
            self.ask(list(op, "ask")?)
        } else if has("on_attempt") {
            let is_now = number(op, "on_attempt")? == u64::from(task::current().attempt);
            if is_now {
                self.run_all(list(op, "ops")?)
            } else {
                Ok(())
            }
        } else if has("repeat") {
            self.repeat(number(op, "repeat")?, list(op, "ops")?)
        } else if has("stages") {
            self.stages(list(op, "stages")?)
        } else if let Some(entry) = told(op) {
            self.note(entry)
        } else if has("stop_requested") {
            match task::stop_requested() {
                Some(stop) => self.stopped(stop),
                None => self.note(json!({ "stop_requested": null })),
            }
        } else if has("alloc") {
            let bytes = usize::try_from(number(op, "alloc")?).map_err(failed)?;
            self.held.push(black_box(vec![1; bytes]));
            self.note(json!({ "allocated": bytes }))
        } else if let Some(end) = ended(op) {
            Err(Leave::With(end))
        } else {
            let entry = outside::run(op).ok_or_else(|| invalid(format!("no operation: {op}")))?;
            self.note(entry)
        }
    }

    fn begin(&mut self, op: &Value) -> Result<(), Leave> {
        let name = text(op, "begin");
        let handle = op.get("as").and_then(Value::as_str).unwrap_or(name);
        match steps::begin(name, text(op, "input").as_bytes(), effect(op)) {
            Ok(Entry::Run(step)) => {
                let key = step.key();
                self.at_work.insert(handle.to_owned(), step);
                self.note(json!({ "run": key }))
            }
            Ok(Entry::Replay(output)) => {
                self.note(json!({ "replay": String::from_utf8_lossy(&output) }))
            }
            Ok(Entry::InDoubt(doubt)) => {
                let entry = in_doubt(&doubt.step, doubt.earlier.as_deref());
                self.at_work.insert(handle.to_owned(), doubt.step);
                self.note(json!({ "doubt": entry }))
            }
            Err(stop) => self.stopped(stop),
        }
    }

    fn complete(&mut self, op: &Value) -> Result<(), Leave> {
        let handle = text(op, "complete");
        let step = self.at_work.remove(handle);
        let was_at_work = step.is_some();
        if let Some(step) = step {
            Step::complete(step, &body(op));
        }
        self.note(json!({ "completed": handle, "was_at_work": was_at_work }))
    }

    /// Begins a step, performs its effect where it was entered, and completes it.
    fn step(&mut self, op: &Value) -> Result<(), Leave> {
        let line = op.get("effect_line");
        let perform = |key: &str| match line {
            Some(line) => file::append(
                text(line, "path"),
                &text(line, "line").replace("{key}", key),
            ),
            None => Ok(()),
        };
        match steps::begin(text(op, "name"), text(op, "input").as_bytes(), effect(op)) {
            Ok(Entry::Run(step)) => {
                let key = step.key();
                perform(&key).map_err(failed)?;
                self.outputs.push(json!(text(op, "output")));
                Step::complete(step, &body(op));
                self.note(json!({ "run": key }))
            }
            Ok(Entry::Replay(output)) => {
                let output = String::from_utf8_lossy(&output);
                self.outputs.push(json!(output));
                self.note(json!({ "replay": output }))
            }
            Ok(Entry::InDoubt(doubt)) => {
                let key = doubt.step.key();
                let mut entry = in_doubt(&doubt.step, doubt.earlier.as_deref());
                let is_done = match line {
                    Some(line) => file::lines(text(line, "path"))
                        .map_err(failed)?
                        .contains(&text(line, "line").replace("{key}", &key)),
                    None => false,
                };
                if !is_done {
                    perform(&key).map_err(failed)?;
                }
                if let Some(entry) = entry.as_object_mut() {
                    entry.insert("found".to_owned(), json!(is_done));
                }
                self.outputs.push(json!(text(op, "output")));
                Step::complete(doubt.step, &body(op));
                self.note(json!({ "doubt": entry }))
            }
            Err(stop) => self.stopped(stop),
        }
    }

    fn ask(&mut self, questions: &[Value]) -> Result<(), Leave> {
        let question = |value: &Value| Question {
            name: text(value, "name").to_owned(),
            message: text(value, "message").to_owned(),
            schema: match value.get("schema") {
                Some(Value::String(schema)) => schema.clone(),
                Some(schema) => schema.to_string(),
                None => r#"{"type":"object","properties":{}}"#.to_owned(),
            },
        };
        match elicitation::ask(&questions.iter().map(question).collect::<Vec<_>>()) {
            Ok(answers) => {
                let answers: Vec<_> = answers.iter().map(answer).collect();
                self.outputs.extend_from_slice(&answers);
                self.note(json!({ "answers": answers }))
            }
            Err(stop) => self.stopped(stop),
        }
    }

    /// Runs the operations `count` times, with the round's number for `{i}`.
    fn repeat(&mut self, count: u64, operations: &[Value]) -> Result<(), Leave> {
        let text = serde_json::to_string(operations).map_err(failed)?;
        for round in 0..count {
            let round = text.replace("{i}", &round.to_string());
            let operations: Vec<Value> = serde_json::from_str(&round).map_err(failed)?;
            self.run_all(&operations)?;
        }
        Ok(())
    }
}

/// The operations that tell the runtime something, or are told something, and never stop.
fn told(op: &Value) -> Option<Value> {
    if op.get("load").is_some() {
        let loaded = checkpoints::load().map(|checkpoint| {
            let state = checkpoint.state.as_deref().map(String::from_utf8_lossy);
            let client = checkpoint
                .client
                .map(|json| serde_json::from_str::<Value>(&json).ok());
            json!({ "id": checkpoint.id, "state": state, "client": client })
        });
        return Some(json!({ "loaded": loaded }));
    }
    if let Some(report) = op.get("progress") {
        let at = |index: usize| report.get(index).and_then(Value::as_f64);
        let message = report.get(2).and_then(Value::as_str).unwrap_or_default();
        progress::report(at(0).unwrap_or_default(), at(1), message);
        return Some(json!({ "progress": at(0) }));
    }
    if op.get("log").is_some() {
        let level = match text(op, "level") {
            "debug" => log::Level::Debug,
            "warning" => log::Level::Warning,
            "error" => log::Level::Error,
            _ => log::Level::Info,
        };
        log::write(level, text(op, "log"));
        return Some(json!({ "logged": text(op, "log") }));
    }
    if op.get("current").is_some() {
        let task::Info {
            id,
            attempt,
            traceparent,
        } = task::current();
        let current = json!({ "id": id, "attempt": attempt, "traceparent": traceparent });
        return Some(json!({ "current": current }));
    }
    if op.get("remaining").is_some() {
        let task::Budget { fuel, memory, time } = task::remaining();
        return Some(json!({ "remaining": { "fuel": fuel, "memory": memory, "time": time } }));
    }
    None
}

/// The operations that end the tool.
fn ended(op: &Value) -> Option<Error> {
    let message = |name: &str| op.get(name).map(|_| failure(text(op, name)));
    if op.get("trap").is_some() {
        std::process::abort()
    }
    if op.get("return_stopped").is_some() {
        return Some(Error::Stopped);
    }
    message("fail")
        .map(Error::Failed)
        .or_else(|| message("transient").map(Error::Transient))
        .or_else(|| message("in_doubt_error").map(Error::InDoubt))
        .or_else(|| message("invalid").map(Error::InvalidArguments))
}

fn effect(op: &Value) -> Effect {
    if text(op, "effect") == "once" {
        Effect::Once
    } else {
        Effect::Repeatable
    }
}

/// What a step returns: `output`, or `output_bytes` bytes.
fn body(op: &Value) -> Vec<u8> {
    match number(op, "output_bytes")
        .ok()
        .and_then(|bytes| usize::try_from(bytes).ok())
    {
        Some(bytes) => vec![b'x'; bytes],
        None => text(op, "output").as_bytes().to_vec(),
    }
}

fn in_doubt(step: &Step, earlier: Option<&[u8]>) -> Value {
    json!({ "key": step.key(), "earlier": earlier.map(String::from_utf8_lossy) })
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Accept(json) => {
            json!({ "accept": serde_json::from_str::<Value>(json).unwrap_or(Value::Null) })
        }
        Answer::Decline => json!("decline"),
        Answer::Cancel => json!("cancel"),
        Answer::Unavailable => json!("unavailable"),
    }
}
