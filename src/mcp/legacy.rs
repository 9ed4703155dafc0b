//! The legacy era: 2025-11-25 and older, and the older generation of tasks.
//!
//! A client shakes hands first, but nothing is kept of that here: what it said of itself comes back
//! with each request, in the session id over HTTP. The client decides what becomes a task, a tool
//! that asks is answered by a request of ours on the stream of the call, and `tasks/result` waits
//! for the end. Rules: specification 2025-11-25, basic/lifecycle and basic/utilities/tasks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::call::{Call, Params, left};
use super::content::{note, put};
use super::era::{LEGACY, takes_forms};
use super::error::params;
use super::follow::{Came, Follow, Leave};
use super::modern::{INSTRUCTIONS, TaskParams};
use super::task::{FOREVER, Generation, is_over, status};
use super::{Context, Error, Server, plain, question};
use crate::id::TaskKey;
use crate::identity::{Act, may};
use crate::runtime::{self, Answer};
use crate::store::Cursor;
use crate::task::{Policy, Question, Record};

const RELATED: &str = "io.modelcontextprotocol/related-task";

/// The tasks on one page of a list.
const PAGE: usize = 50;

/// How often a client is asked again whose answer does not fit.
const ASKED_MAX: u32 = 3;

/// What a legacy client has said of itself when it shook hands. It says so itself, so it is taken at
/// its word, and needs no seal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    takes_forms: bool,
}

impl Session {
    /// The session that a client begins with the parameters of its `initialize`.
    pub fn begin(params: &Value) -> Self {
        let takes_forms = params.get("capabilities").is_some_and(takes_forms);
        Self { takes_forms }
    }

    /// The session of a client that reads nothing but the answer, and so can't be asked.
    pub fn without_stream() -> Self {
        Self { takes_forms: false }
    }

    /// The session of an `Mcp-Session-Id`; one that was not given here is none.
    pub fn from_header(id: &str) -> Option<Self> {
        let (said, _) = id.split_once('.')?;
        let said: Value = serde_json::from_slice(&BASE64.decode(said).ok()?).ok()?;
        let takes_forms = said.get("elicitation")?.as_bool()?;
        Some(Self { takes_forms })
    }

    /// The `Mcp-Session-Id` of the session.
    pub fn to_header(&self) -> String {
        let said = json!({"elicitation": self.takes_forms}).to_string();
        format!("{}.{}", BASE64.encode(said), Uuid::new_v4())
    }
}

/// By which token a client wants to be told of a task's progress, for as long as it is at work.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<TaskKey, Value>>);

