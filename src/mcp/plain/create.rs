//! `tasks/create`: a request made a task.
//!
//! A call of a tool becomes a task of its own. What is done at once (a list, or a call of a tool of
//! which nothing is kept) is done at once, and its answer is kept as a task that has completed.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Params};
use super::super::era::Envelope;
use super::super::{Context, Error, Server, error};
use super::status::word;
use super::{Said, is_word};
use crate::clock::millis;
use crate::id::TaskId;
use crate::limit::{Limits, TTL_MARGIN};
use crate::runtime::{self, Accepted, Answered};
use crate::task::{Policy, Record};

/// What can be made a task. Nothing among it starts a task, so no task starts another.
const METHODS: [&str; 9] = [
    "tools/call",
    "tools/list",
    "ping",
    "server/discover",
    "tasks/get",
    "tasks/list",
    "tasks/getStatus",
    "tasks/getResult",
    "sessions/restoreCheckpoint",
];

/// The parameters of `tasks/create`. Times are milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create {
    method: String,
    #[serde(default)]
    params: Map<String, Value>,
    /// A name for the task, of the caller's choice.
    #[serde(default)]
    task_id: Option<String>,
    /// An idempotency key: the same one again finds the same task again.
    #[serde(default)]
    key: Option<String>,
    /// How long its record is kept.
    #[serde(default)]
    ttl: Option<u64>,
    /// After how long it is asked to stop.
    #[serde(default)]
    deadline: Option<u64>,
    /// How often the client would like to look.
    #[serde(default)]
    poll_interval: Option<u64>,
}

impl Server {
    pub(super) async fn plain_create(
        &self,
        context: &Context,
        envelope: Option<&Envelope>,
        mut create: Create,
    ) -> Result<Said, Error> {
        self.0.access.check_may_call(&context.caller)?;
        if !METHODS.contains(&create.method.as_str()) {
            let known = METHODS.join(", ");
            let message = format!("params.method: what can be made a task is {known}");
            return Err(Error::invalid_params(message));
        }
        if let Some(name) = &create.task_id
            && (name.is_empty() || name.parse::<TaskId>().is_ok())
        {
            let message = "params.taskId: a name of your choice, not empty, and not of the form of \
                           the ids that tasks have by themselves";
            return Err(Error::invalid_params(message));
        }
        let (wish, name) = (create.poll_interval, create.task_id.clone());
        let body = Value::Object(std::mem::take(&mut create.params));
        let accepted = if create.method == "tools/call" {
            self.create_call(context, create, body).await?
        } else {
            let answer = match envelope {
                Some(envelope) => {
                    Box::pin(self.modern_answer(context, envelope, &create.method, body.clone()))
                        .await
                }
                None => Box::pin(self.legacy(context, &create.method, body.clone())).await,
            };
            let answer = answer.map_err(|error| error.within("params"))?;
            self.create_answered(context, create, (body, answer))
                .await?
        };
        let named = accepted.record.spec.name.as_deref();
        if name.is_some() && named != name.as_deref() {
            let id = accepted.record.id;
            let message =
                format!("params.taskId: the key belongs to the task {id}, of another name");
            return Err(Error::invalid_params(message));
        }
        Ok(self.created_plainly(&accepted, wish))
    }

    async fn create_call(
        &self,
        context: &Context,
        create: Create,
        body: Value,
    ) -> Result<Accepted, Error> {
        let params: Params = error::params(body.clone()).map_err(|error| error.within("params"))?;
        if is_word(&params.name) {
            let message = "params.params.name: no task can be made of a word of the protocol";
            return Err(Error::invalid_params(message));
        }
        let call = Call::new(self, params).map_err(|error| error.within("params"))?;
        if call.offer.policy == Policy::Never {
            return self.create_unkept(context, create, (call, body)).await;
        }
        let owner = context.caller.principal.clone();
        let mut request = call.offer.request(owner, call.arguments);
        request.key = create.key.or(call.key);
        request.name = create.task_id;
        if let Some(deadline) = create.deadline {
            request.limits.deadline = deadline.min(request.limits.deadline);
        }
        if let Some(ttl) = create.ttl {
            request.limits.ttl = self.ttl(&request.limits, ttl);
        }
        Ok(self.0.access.runtime().submit(request).await?)
    }

    /// Calls a tool of which nothing is kept, and keeps what it returned. What fails at once is told
    /// at once, and no task is made of it.
    async fn create_unkept(
        &self,
        context: &Context,
        create: Create,
        (call, body): (Call, Value),
    ) -> Result<Accepted, Error> {
        let tool = call.offer.name.clone();
        if create.key.is_some() || call.key.is_some() {
            return Err(runtime::Error::KeyNotKept(tool.to_string()).into());
        }
        // Before it runs: a name that is taken would be noticed too late after it.
        if let Some(name) = &create.task_id {
            let runtime = self.0.access.runtime();
            if let Some(task) = runtime.named(&context.caller.principal, name).await? {
                return Err(runtime::Error::NameTaken(task).into());
            }
        }
        let result = self.run_unkept(context, call).await?;
        if result.get("isError") == Some(&Value::Bool(true)) {
            let words = result.pointer("/content/0/text").and_then(Value::as_str);
            let words = words.unwrap_or("the tool has failed");
            return Err(Error::internal("tool-error", format!("`{tool}`: {words}")));
        }
        self.create_answered(context, create, (body, result)).await
    }

    /// Keeps what was done at once.
    async fn create_answered(
        &self,
        context: &Context,
        create: Create,
        (arguments, output): (Value, Value),
    ) -> Result<Accepted, Error> {
        let least = millis(TTL_MARGIN) + 1;
        let most = millis(self.0.settings.ttl_max).max(least);
        let ttl = create.ttl.unwrap_or(Limits::default().ttl);
        let answered = Answered {
            owner: context.caller.principal.clone(),
            method: create.method,
            arguments,
            output,
            ttl: Duration::from_millis(ttl.clamp(least, most)),
            key: create.key,
            name: create.task_id,
        };
        Ok(self.0.access.runtime().answered(answered).await?)
    }

    fn created_plainly(&self, accepted: &Accepted, wish: Option<u64>) -> Said {
        let record: &Arc<Record> = &accepted.record;
        let settings = &self.0.settings;
        let bounds = [settings.poll_interval_min, settings.poll_interval_max];
        let [min, max] = bounds.map(millis);
        let interval = wish.map_or_else(|| self.poll_interval(record), |wish| wish.clamp(min, max));
        let object = json!({
            "taskId": record.id,
            "status": word(record),
            "progress": 0,
            "createdAt": record.spec.created.to_string(),
            "pollInterval": interval,
        });
        Said::object(object, record.id.to_string())
    }
}
