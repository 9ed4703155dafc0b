//! `stepwell tasks answer`.

use crate::cli::{Context, Exit, value};
use crate::runtime;

/// Answers a question of a task. When all are answered, the task can be resumed.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("answer").required(true))]
pub struct Answer {
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
    pub(super) async fn run(self, context: Context) -> anyhow::Result<Exit> {
        let answer = match &self.accept {
            Some(typed) => runtime::Answer::Accept(value::read("--accept", "the answer", typed)?),
            None if self.decline => runtime::Answer::Decline,
            None => runtime::Answer::Cancel,
        };
        let answered = context.within(async |session| {
            let (runtime, owner) = (&session.runtime, &session.owner);
            let task = session.task(&self.id).await?;
            Ok(runtime
                .answer(&task, owner, &self.question, &answer)
                .await?)
        });
        let record = answered.await?;
        context.changed(&record)?;
        Ok(Exit::Done)
    }
}
