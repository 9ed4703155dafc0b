//! `stepwell tasks answer`.

use crate::cli::{Context, Exit, value};
use crate::desk::{self, Ask};

/// Answers a question of a task. When all are answered, the task can be resumed.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("answer").required(true))]
pub(in crate::cli) struct Answer {
    /// The task
    id: String,
    /// The question, as `tasks show` names it
    question: String,
    /// The answer: JSON, @FILE to read it from a file, or - for standard input
    #[arg(long, value_name = "JSON", group = "answer")]
    accept: Option<String>,
    /// Refuse to answer
    #[arg(long, group = "answer")]
    decline: bool,
    /// Dismiss the question
    #[arg(long, group = "answer")]
    cancel: bool,
}

impl Answer {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let accept = self.accept.as_deref();
        let accept = accept.map(|typed| value::read("--accept", "the answer", typed));
        let answer = desk::Answer {
            question: self.question,
            accept: accept.transpose()?,
            decline: self.decline,
            cancel: self.cancel,
        };
        let task = context.within(async |source| {
            let task = source.task(&self.id).await?;
            source.ask(Ask::Answer(task, answer.clone())).await
        });
        let task = task.await?;
        context.changed(&task)?;
        Ok(Exit::Done)
    }
}
