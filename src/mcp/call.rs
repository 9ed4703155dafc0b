//! A call of a tool, however its answer is wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::content::{self, put};
use super::follow::{Follow, Leave, Teller, reported};
use super::outcome::Outcome;
use super::task::Generation;
use super::{Context, Error, Server};
use crate::catalogue::Offer;
use crate::runtime::{self, Answer};
use crate::task::{Illegal, Question, Record};

/// The name in a request's `_meta` under which it carries its idempotency key.
const KEY: &str = "stepwell/idempotencyKey";

/// The parameters of `tools/call`, in both eras.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params {
    pub(super) name: String,
    #[serde(default)]
    pub(super) arguments: Option<Map<String, Value>>,
    #[serde(rename = "_meta", default)]
    pub(super) meta: Option<Map<String, Value>>,
    /// Of the older generation.
    #[serde(default)]
    pub(super) task: Option<Wanted>,
    #[serde(default, deserialize_with = "present")]
    pub(super) input_responses: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) request_state: Option<String>,
}

/// What a client of the older generation wants of a task.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    pub(super) ttl: Option<u64>,
}

/// What is there must not be null.
fn present<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(field).map(Some)
}

/// A call, checked as far as the protocol goes.
pub(super) struct Call {
    pub(super) offer: Arc<Offer>,
    pub(super) arguments: Value,
    pub(super) key: Option<String>,
    pub(super) ttl: Option<u64>,
    pub(super) progress: Option<Value>,
    /// Answers that came along, for questions of these keys.
    pub(super) answers: HashMap<String, Answer>,
}

impl Call {
    /// The call that these parameters ask for.
    pub(super) fn new(server: &Server, params: Params) -> Result<Self, Error> {
        let Some(offer) = server.0.offers.now().get(&params.name).cloned() else {
            let name = crate::text::clean_line(&params.name, 128);
            return Err(Error::invalid_params(format!(
                "params.name: there is no tool `{name}`"
            )));
        };
        let meta = params.meta.unwrap_or_default();
        let key = match meta.get(KEY) {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => {
                return Err(Error::invalid_params(format!(
                    "params._meta.{KEY}: not a text"
                )));
            }
        };
        let answers = params.input_responses.map(super::question::answers);
        Ok(Self {
            offer,
            arguments: Value::Object(params.arguments.unwrap_or_default()),
            key,
            ttl: params.task.and_then(|wanted| wanted.ttl),
            progress: meta.get("progressToken").cloned(),
            answers: answers.transpose()?.unwrap_or_default(),
        })
    }
}

