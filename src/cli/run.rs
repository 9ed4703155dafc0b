//! `stepwell run`: one task, to its end.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::amounts::Amounts;
use super::error::{self, Trouble};
use super::session::Session;
use super::source::Source;
use super::{Context, Exit, Style, follow, text, value};
use crate::limit::COMPONENT_BYTES_MAX;
use crate::runtime::{Accepted, Grant, Request};
use crate::task::{Entry, Status};
use crate::tool::TaskSupport;

/// What is worth knowing about keys and signals.
const AFTER: &str = "\
With --key, the same command again finds the same task: it is gone on with where a crash or the end
of this process left it, and once it has ended, its outcome is printed again.

Ctrl-c cancels the task at its next boundary, a second one ends it at once. A request to end this
process (SIGTERM) leaves the task at its next boundary, to be gone on with.";

/// Runs one task to its end, and prints what it returned.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER)]
pub struct Run {
    /// The component's file
    component: PathBuf,
    /// The tool
    tool: String,
    /// Its arguments: JSON, @FILE to read them from a file, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    args: String,
    #[command(flatten)]
    limits: Amounts,
    /// A folder that the tool may use, read-only unless it ends in :rw
    #[arg(long = "dir", value_name = "HOST:GUEST[:ro|:rw]")]
    dirs: Vec<String>,
    /// A name for this call: the same one again finds the same task again
    #[arg(long)]
    key: Option<String>,
}

impl Run {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let limits = self.limits.on(&crate::limit::Limits::default())?;
        let grants = self
            .dirs
            .iter()
            .map(|dir| grant(dir))
            .collect::<anyhow::Result<_>>()?;
        let arguments = value::read("--args", "the arguments", &self.args)?;
        let component = component(&self.component)?;
        let session = Session::make(&context).await?;
        let request = |component| Request {
            limits,
            grants,
            key: self.key.clone(),
            ..Request::new(component, &self.tool, arguments)
        };
        match begin(&mut context, &session, component, request).await {
            Ok(Begun::Task(task, seen)) => {
                follow::follow(&mut context, Source::Here(session), (task, seen)).await
            }
            Ok(Begun::Done(exit)) => {
                session.close().await;
                Ok(exit)
            }
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }
}

enum Begun {
    /// A task, and the newest of its events that is not news.
    Task(crate::id::TaskId, u64),
    /// A call of which nothing is kept, and which is over.
    Done(Exit),
}

/// Begins the call, or finds the task that it began before.
async fn begin(
    context: &mut Context,
    session: &Session,
    component: Vec<u8>,
    request: impl FnOnce(crate::id::Digest) -> Request,
) -> anyhow::Result<Begun> {
    let runtime = &session.runtime;
    let registered = tokio::select! {
        registered = runtime.add(component) => registered?,
        _ = context.signals.next() => return Err(Trouble::Interrupted.into()),
    };
    let request = request(registered.manifest.component);
    let tool = runtime.tool(request.component, &request.tool).await?;
    if tool.definition.task_support == TaskSupport::Forbidden {
        return call(context, session, request).await.map(Begun::Done);
    }
    let (limits, component) = (request.limits.clone(), request.component);
    let folders: Result<Vec<_>, _> = request
        .grants
        .iter()
        .cloned()
        .map(Grant::absolute)
        .collect();
    let folders: Vec<_> = folders?.iter().map(ToString::to_string).collect();
    let Accepted { record, is_new } = runtime.submit(request).await?;
    let (task, screen) = (record.key(), &context.screen);
    if is_new {
        screen.say(&screen.paint(Style::Dim, &format!("task {}", record.id)));
        return Ok(Begun::Task(task.id, 0));
    }
    let seen = session.newest(task.id).await?;
    if !record.status().is_terminal() {
        let steps = record.steps_before + record.steps;
        let line = format!("going on with task {}: {steps} steps are done", record.id);
        screen.say(&screen.paint(Style::Dim, &line));
    } else {
        let line = format!("task {} has ended already", record.id);
        screen.say(&screen.paint(Style::Dim, &line));
    }
    let kept = &record.spec;
    let is_same = kept.limits == limits && kept.component == component;
    if !is_same || !kept.grants.iter().map(|grant| &**grant).eq(folders.iter()) {
        screen.warn(
            "warning: it has the component, the limits and the folders that it was accepted with",
        );
    }
    runtime.adopt(&task).await?;
    if record.status() == Status::Paused {
        runtime.resume(&task, &session.owner).await?;
    }
    Ok(Begun::Task(task.id, seen))
}

/// Calls a tool of which nothing is kept.
async fn call(context: &mut Context, session: &Session, request: Request) -> anyhow::Result<Exit> {
    let (tool, limits) = (request.tool.clone(), request.limits.clone());
    let screen = context.screen.clone();
    let listen = move |entry: Entry| {
        if matches!(entry, Entry::Line { .. }) {
            screen.say(&text::entry(&(&entry).into()));
        }
    };
    let called = tokio::select! {
        called = session.runtime.call(request, listen) => called?,
        _ = context.signals.next() => {
            context.screen.warn("cancelled: the call was cut off, and nothing of it is kept");
            return Ok(Exit::Cancelled);
        }
    };
    let screen = &context.screen;
    let exit = match &called.result {
        Ok(_) => Exit::Done,
        Err(failure) => {
            let failed = crate::text::clean_line(&format!("failed: {failure}"), 8_192);
            screen.warn(&screen.paint(Style::Bad, &failed));
            Exit::of_kind(failure.kind)
        }
    };
    if screen.json {
        screen.value(&crate::view::call(&tool, &called, &limits))?;
    } else if let Ok(output) = &called.result {
        screen.data(&text::output(output))?;
    }
    Ok(exit)
}

/// A folder that is there.
fn grant(typed: &str) -> anyhow::Result<Grant> {
    let refused = |error: &dyn std::fmt::Display| {
        error::input(
            format!("--dir: {error}"),
            "make the folder first, or correct its path",
        )
    };
    let grant = typed.parse::<Grant>().map_err(|error| {
        error::input(format!("--dir: {error}"), "for example --dir ./data:/in:ro")
    })?;
    let grant = grant.absolute().map_err(|error| refused(&error))?;
    if !Path::new(&grant.host).is_dir() {
        return Err(refused(&format!("`{}` is not a folder", grant.host)));
    }
    Ok(grant)
}

/// The bytes of a component's file.
pub fn component(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = |what: String| {
        let message = format!("the component `{}` can't be read: {what}", path.display());
        error::input(message, "name the .wasm file of a component")
    };
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes: Vec<u8> = read().map_err(|error: std::io::Error| cannot(error.to_string()))?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(cannot(format!(
            "it has more than {COMPONENT_BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}
