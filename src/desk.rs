//! What can be asked of tasks from outside, and its answers: the same for `/api/v1` and for the
//! command line, whether it has the data directory itself or speaks to who has it.
//!
//! Here is what is asked for ([`Ask`]), and whoever carries it out ([`Desk`]) for a caller, by the
//! rules of [`Access`]. What an answer looks like is said in [`crate::view`].

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::audit::Page;
use crate::id::TaskId;
use crate::identity::{Act, Caller, Role};
use crate::runtime::{self, Cancellation, Runtime};
use crate::store::Filter;
use crate::task::{Record, Status};
use crate::view;

mod ask;
mod error;

pub use ask::{Answer, Ask, Cancel, Fork, List, Restore, Save};
pub use error::Error;

/// The most tasks, events or entries that one page holds.
pub const PAGE_MAX: usize = 500;

/// What a page holds where nobody says how much.
pub const PAGE: usize = 100;

/// How many pages of the store are looked through for one of a list.
const LOOKS_MAX: usize = 16;

/// Carries out what a caller asks for. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    access: Access,
    caller: Caller,
    is_host: bool,
}

impl Desk {
    /// For somebody who came by a key, or to the loopback where there are no keys.
    pub fn new(access: Access, caller: Caller) -> Self {
        Self {
            access,
            caller,
            is_host: false,
        }
    }