/// The tasks whose tokens are known at once.
const TOKENS_MAX: usize = 10_000;

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskKey, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, task: TaskKey, token: Value) {
        let mut tokens = self.lock();
        if tokens.len() < TOKENS_MAX {
            tokens.insert(task, token);
        }
    }

    fn get(&self, task: &TaskKey) -> Option<Value> {
        self.lock().get(task).cloned()
    }

    fn forget(&self, task: &TaskKey) {
        self.lock().remove(task);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeParams {
    protocol_version: String,
}

#[derive(Deserialize)]
struct ListParams {
    #[serde(default)]
    cursor: Option<String>,
}

impl Server {
    pub(super) async fn legacy(
        &self,
        context: &Context,
        method: &str,
        body: Value,
    ) -> Result<Value, Error> {
        match method {
            "initialize" => initialize(context, body),
            "ping" => Ok(json!({})),
            "tools/list" => self.list_tools(body, true),
            "tools/call" => self.legacy_call(context, body).await,
            "tasks/get" => {
                let TaskParams { task_id } = params(body)?;
                let record = self.find(&context.caller, task_id, Act::See).await?;
                self.view_one(&record).await
            }
            "tasks/result" => self.legacy_result(context, body).await,
            "tasks/cancel" => self.legacy_cancel(context, body).await,
            "tasks/list" => self.legacy_list(context, body).await,
            method if plain::is_method(method) => {
                self.plain_method(context, None, (method, body)).await
            }
            _ => Err(Error::no_method(method)),
        }
    }

    pub(super) async fn legacy_call(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let params: Params = params(body)?;
        if self.is_word(&params.name) {
            return self.plain_call(context, None, params).await;
        }
        let wants_task = params.task.is_some();
        let call = Call::new(self, params)?;
        let name = &call.offer.name;
        match (call.offer.policy, wants_task) {
            (Policy::Never, false) => return self.run_unkept(context, call).await,
            (Policy::Never, true) => {
                let error = Error::no_method("tools/call");
                let message = format!("the tool `{name}` can't be called as a task");
                return Err(Error { message, ..error });
            }
            (Policy::Required, false) => {
                let error = Error::no_method("tools/call");
                let message = format!("the tool `{name}` can only be called as a task");
                return Err(Error { message, ..error });
            }
            (Policy::Auto | Policy::Always, _) | (Policy::Required, true) => {}
        }
        let record = match self.submit(context, &call).await? {
            Ok(record) => record,
            Err(invalid) => return Ok(invalid),
        };
        if wants_task {
            return self.legacy_created(context, call, &record).await;
        }
        let patience = self.0.settings.patience;
        let mut patience = std::pin::pin!(sleep(patience));
        let about = (call.progress, Generation::One);
        let mut follow = self.follow(context, &record, about).await?;
        loop {
            let leave = match follow.next(patience.as_mut()).await? {
                Came::Ended(record) => return self.outcome(&record).await?.into_answer(),
                Came::Late(record) => return Ok(self.late(&record)),
                Came::Gone(leave) => Some(leave),
                Came::Asks(record) => self.elicit(context, &mut follow, &record).await?,
            };
            match leave {
                None => {}
                // In this era a connection that is gone says nothing about the call.
                Some(Leave::Disconnected) => return Err(left()),
                Some(leave) => return self.leave(context, &record, leave).await,
            }
        }
    }

    async fn legacy_created(
        &self,
        context: &Context,
        call: Call,
        record: &Arc<Record>,
    ) -> Result<Value, Error> {
        if let Some(token) = &call.progress {
            self.0.tokens.put(record.key(), token.clone());
        }
        if context.is_connection {
            self.report(context, record.clone(), call.progress);
        }
        Ok(json!({"task": self.view_one(record).await?}))
    }

    /// Tells of a task on a connection that outlives the request: its progress, and its end.
    fn report(&self, context: &Context, record: Arc<Record>, token: Option<Value>) {
        let server = self.clone();
        let context = Context {
            caller: context.caller.clone(),
            id: context.id.clone(),
            headers: None,
            session: context.session.clone(),
            is_connection: true,
            stream: context.stream.clone(),
            gone: context.gone.clone(),
            // The request itself is answered.
            cancelled: tokio_util::sync::CancellationToken::new(),
        };
        tokio::spawn(async move {
            let about = (token, Generation::One);
            let Ok(mut follow) = server.follow(&context, &record, about).await else {
                return;
            };
            let mut patience = std::pin::pin!(sleep(FOREVER));
            while let Ok(Came::Ended(record) | Came::Asks(record)) =
                follow.next(patience.as_mut()).await
            {
                server.tell_status(&context, &record).await;
                if is_over(&record, Generation::One) {
                    return;
                }
                follow.answered(&record).await;
            }
        });
    }

    async fn tell_status(&self, context: &Context, record: &Record) {
        if let Ok(task) = self.view_one(record).await {
            context.stream.hint("notifications/tasks/status", task);
        }
    }

    /// Waits for the task's end, and asks on the way what its tool asks.
    async fn legacy_result(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let TaskParams { task_id } = params(body)?;
        let record = self.find(&context.caller, task_id, Act::See).await?;
        let key = record.key();
        let may_answer = may(&context.caller, Act::Answer, &record.spec.owner);
        let about = (self.0.tokens.get(&key), Generation::One);
        let mut follow = self.follow(context, &record, about).await?;
        let mut patience = std::pin::pin!(sleep(FOREVER));
        let record = loop {
            let leave = match follow.next(patience.as_mut()).await? {
                Came::Ended(record) => break record,
                Came::Late(_) => None,
                Came::Gone(leave) => Some(leave),
                Came::Asks(record) => {
                    self.tell_status(context, &record).await;
                    if may_answer {
                        self.elicit(context, &mut follow, &record).await?
                    } else {
                        follow.answered(&record).await;
                        None
                    }
                }
            };
            // Whoever does not wait any more has not cancelled the task.
            if leave.is_some() {
                return Err(left());
            }
        };
        self.0.tokens.forget(&key);
        let mut result = self.outcome(&record).await?.into_answer()?;
        note(&mut result, RELATED, json!({"taskId": record.id}));
        Ok(result)
    }

    async fn legacy_cancel(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let TaskParams { task_id } = params(body)?;
        let record = self.find(&context.caller, task_id, Act::Cancel).await?;
        let over = || Error::invalid_params(format!("the task `{}` is over already", record.id));
        if is_over(&record, Generation::One) {
            return Err(over());
        }
        let record = self.cancel(&context.caller, &record, None).await?;
        // It may have ended in between, and not by this.
        match status(&record, Generation::One) {
            "cancelled" => self.view_one(&record).await,
            _ => Err(over()),
        }
    }

    async fn legacy_list(&self, context: &Context, body: Value) -> Result<Value, Error> {
        let ListParams { cursor } = params(body)?;
        let cursor = cursor.map(|cursor| cursor.parse::<Cursor>()).transpose();
        let cursor = cursor
            .map_err(|_| Error::invalid_params("params.cursor: it was not given by this server"))?;
        let caller = &context.caller;
        let tenant = &caller.principal.tenant;
        let filter = self.0.access.filter(caller);
        let page = self.0.access.runtime();
        let page = page.list(tenant, filter, cursor, PAGE).await?;
        let mut tasks = Vec::with_capacity(page.records.len());
        for record in &page.records {
            tasks.push(self.view_one(record).await?);
        }
        let mut list = json!({"tasks": tasks});
        if let Some(next) = page.next {
            put(&mut list, "nextCursor", json!(next.to_string()));
        }
        Ok(list)
    }

    /// Asks the client what the task waits for. Returns how the client left, if it did.
    async fn elicit(
        &self,
        context: &Context,
        follow: &mut Follow<'_>,
        record: &Record,
    ) -> Result<Option<Leave>, Error> {
        let can_be_asked = context
            .session
            .as_ref()
            .is_none_or(|session| session.takes_forms);
        if !can_be_asked {
            if let Some(answered) = self.nobody(context, record).await? {
                follow.skip_to(&answered);
            }
            return Ok(None);
        }
        let questions = question::open(record).iter();
        let asking = try_join_all(questions.map(|it| self.elicit_one(context, record, it)));
        tokio::select! {
            answered = asking => {
                for record in answered?.into_iter().flatten() {
                    follow.skip_to(&record);
                }
            }
            // Somebody else has answered, or the task has ended.
            () = follow.answered(record) => {}
            () = context.gone.cancelled() => return Ok(Some(Leave::Disconnected)),
            () = context.cancelled.cancelled() => return Ok(Some(Leave::Cancelled)),
        }
        Ok(None)
    }

    async fn elicit_one(
        &self,
        context: &Context,
        record: &Record,
        question: &Question,
    ) -> Result<Option<Arc<Record>>, Error> {
        let by = &context.caller.principal;
        let mut wrong: Option<String> = None;
        for _ in 0..ASKED_MAX {
            let mut params = question::params(question);
            if let Some(wrong) = &wrong {
                put(
                    &mut params,
                    "message",
                    json!(format!("{} ({wrong})", question.message)),
                );
            }
            put(
                &mut params,
                "_meta",
                json!({RELATED: {"taskId": record.id}}),
            );
            let asked = (question::METHOD, params);
            let Ok(mut asked) = self.0.asked.ask(by, &context.stream, asked).await else {
                // Nobody reads: the question stays open for whoever comes next.
                return std::future::pending().await;
            };
            let answer = match asked.answer().await {
                Ok(response) => question::answer(response),
                Err(_) => Ok(Answer::Unavailable),
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    wrong = Some(error.message);
                    continue;
                }
            };
            match self.answer(context, record, (question, &answer)).await {
                Ok(answered) => return Ok(answered),
                Err(runtime::Error::InvalidAnswer(violations)) => {
                    wrong = Some(runtime::Error::InvalidAnswer(violations).to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        let answer = (question, &Answer::Unavailable);
        Ok(self.answer(context, record, answer).await?)
    }
}

fn initialize(context: &Context, body: Value) -> Result<Value, Error> {
    let InitializeParams { protocol_version } = params(body)?;
    let known = LEGACY.into_iter().find(|known| *known == protocol_version);
    let [newest, ..] = LEGACY;
    let version = known.unwrap_or(newest);
    let mut capabilities = json!({"tools": {"listChanged": context.is_connection}});
    if version == newest {
        let tasks = json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}});
        put(&mut capabilities, "tasks", tasks);
    }
    Ok(json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    }))
}

/// Who answers.
pub(super) fn server_info() -> Value {
    json!({"name": "stepwell", "version": env!("CARGO_PKG_VERSION")})
}
