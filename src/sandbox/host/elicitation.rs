//! `stepwell:tool/elicitation`: questions to the task's owner.

use crate::limit::{MESSAGE_BYTES_MAX, Name};
use crate::sandbox::bindings::stepwell::tool::elicitation::{self, Host, Question, Stop};
use crate::sandbox::failure::past;
use crate::sandbox::guest::Guest;
use crate::sandbox::{Asked, End, Reply};
use crate::text::clean;

impl Host for Guest {
    async fn ask(
        &mut self,
        questions: Vec<Question>,
    ) -> wasmtime::Result<Result<Vec<elicitation::Answer>, Stop>> {
        let bytes = |q: &Question| q.name.len() + q.message.len() + q.schema.len();
        self.charge(questions.iter().map(bytes).sum());
        let (used, max) = (questions.len() as u64, self.limits.questions);
        if used > max {
            let failure = past(Name::Questions, "asked at once", (used, max));
            return Err(self.end(End::Failed(failure)));
        }
        let asked = questions.into_iter().map(|question| Asked {
            name: question.name,
            message: clean(&question.message, MESSAGE_BYTES_MAX),
            schema: question.schema,
        });
        let replies = self.durable.ask(asked.collect()).await;
        let answers = match self.answer(replies)? {
            Ok(replies) => replies.into_iter().map(answer).collect::<Vec<_>>(),
            Err(stop) => return Ok(Err(stop.into())),
        };
        let bytes = answers.iter().map(|answer| match answer {
            elicitation::Answer::Accept(json) => json.len(),
            _ => 0,
        });
        self.charge(bytes.sum());
        Ok(Ok(answers))
    }
}

fn answer(reply: Reply) -> elicitation::Answer {
    match reply {
        Reply::Accept(json) => elicitation::Answer::Accept(json),
        Reply::Decline => elicitation::Answer::Decline,
        Reply::Cancel => elicitation::Answer::Cancel,
        Reply::Unavailable => elicitation::Answer::Unavailable,
    }
}
