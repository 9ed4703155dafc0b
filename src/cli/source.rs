//! Where tasks are: in a data directory that this process opens, or with a server that has it.
//!
//! A command asks one of them for something ([`Ask`]) and shows what it is answered: it is the same
//! JSON either way, so what is shown is, too.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Trouble;
use super::session::{EVENTS, Session};
use super::{Context, error};
use crate::desk::{Ask, List, PAGE_MAX};
use crate::id::TaskId;
use crate::view::{Event, Task};

mod client;
mod news;
mod request;
mod stream;

pub(super) use client::Client;
pub(super) use news::News;

/// The fewest characters that stand for a task: fewer are soon another's too.
const PREFIX_MIN: usize = 4;

/// Where tasks are.
pub(super) enum Source {
    /// Here.
    Here(Session),
    /// With a server.
    Served(Client),
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Tasks {
    pub(super) tasks: Vec<Task>,
    pub(super) next: Option<String>,
}

/// A page of events.
#[derive(Deserialize)]
pub(super) struct Events {
    pub(super) events: Vec<Event>,
    pub(super) next: Option<u64>,
}

impl Source {
    /// The server that was named; else the one that has the data directory; else the directory.
    pub(super) async fn find(context: &Context) -> anyhow::Result<Self> {
        if let Some(remote) = &context.global.server
            && let Some(server) = &remote.server
        {
            return Ok(Self::Served(Client::remote(server, remote.key.clone())?));
        }
        let dir = context.global.place()?;
        match Client::local(&dir).await? {
            Some(client) => Ok(Self::Served(client)),
            None => Ok(Self::Here(Session::find(&dir).await?)),
        }
    }

    /// Asks for something, and reads what is answered.
    pub(super) async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> anyhow::Result<T> {
        let answer = match self {
            Self::Here(session) => session.ask(ask).await?,
            Self::Served(client) => client.ask(&ask).await?,
        };
        Ok(read(answer)?)
    }

    /// How a task stands, with what it returned.
    pub(super) async fn show(&self, task: TaskId) -> anyhow::Result<Task> {
        let mut task: Task = self.ask(Ask::Task(task)).await?;
        task.arguments = None;
        Ok(task)
    }

    /// Takes charge of a task, so that it is run. A server is in charge of all of its tasks.
    pub(super) async fn take_up(&self, task: TaskId) -> anyhow::Result<()> {
        match self {
            Self::Here(session) => Ok(session.runtime.adopt(&Session::key(task)).await?),
            Self::Served(_) => Ok(()),
        }
    }

    /// The number of the newest event of a task.
    pub(super) async fn newest(&self, task: TaskId) -> anyhow::Result<u64> {
        let mut newest = 0;
        loop {
            let page: Events = self.ask(Ask::Events(task, newest, EVENTS)).await?;
            newest = page.events.last().map_or(newest, |event| event.number);
            if page.next.is_none() {
                return Ok(newest);
            }
        }
    }

    /// The task whose id begins with `text`.
    pub(super) async fn task(&self, text: &str) -> anyhow::Result<TaskId> {
        const HINT: &str = "`stepwell tasks list` shows the tasks that are kept";
        if let Ok(id) = text.parse::<TaskId>() {
            return Ok(id);
        }
        let text = text.to_ascii_lowercase();
        let is_prefix = text.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
        if text.len() < PREFIX_MIN || !is_prefix {
            let message = format!(
                "`{text}` is not a task's id, nor its first {PREFIX_MIN} characters or more"
            );
            return Err(error::input(message, HINT));
        }
        let mut found: Vec<TaskId> = Vec::new();
        let mut list = everything();
        loop {
            let page: Tasks = self.ask(Ask::List(list.clone())).await?;
            let ids = page.tasks.iter().map(|task| task.task);
            found.extend(ids.filter(|id| id.to_string().starts_with(&text)));
            match page.next {
                Some(next) => list.cursor = Some(next.parse()?),
                None => break,
            }
        }
        match found.as_slice() {
            [id] => Ok(*id),
            [] => Err(error::input(
                format!("there is no task whose id begins with `{text}`"),
                HINT,
            )),
            [one, other, ..] => Err(error::input(
                format!("`{text}` is the beginning of more than one task's id: {one}, {other}"),
                "write more of it",
            )),
        }
    }

    /// Lets go of it.
    pub(super) async fn close(self) {
        if let Self::Here(session) = self {
            session.close().await;
        }
    }
}

/// Every task.
pub(super) fn everything() -> List {
    List {
        status: Vec::new(),
        tool: None,
        owner: None,
        cursor: None,
        limit: PAGE_MAX,
    }
}

/// What an answer says.
fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Trouble> {
    serde_path_to_error::deserialize(answer).map_err(|error| Trouble::Server {
        message: format!("the server's answer is not understood: {error}"),
        hint: Some("it may be of another version".to_owned()),
    })
}

impl Context {
    /// Does `work` where the tasks are, and lets go of that. Ctrl-c ends it where that changes
    /// nothing here: a server goes on with what it was asked for.
    pub(super) async fn within<T>(
        &mut self,
        work: impl AsyncFnOnce(&Source) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let source = Source::find(self).await?;
        let is_served = matches!(source, Source::Served(_));
        let done = tokio::select! {
            done = work(&source) => done,
            _ = self.signals.next(), if is_served => Err(Trouble::Left.into()),
        };
        source.close().await;
        done
    }
}