impl Server {
    /// Accepts a call as a task. Arguments that do not fit the tool's schema are no error but a
    /// result, so that a model can mend them (specification 2025-11-25, Tools, Error Handling).
    pub(super) async fn submit(
        &self,
        context: &Context,
        call: &Call,
    ) -> Result<Result<Arc<Record>, Value>, Error> {
        self.0.access.check_may_call(&context.caller)?;
        let owner = context.caller.principal.clone();
        let mut request = call.offer.request(owner, call.arguments.clone());
        request.key.clone_from(&call.key);
        if let Some(ttl) = call.ttl {
            request.limits.ttl = self.ttl(&request.limits, ttl);
        }
        match self.0.access.runtime().submit(request).await {
            Ok(accepted) => Ok(Ok(accepted.record)),
            Err(runtime::Error::InvalidArguments(violations)) => {
                Ok(Err(invalid_arguments(violations)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a call of which nothing is kept.
    pub(super) async fn run_unkept(&self, context: &Context, call: Call) -> Result<Value, Error> {
        self.0.access.check_may_call(&context.caller)?;
        let owner = context.caller.principal.clone();
        let mut request = call.offer.request(owner, call.arguments);
        request.key = call.key;
        let stream = context.stream.clone();
        let teller = Mutex::new(Teller::new(call.progress));
        let listen = move |entry| {
            if let Some(progress) = reported(entry) {
                let mut teller = teller.lock().unwrap_or_else(PoisonError::into_inner);
                teller.tell(&stream, &progress);
            }
        };
        let called = tokio::select! {
            called = self.0.access.runtime().call(request, listen) => called,
            // Dropping the call drops the guest.
            () = context.gone.cancelled() => return Err(left()),
            () = context.cancelled.cancelled() => return Err(left()),
        };
        let called = match called {
            Err(runtime::Error::InvalidArguments(violations)) => {
                return Ok(invalid_arguments(violations));
            }
            called => called?,
        };
        match called.result {
            Ok(output) => Ok(content::result(output)),
            Err(failure) => Outcome::failed(&failure, None).into_answer(),
        }
    }

    /// What is to be done for a call whose client has gone: a call that can be found again by its
    /// key runs on.
    pub(super) async fn leave(
        &self,
        context: &Context,
        record: &Record,
        leave: Leave,
    ) -> Result<Value, Error> {
        if leave == Leave::Cancelled || record.spec.key.is_none() {
            let why = match leave {
                Leave::Disconnected => "the client closed the call",
                Leave::Cancelled => "the client cancelled the call",
            };
            self.cancel(&context.caller, record, Some(why)).await?;
        }
        Err(left())
    }

    /// Gives the answers that came along to the questions of the task that they are for. Whether
    /// any was.
    pub(super) async fn give(
        &self,
        context: &Context,
        record: &Record,
        answers: &mut HashMap<String, Answer>,
    ) -> Result<Option<Arc<Record>>, Error> {
        let mut newest = None;
        for question in super::question::open(record) {
            let Some(answer) = answers.remove(&*question.key) else {
                continue;
            };
            let answered = self.answer(context, record, (question, &answer)).await?;
            newest = answered.or(newest);
        }
        Ok(newest)
    }

    /// Answers a question, unless somebody else was first, or the task is not there to be answered
    /// any more.
    pub(super) async fn answer(
        &self,
        context: &Context,
        record: &Record,
        (question, answer): (&Question, &Answer),
    ) -> Result<Option<Arc<Record>>, runtime::Error> {
        let by = &context.caller.principal;
        let runtime = self.0.access.runtime();
        match runtime
            .answer(&record.key(), by, &question.key, answer)
            .await
        {
            Ok(record) => Ok(Some(record)),
            Err(runtime::Error::Illegal(Illegal::NoQuestion(_) | Illegal::Ended(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers every open question of the task with `unavailable`.
    pub(super) async fn nobody(
        &self,
        context: &Context,
        record: &Record,
    ) -> Result<Option<Arc<Record>>, Error> {
        let questions = super::question::open(record).iter();
        let mut answers = questions
            .map(|question| (question.key.to_string(), Answer::Unavailable))
            .collect();
        self.give(context, record, &mut answers).await
    }

    /// The answer to a call that takes longer than its client would wait: where to find it.
    pub(super) fn late(&self, record: &Record) -> Value {
        let id = record.id;
        let how = if self.0.settings.task_tools {
            format!("call the tool `task_result` with {{\"task\": \"{id}\"}}")
        } else {
            format!("call the tool `tasks/getResult` with {{\"taskId\": \"{id}\"}}")
        };
        let words = format!(
            "This takes longer than a call may last, and goes on as the task {id}. To get its \
             result, {how}; it answers at once, and says so where the task is still at work."
        );
        let mut result = content::words(&words, false);
        put(
            &mut result,
            "_meta",
            json!({"stepwell/task": id, "stepwell/pending": true}),
        );
        result
    }

    /// Follows a task whose answer somebody waits for.
    pub(super) async fn follow<'a>(
        &self,
        context: &'a Context,
        record: &Record,
        about: (Option<Value>, Generation),
    ) -> Result<Follow<'a>, Error> {
        Follow::new(self.0.access.runtime(), context, &record.key(), about).await
    }

    /// What a task that is over has come to.
    pub(super) async fn outcome(&self, record: &Record) -> Result<Outcome, Error> {
        Outcome::of(self.0.access.runtime(), record).await
    }
}

fn invalid_arguments(violations: Vec<crate::tool::Violation>) -> Value {
    let words = runtime::Error::InvalidArguments(violations).to_string();
    content::words(&words, true)
}

/// The answer to a call that nobody reads any more.
pub(super) fn left() -> Error {
    Error::internal("cancelled", "the client does not wait for it any more")
}
