//! The modern era: 2026-07-28, and the newer generation of tasks.
//!
//! A request stands by itself: it says its version and what its client can do. Every result says
//! what it is (`resultType`), the server alone decides what becomes a task, and a tool that asks is
//! answered by calling it again with the answers (multi round-trip requests).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::call::{Call, Params};
use super::carried::Carried;
use super::content::{note, put};
use super::era::{Envelope, TASKS, lacking, supported};
use super::error::{Kind, params};
use super::follow::Came;
use super::task::Generation;
use super::{Context, Error, Server, plain, question};
use crate::identity::Act;
use crate::task::{Policy, Record};

/// How long a list of tools may be kept by whoever asked for it.
const LIST_TTL_MS: u64 = 60_000;

/// What a tool says in its `_meta` that its client must be able to do, as client capabilities.
const REQUIRES: &str = "stepwell/requires";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskParams {
    pub(super) task_id: Carried,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateParams {
    task_id: Carried,
    #[serde(default)]
    input_responses: Map<String, Value>,
}

impl Server {
    pub(super) async fn modern(
        &self,
        context: &Context,
        envelope: &Envelope,
        method: &str,
        body: Value,
    ) -> Result<Value, Error> {
        check_known(method)?;
        check_name(context, method, &body)?;
        if matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel") {
            check_takes_tasks(envelope)?;
        }
        self.modern_answer(context, envelope, method, body).await
    }

    /// Answers a request whose envelope has been looked at.
    pub(super) async fn modern_answer(
        &self,
        context: &Context,
        envelope: &Envelope,
        method: &str,
        body: Value,
    ) -> Result<Value, Error> {
        let result = match method {
            "server/discover" => Ok(discover()),
            "tools/list" => self.list_tools(body, false).map(cached),
            "tools/call" => self.modern_call(context, envelope, body).await,
            "tasks/get" => self.modern_get(context, body).await,
            "tasks/update" => self.modern_update(context, body).await,
            "tasks/cancel" => self.modern_cancel(context, body).await,
            "subscriptions/listen" => self.listen(context, envelope, body).await,
            method if plain::is_method(method) => {
                self.plain_method(context, Some(envelope), (method, body))
                    .await
            }
            _ => Err(Error::no_method(method)),
        };
        result.map(whole)
    }

    pub(super) async fn modern_call(
        &self,
        context: &Context,
        envelope: &Envelope,
        body: Value,
    ) -> Result<Value, Error> {
        let params: Params = params(body)?;
        if self.is_word(&params.name) {
            return self.plain_call(context, Some(envelope), params).await;
        }
        let state = params.request_state.clone();
        let mut call = Call::new(self, params)?;
        call.progress.clone_from(&envelope.progress);
        if let Some(headers) = &context.headers {
            let schema = &call.offer.tool.definition.input_schema;
            headers.check_params(schema, &call.arguments)?;
        }
        check_requires(envelope, &call)?;
        match call.offer.policy {
            Policy::Never => return self.run_unkept(context, call).await,
            Policy::Required => check_takes_tasks(envelope)?,
            Policy::Auto | Policy::Always => {}
        }
        let record = match state {
            Some(state) => self.called_before(context, &call, &state).await?,
            None => match self.submit(context, &call).await? {
                Ok(record) => record,
                Err(invalid) => return Ok(invalid),
            },
        };
        let is_task = matches!(call.offer.policy, Policy::Always | Policy::Required);
        if envelope.takes_tasks() && is_task {
            return self.created(&record).await;
        }
        self.modern_wait(context, envelope, call, &record).await
    }

    /// Waits for a call's answer: its result, its questions, or the task that it has become.
    async fn modern_wait(
        &self,
        context: &Context,
        envelope: &Envelope,
        mut call: Call,
        record: &Record,
    ) -> Result<Value, Error> {
        let settings = &self.0.settings;
        let patience = match envelope.takes_tasks() {
            true => settings.inline_window,
            false => settings.patience,
        };
        let mut patience = std::pin::pin!(sleep(patience));
        let about = (call.progress.take(), Generation::Two);
        let mut follow = self.follow(context, record, about).await?;
        loop {
            let asks = match follow.next(patience.as_mut()).await? {
                Came::Ended(record) => return self.outcome(&record).await?.into_answer(),
                Came::Late(record) if envelope.takes_tasks() => return self.created(&record).await,
                Came::Late(record) => return Ok(self.late(&record)),
                Came::Gone(leave) => return self.leave(context, record, leave).await,
                Came::Asks(record) => record,
            };
            let answered = match self.give(context, &asks, &mut call.answers).await? {
                None if !envelope.takes_forms() => self.nobody(context, &asks).await?,
                answered => answered,
            };
            match answered {
                Some(answered) => follow.skip_to(&answered),
                None => return Ok(self.input_required(&asks)),
            }
        }
    }

    /// What a call is answered with whose tool asks: the client calls again with the answers.
    fn input_required(&self, record: &Record) -> Value {
        json!({
            "resultType": "input_required",
            "inputRequests": question::requests(record),
            "requestState": self.0.secret.seal(record),
        })
    }

    /// The task of a call that is made again with the state that it was given.
    async fn called_before(
        &self,
        context: &Context,
        call: &Call,
        state: &str,
    ) -> Result<Arc<Record>, Error> {
        let id = self.0.secret.open(state, &context.caller.principal)?;
        let record = self
            .find(&context.caller, Carried::Plain(id.to_string()), Act::Answer)
            .await?;
        let arguments = crate::id::Digest::of(call.arguments.to_string().as_bytes());
        let spec = &record.spec;
        if *spec.tool == *call.offer.tool.definition.name && spec.arguments == arguments {
            return Ok(record);
        }
        Err(Error::invalid_params(
            "params.requestState: it was given for a call of another tool or with other arguments",
        ))
    }

    /// The task that a call has become.
    async fn created(&self, record: &Record) -> Result<Value, Error> {
        let mut task = self.view_two(record).await?;
        put(&mut task, "resultType", json!("task"));
        Ok(task)
    }

    async fn modern_get(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let TaskParams { task_id } = params(body)?;
        let record = self.find(&context.caller, task_id, Act::See).await?;
        self.details(&record).await
    }

    async fn modern_update(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let UpdateParams {
            task_id,
            mut input_responses,
        } = params(body)?;
        let record = self.find(&context.caller, task_id, Act::Answer).await?;
        // A key that is not asked for, or has been answered, is ignored, whatever it says.
        let is_open = |key: &String| {
            let mut open = question::open(&record).iter();
            open.any(|question| *question.key == **key)
        };
        input_responses.retain(|key, _| is_open(key));
        let mut answers = question::answers(input_responses)?;
        self.give(context, &record, &mut answers).await?;
        Ok(json!({}))
    }

    async fn modern_cancel(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let TaskParams { task_id } = params(body)?;
        let record = self.find(&context.caller, task_id, Act::Cancel).await?;
        // One that has ended already is acknowledged in the same way.
        self.cancel(&context.caller, &record, None).await?;
        Ok(json!({}))
    }
}

