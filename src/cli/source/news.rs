//! What becomes of a task, for whoever follows it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use super::Source;
use super::client::Client;
use super::stream::{Stream, Told};
use crate::cli::error::Trouble;
use crate::cli::session::{EVENTS, Session, store_failed};
use crate::desk::Ask;
use crate::id::TaskId;
use crate::runtime::Runtime;
use crate::task::Record;
use crate::view::{Entry, Event, Task};

/// How often a task is looked at. Its state is told without being asked for.
const LOOK: Duration = Duration::from_millis(100);

/// How often a server that has gone is looked for, and how many times.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_MAX: u32 = 120;

/// How long the last events of a task that has ended are waited for.
const LAST_MAX: Duration = Duration::from_secs(5);

/// A task that is followed.
pub(in crate::cli) enum News<'a> {
    /// Here.
    Here {
        runtime: &'a Runtime,
        task: TaskId,
        watch: watch::Receiver<Option<Arc<Record>>>,
        look: Interval,
        seen: u64,
    },
    /// With a server.
    Served(Box<Served<'a>>),
}

/// A task that a server tells of.
pub(in crate::cli) struct Served<'a> {
    client: &'a Client,
    id: TaskId,
    seen: u64,
    stream: Option<Stream>,
    arrived: Vec<Event>,
    /// It as it was last seen, until something happened that changes more than how far it is.
    task: Option<Task>,
    steps: u64,
    is_over: bool,
}

impl<'a> News<'a> {
    /// Follows a task from the event `seen` on.
    pub(in crate::cli) async fn of(
        source: &'a Source,
        task: TaskId,
        seen: u64,
    ) -> anyhow::Result<Self> {
        Ok(match source {
            Source::Here(session) => {
                let runtime = &session.runtime;
                let mut look = tokio::time::interval(LOOK);
                look.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let watch = runtime.watch(&Session::key(task)).await?;
                Self::Here {
                    runtime,
                    task,
                    watch,
                    look,
                    seen,
                }
            }
            Source::Served(client) => Self::Served(Box::new(Served {
                client,
                id: task,
                seen,
                stream: Some(Stream::open(client, task, seen).await?),
                arrived: Vec::new(),
                task: None,
                steps: 0,
                is_over: false,
            })),
        })
    }

    /// How the task stands, without what it was called with and what it returned.
    pub(in crate::cli) async fn task(&mut self) -> anyhow::Result<Task> {
        match self {
            Self::Here {
                runtime,
                task,
                watch,
                ..
            } => {
                // What is told may lie behind what is recorded.
                watch.mark_unchanged();
                let record = runtime.record(&Session::key(*task)).await?;
                Ok(Task::new(&record, None))
            }
            Self::Served(served) => served.task().await,
        }
    }

    /// What happened since this was asked last.
    pub(in crate::cli) async fn events(&mut self) -> anyhow::Result<Vec<Event>> {
        match self {
            Self::Here {
                runtime,
                task,
                seen,
                ..
            } => {
                let (key, mut events) = (Session::key(*task), Vec::new());
                loop {
                    let page = runtime.events(&key, *seen, EVENTS).await?;
                    let Some(last) = page.last() else {
                        return Ok(events);
                    };
                    *seen = last.number;
                    events.extend(page.iter().map(Event::from));
                }
            }
            Self::Served(served) => Ok(std::mem::take(&mut served.arrived)),
        }
    }

    /// Returns when something may have happened. May be dropped while it waits.
    pub(in crate::cli) async fn changed(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Here {
                runtime,
                watch,
                look,
                ..
            } => tokio::select! {
                // Whatever ended the watch has ended the runtime too.
                changed = watch.changed() => match changed {
                    Ok(()) => Ok(()),
                    Err(_) => Err(store_failed(runtime.failed().await)),
                },
                _ = look.tick() => Ok(()),
                error = runtime.failed() => Err(store_failed(error)),
            },
            Self::Served(served) => served.changed().await,
        }
    }

    /// Returns when the task is not as `task` says any more: a question is not asked for ever.
    pub(in crate::cli) async fn past(&mut self, task: &Task) -> anyhow::Result<()> {
        loop {
            self.changed().await?;
            let now = self.task().await?;
            if now.status != task.status || now.questions != task.questions {
                return Ok(());
            }
        }
    }
}

impl Served<'_> {
    async fn task(&mut self) -> anyhow::Result<Task> {
        if let Some(task) = &self.task {
            let steps_done = task.steps_done + self.steps;
            return Ok(Task {
                steps_done,
                ..task.clone()
            });
        }
        let ask = Ask::Task(self.id);
        let answer = loop {
            match self.client.ask(&ask).await {
                Err(error) if is_lost(&error) => self.again().await?,
                answer => break answer?,
            }
        };
        let task: Task = super::read(answer)?;
        let task = Task {
            arguments: None,
            result: None,
            ..task
        };
        self.steps = 0;
        if task.status.is_terminal() {
            let last = async { while !self.is_over && self.read().await.is_some() {} };
            let _ = tokio::time::timeout(LAST_MAX, last).await;
        }
        self.task = Some(task.clone());
        Ok(task)
    }

    async fn changed(&mut self) -> anyhow::Result<()> {
        if self.arrived.is_empty() && self.read().await.is_none() && !self.is_over {
            self.again().await?;
        }
        // What comes at once is shown at once.
        let more = async { while !self.is_over && self.read().await.is_some() {} };
        let _ = tokio::time::timeout(LOOK, more).await;
        Ok(())
    }

    /// Takes in what comes next; nothing, where the connection or the task has ended.
    async fn read(&mut self) -> Option<()> {
        match self.stream.as_mut()?.next().await {
            Some(Told::Event(event)) => {
                self.seen = event.number;
                match event.entry {
                    Entry::StepDone { .. } => self.steps += 1,
                    Entry::Progress { .. } | Entry::Line { .. } | Entry::OnceBegun { .. } => {}
                    _ => self.task = None,
                }
                self.arrived.push(*event);
                Some(())
            }
            Some(Told::Other) => Some(()),
            Some(Told::End) => {
                (self.is_over, self.task) = (true, None);
                None
            }
            None => {
                self.stream = None;
                None
            }
        }
    }

    /// Looks for a server that has gone: the task goes on at its next start.
    async fn again(&mut self) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            match Stream::open(self.client, self.id, self.seen).await {
                Ok(stream) => {
                    (self.stream, self.task) = (Some(stream), None);
                    return Ok(());
                }
                Err(error) => {
                    tries += 1;
                    if !is_lost(&error) || tries >= AGAIN_MAX {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether the server has gone, or is about to: it may be back.
fn is_lost(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(Trouble::Server { .. }) => true,
        Some(Trouble::Told { code, .. }) => code == "draining",
        _ => false,
    }
}