    /// For whoever can open the data directory or its socket.
    pub fn of_host(runtime: Runtime) -> Self {
        Self {
            access: Access::new(runtime),
            caller: Caller::local(),
            is_host: true,
        }
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What is behind the desk.
    pub fn runtime(&self) -> &Runtime {
        self.access.runtime()
    }

    /// A task that the caller may see.
    pub async fn look(&self, task: TaskId) -> Result<Arc<Record>, Error> {
        Ok(self.access.task(&self.caller, task, Act::See).await?)
    }

    /// Carries it out.
    pub async fn ask(&self, ask: Ask) -> Result<Value, Error> {
        let (runtime, by) = (self.runtime(), &self.caller.principal);
        if let Ask::List(list) = ask {
            return self.list(list).await;
        }
        let record = self
            .access
            .task(&self.caller, ask.task(), ask.act())
            .await?;
        let key = record.key();
        Ok(match ask {
            Ask::List(_) => Value::Null,
            Ask::Task(_) => {
                let mut task = view::Task::new(&record, runtime.output(&key).await?);
                let arguments = runtime.arguments(&key).await?;
                task.arguments = Some(serde_json::from_str(&arguments).unwrap_or_default());
                json!(task)
            }
            Ask::Events(_, after, limit) => {
                let limit = limit.min(PAGE_MAX);
                let events = runtime.events(&key, after, limit).await?;
                let last = events.last().map_or(after, |event| event.number);
                let next = (events.len() >= limit).then_some(last);
                let events: Vec<_> = events.iter().map(view::Event::from).collect();
                json!({"events": events, "next": next})
            }
            Ask::Result(_) => self.result(&record).await?,
            Ask::Cancel(_, cancel) => {
                let cancellation = Cancellation {
                    why: cancel.why,
                    grace: cancel.grace.map(std::time::Duration::from_millis),
                    mode: cancel.mode.unwrap_or(crate::task::Mode::Graceful),
                    by: by.clone(),
                };
                task(&*runtime.cancel(&key, cancellation).await?)
            }
            Ask::Pause(_) => task(&*runtime.pause(&key, by).await?),
            Ask::Resume(_) => task(&*runtime.resume(&key, by).await?),
            Ask::Answer(_, answer) => {
                let (question, answer) = answer.read()?;
                task(&*runtime.answer(&key, by, &question, &answer).await?)
            }
            Ask::Checkpoints(_) => {
                let marks = record.marks.iter().map(view::Checkpoint::from);
                json!({"checkpoints": marks.collect::<Vec<_>>()})
            }
            Ask::Save(_, save) => {
                let id = runtime.checkpoint(&key, by, &save.state).await?;
                json!({"task": key.id, "checkpoint": id.to_string()})
            }
            Ask::Export(_, checkpoint) => json!(runtime.export(&key, checkpoint).await?),
            Ask::Restore(_, restore) => {
                let restored = runtime.restore(&key, by, restore.read()?).await?;
                let why = restored.not_resumed.map(|why| why.to_string());
                let task = task(&restored.record);
                json!({"task": task, "state": restored.state, "not_resumed": why})
            }
            Ask::Fork(_, fork) => {
                let (at, limits) = fork.read(&record.spec.limits)?;
                task(&*runtime.fork(&key, by, at, Some(limits)).await?)
            }
        })
    }

    async fn list(&self, list: List) -> Result<Value, Error> {
        let filter = Filter {
            statuses: (!list.status.is_empty()).then_some(list.status),
            ..self.access.filter(&self.caller)
        };
        let is_wanted = |record: &Arc<Record>| {
            let (spec, owner) = (&record.spec, list.owner.as_ref());
            list.tool.as_deref().is_none_or(|tool| *spec.tool == *tool)
                && owner.is_none_or(|owner| *owner == spec.owner.to_string())
        };
        let (limit, mut tasks, mut after) = (list.limit.min(PAGE_MAX), Vec::new(), list.cursor);
        for _ in 0..LOOKS_MAX {
            let wanted = limit - tasks.len();
            let page = self
                .runtime()
                .list(self.caller.tenant(), filter.clone(), after, wanted);
            let page = page.await?;
            let found = page.records.iter().filter(|it| is_wanted(it));
            tasks.extend(found.map(|record| view::Task::new(record, None)));
            after = page.next;
            if after.is_none() || tasks.len() >= limit {
                break;
            }
        }
        let next = after.map(|next| next.to_string());
        Ok(json!({"tasks": tasks, "next": next}))
    }

    /// What came of a task that has ended.
    async fn result(&self, record: &Record) -> Result<Value, Error> {
        let status = record.status();
        if !status.is_terminal() {
            return Err(Error::NotEnded(status));
        }
        let output = match status {
            Status::Completed => self.runtime().output(&record.key()).await?,
            _ => None,
        };
        let whole = json!(view::Task::new(record, output));
        let members = [
            "task",
            "status",
            "ended",
            "result",
            "failure",
            "how",
            "how_failure",
            "told",
            "forced_step",
            "doubts",
        ];
        let members = members.iter().filter_map(|name| {
            let value = whole.get(name)?.clone();
            Some(((*name).to_owned(), value))
        });
        Ok(Value::Object(members.collect()))
    }

    /// Entries of the audit after number `after`: for administrators, those of their tenant; for
    /// the host's own, all.
    pub async fn audit(&self, after: u64, limit: usize) -> Result<Page, Error> {
        let tenant = self.audited()?;
        let page = self
            .runtime()
            .audit_after(after, limit.min(PAGE_MAX), tenant);
        Ok(page.await?)
    }

    /// The newest entries of the audit, oldest first, as [`Self::audit`] has them.
    pub async fn audit_newest(&self, limit: usize) -> Result<Page, Error> {
        let tenant = self.audited()?;
        let page = self.runtime().audit_newest(limit.min(PAGE_MAX), tenant);
        Ok(page.await?)
    }

    fn audited(&self) -> Result<Option<crate::id::TenantId>, Error> {
        let caller = &self.caller;
        if caller.role != Role::Administrator {
            let role = caller.role;
            let error = access::Error::Forbidden { role };
            self.runtime()
                .audit_refusal(&caller.principal, "audit", error.code());
            return Err(error.into());
        }
        Ok((!self.is_host).then(|| caller.tenant().clone()))
    }
}

fn task(record: &Record) -> Value {
    json!(view::Task::new(record, None))
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Self {
        Self::Access(error.into())
    }
}