/// What a model is told of this server.
pub(super) const INSTRUCTIONS: &str = "Tools run in a sandbox, as tasks that survive a crash. A call that takes long goes on as a task: \
     its answer has the task's id, by which it is found again.";

fn discover() -> Value {
    cached(json!({
        "supportedVersions": supported(),
        "capabilities": {"tools": {"listChanged": true}, "extensions": {TASKS: {}}},
        "instructions": INSTRUCTIONS,
    }))
}

fn check_known(method: &str) -> Result<(), Error> {
    let known = [
        "server/discover",
        "tools/list",
        "tools/call",
        "tasks/get",
        "tasks/update",
        "tasks/cancel",
        "subscriptions/listen",
    ];
    if known.contains(&method) || plain::is_method(method) {
        return Ok(());
    }
    Err(Error::no_method(method))
}

fn check_name(context: &Context, method: &str, body: &Value) -> Result<(), Error> {
    let Some(headers) = &context.headers else {
        return Ok(());
    };
    let named = match method {
        "tools/call" => "name",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return Ok(()),
    };
    match body.get(named).and_then(Value::as_str) {
        Some(name) => headers.check_name(name),
        // The parameters are told to be wrong, or carry the id in an object.
        None => Ok(()),
    }
}

fn check_takes_tasks(envelope: &Envelope) -> Result<(), Error> {
    if envelope.takes_tasks() {
        Ok(())
    } else {
        Err(needs_tasks())
    }
}

/// What is only for clients that take tasks.
pub(super) fn needs_tasks() -> Error {
    let required = json!({"extensions": {TASKS: {}}});
    missing(
        &required,
        "the request does not declare the tasks extension",
    )
}

fn check_requires(envelope: &Envelope, call: &Call) -> Result<(), Error> {
    let meta = call.offer.tool.definition.meta.as_ref();
    let required = meta.and_then(|meta| meta.get(REQUIRES));
    match required.and_then(|required| lacking(required, &envelope.capabilities)) {
        Some(lacking) => Err(missing(&lacking, "the tool needs more of its client")),
        None => Ok(()),
    }
}

fn missing(required: &Value, why: &str) -> Error {
    let error = Error::new(Kind::MissingCapability, why);
    error.with(json!({"requiredCapabilities": required}))
}

/// How long an answer may be kept, and by whom: the list is the same for all of a tenant, but not
/// for everybody.
fn cached(mut result: Value) -> Value {
    put(&mut result, "ttlMs", json!(LIST_TTL_MS));
    put(&mut result, "cacheScope", json!("private"));
    result
}

/// A result with what every modern result says.
fn whole(mut result: Value) -> Value {
    if result.get("resultType").is_none() {
        put(&mut result, "resultType", json!("complete"));
    }
    note(
        &mut result,
        "io.modelcontextprotocol/serverInfo",
        super::legacy::server_info(),
    );
    result
}
