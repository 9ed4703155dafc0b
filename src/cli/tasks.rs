//! `stepwell tasks`: what is done to tasks, in a data directory that nobody holds or by the server
//! that has them. Each command is the same for both: see [`super::source`].

use super::{Context, Exit, Remote};
use crate::view::Task;

mod answer;
mod cancel;
mod checkpoint;
mod checkpoints;
mod events;
mod export;
mod fork;
mod list;
mod pause;
mod restore;
mod resume;
mod show;
mod watch;

/// Look at tasks, and change what becomes of them
///
/// An id may be shortened to a beginning that no other task has. Where a server has the data
/// directory it is asked; with --server one elsewhere is.
#[derive(clap::Args, Debug)]
pub struct Tasks {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

/// What can be done to tasks.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the tasks, newest first
    List(list::List),
    /// Show a task: its limits, what it used, how it stands
    Show(show::Show),
    /// Watch a task until it ends
    Watch(watch::Watch),
    /// Print what happened to a task
    Events(events::Events),
    /// Cancel a task, and wait for its clean-up
    Cancel(cancel::Cancel),
    /// Pause a task
    Pause(pause::Pause),
    /// Go on with a task, and run it to its end
    Resume(resume::Resume),
    /// Answer a question of a task
    Answer(answer::Answer),
    /// Save a checkpoint beside the task's own
    Checkpoint(checkpoint::Checkpoint),
    /// List the checkpoints of a task
    Checkpoints(checkpoints::Checkpoints),
    /// Take a task back to a checkpoint
    Restore(restore::Restore),
    /// Make a new task that goes on from a paused or ended one
    Fork(fork::Fork),
    /// Print a checkpoint with its state
    Export(export::Export),
}

impl Tasks {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        context.global.server = Some(self.remote);
        match self.command {
            Command::List(command) => command.run(context).await,
            Command::Show(command) => command.run(context).await,
            Command::Watch(command) => command.run(context).await,
            Command::Events(command) => command.run(context).await,
            Command::Cancel(command) => command.run(context).await,
            Command::Pause(command) => command.run(context).await,
            Command::Resume(command) => command.run(context).await,
            Command::Answer(command) => command.run(context).await,
            Command::Checkpoint(command) => command.run(context).await,
            Command::Checkpoints(command) => command.run(context).await,
            Command::Restore(command) => command.run(context).await,
            Command::Fork(command) => command.run(context).await,
            Command::Export(command) => command.run(context).await,
        }
    }
}

impl Context {
    /// Shows a task that was changed, and the command that goes on with it.
    fn changed(&self, task: &Task) -> anyhow::Result<()> {
        let (screen, id) = (&self.screen, task.task);
        if screen.json {
            screen.value(&serde_json::to_value(task)?)?;
        } else {
            screen.data(&format!("{id} {}", task.status))?;
        }
        if let Some(questions) = &task.questions {
            let keys = questions.iter().map(|it| format!("`{}`", it.question));
            let keys = keys.collect::<Vec<_>>().join(", ");
            screen.say(&format!("questions without an answer: {keys}"));
        } else {
            let command = self.global.command(&format!("tasks resume {id}"));
            screen.say(&format!("go on with: {command}"));
        }
        Ok(())
    }
}
