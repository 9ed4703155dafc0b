//! `stepwell tasks`: what is done to tasks in a data directory that nobody holds.

use super::{Context, Exit, json};
use crate::task::{Record, Wait};

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

/// What can be done to tasks. An id may be shortened to a beginning that no other task has.
#[derive(clap::Subcommand, Debug)]
pub enum Tasks {
    /// List the tasks, newest first
    List(list::List),
    /// Show a task: its limits, what it used, how it stands
    Show(show::Show),
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
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Events(command) => command.run(context).await,
            Self::Cancel(command) => command.run(context).await,
            Self::Pause(command) => command.run(context).await,
            Self::Resume(command) => command.run(context).await,
            Self::Answer(command) => command.run(context).await,
            Self::Checkpoint(command) => command.run(context).await,
            Self::Checkpoints(command) => command.run(context).await,
            Self::Restore(command) => command.run(context).await,
            Self::Fork(command) => command.run(context).await,
            Self::Export(command) => command.run(context).await,
        }
    }
}

impl Context {
    /// Shows a task that was changed, and the command that goes on with it.
    fn changed(&self, record: &Record) -> anyhow::Result<()> {
        let (screen, id) = (&self.screen, record.id);
        if screen.json {
            screen.value(&json::task(record, None))?;
        } else {
            screen.data(&format!("{id} {}", record.status()))?;
        }
        match record.state.wait() {
            Some(Wait::Input { questions }) => {
                let keys = questions
                    .iter()
                    .map(|question| format!("`{}`", question.key));
                let keys = keys.collect::<Vec<_>>().join(", ");
                screen.say(&format!("questions without an answer: {keys}"));
            }
            _ => {
                let command = self.global.command(&format!("tasks resume {id}"));
                screen.say(&format!("go on with: {command}"));
            }
        }
        Ok(())
    }
}
