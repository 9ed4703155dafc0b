//! What is traced of a task: that it was created, each change of its state, its attempts and steps,
//! and its end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::{House, ending, me, step, within};
use serde_json::json;
use stepwell::id::TaskKey;
use stepwell::runtime::Cancellation;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// A span as it was seen.
#[derive(Clone, Debug, Default)]
struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    is_closed: bool,
}

impl Span {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// Every span that was opened, by its id.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<u64, Span>>>);

impl Seen {
    /// The spans of this name that belong to `task`, oldest first.
    fn of(&self, name: &str, task: &TaskKey) -> Vec<Span> {
        let spans = self.0.lock().unwrap();
        let task = task.to_string();
        let mut of: Vec<_> = spans
            .values()
            .filter(|span| span.name == name)
            .cloned()
            .collect();
        of.retain(|span| span.get("task") == task);
        of
    }

    /// The spans within those of this name and task.
    fn within(&self, name: &str, task: &TaskKey) -> Vec<Span> {
        let spans = self.0.lock().unwrap();
        let is_in = |id: &u64| {
            let parent = spans.get(id);
            parent.is_some_and(|span| span.name == name && span.get("task") == task.to_string())
        };
        let of = spans
            .values()
            .filter(|span| span.parent.as_ref().is_some_and(is_in));
        of.cloned().collect()
    }
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// Ids are given again, so a span is kept under a number of its own.
struct Number(u64);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(of) = context.span(id) else { return };
        let mut span = Span {
            name: attributes.metadata().name(),
            ..Span::default()
        };
        attributes.record(&mut span);
        span.parent = of
            .parent()
            .and_then(|parent| parent.extensions().get::<Number>().map(|number| number.0));
        let mut spans = self.0.lock().unwrap();
        let number = spans.len() as u64;
        spans.insert(number, span);
        of.extensions_mut().insert(Number(number));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.change(id, &context, |span| values.record(span));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.change(&id, &context, |span| span.is_closed = true);
    }
}

impl Seen {
    fn change<S: Subscriber + for<'s> LookupSpan<'s>>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        change: impl FnOnce(&mut Span),
    ) {
        let Some(of) = context.span(id) else { return };
        let Some(number) = of.extensions().get::<Number>().map(|number| number.0) else {
            return;
        };
        if let Some(span) = self.0.lock().unwrap().get_mut(&number) {
            change(span);
        }
    }
}

/// The path of a task's states.
fn path(seen: &Seen, task: &TaskKey) -> Vec<(String, String)> {
    let changes = seen.of("task.status_change", task);
    let path = changes
        .iter()
        .map(|span| (span.get("from").into(), span.get("to").into()));
    path.collect()
}

fn as_path(path: &[(&str, &str)]) -> Vec<(String, String)> {
    let path = path.iter().map(|(from, to)| ((*from).into(), (*to).into()));
    path.collect()
}

/// Returns once all of the task's attempts are over, and its spans with them.
async fn closed(seen: &Seen, task: &TaskKey) {
    within(async {
        while seen.of("task.complete", task).is_empty()
            || seen
                .of("task.attempt", task)
                .iter()
                .any(|span| !span.is_closed)
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_tasks_life_is_traced() {
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry().with(seen.clone());
    tracing::subscriber::set_global_default(subscriber).expect("nobody else has set one");
    let house = House::still().await;
    let hand = house.hand.as_ref().unwrap();

    let night = json!({"sleep": "night", "ms": 3_600_000});
    let task = house
        .script(json!({"ops": [step("a"), step("b"), night, step("c")]}))
        .await;
    house.until(&task, "waiting(timer)").await;
    hand.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(ending(house.end(&task).await), "completed");
    closed(&seen, &task).await;

    let created = seen.of("task.create", &task);
    assert_eq!(created.len(), 1);
    assert_eq!(created[0].get("tool"), "script");
    assert!(created[0].is_closed);
    let expect = [
        ("-", "queued"),
        ("queued", "running"),
        ("running", "waiting(timer)"),
        ("waiting(timer)", "queued"),
        ("queued", "running"),
        ("running", "completed"),
    ];
    assert_eq!(path(&seen, &task), as_path(&expect));
    let complete = seen.of("task.complete", &task);
    assert_eq!(complete.len(), 1);
    assert_eq!(
        (complete[0].get("status"), complete[0].get("duration")),
        ("completed", "3600s")
    );
    let attempts = seen.of("task.attempt", &task);
    let numbers: Vec<_> = attempts.iter().map(|span| span.get("attempt")).collect();
    assert_eq!(numbers, ["1", "2"]);
    // Each step once, below the attempt that performed it: a replay is none.
    let steps = seen.within("task.attempt", &task);
    let steps: Vec<_> = steps
        .iter()
        .filter(|span| span.name == "task.step")
        .collect();
    let names: Vec<_> = steps.iter().map(|span| span.get("step")).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert!(steps.iter().all(|span| span.is_closed));

    // A failure and a cancel end with their own word.
    let fails = house.script(json!({"ops": [{"fail": "no"}]})).await;
    house.end(&fails).await;
    let asks = house
        .script(json!({"ops": [{"ask": [{"name": "sure", "message": "?"}]}]}))
        .await;
    house.until(&asks, "waiting(input)").await;
    house
        .runtime
        .cancel(&asks, Cancellation::graceful(me()))
        .await
        .unwrap();
    for (task, status) in [(fails, "failed"), (asks, "cancelled")] {
        closed(&seen, &task).await;
        let complete = seen.of("task.complete", &task);
        let words: Vec<_> = complete.iter().map(|span| span.get("status")).collect();
        assert_eq!(words, [status]);
        let path = path(&seen, &task);
        assert_eq!(path.iter().filter(|(_, to)| to == status).count(), 1);
    }
}
