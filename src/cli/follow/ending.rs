//! What is said of a task when it is not followed any further.

use super::Parted;
use crate::cli::source::Source;
use crate::cli::{Context, Exit, Style, text};
use crate::view::Task;

/// Shows what came of the task, or how it can be gone on with.
pub(super) async fn show(
    context: &Context,
    source: &Source,
    task: Task,
    parted: Parted,
) -> anyhow::Result<Exit> {
    let screen = &context.screen;
    let is_ended = task.status.is_terminal();
    let task = match is_ended {
        true => source.show(task.task).await?,
        false => task,
    };
    let exit = match parted {
        Parted::Unwatched if !is_ended => Exit::Cancelled,
        _ => Exit::of(&task),
    };
    if is_ended {
        let style = match exit {
            Exit::Done => Style::Good,
            _ => Style::Bad,
        };
        let ended = screen.paint(style, &text::ended(&task));
        match exit {
            Exit::Done => screen.say(&ended),
            _ => screen.warn(&ended),
        }
        let attempts = ("attempts", task.attempt.to_string());
        let facts = std::iter::once(attempts).chain(text::used(&task));
        screen.say(&screen.paint(Style::Dim, &text::columns(facts)));
    } else {
        left(context, &task, parted);
    }
    if screen.json {
        screen.value(&serde_json::to_value(&task)?)?;
    } else if let Some(output) = &task.result {
        screen.data(&text::output(output))?;
    }
    Ok(exit)
}

/// Says how a task that is left can be gone on with.
fn left(context: &Context, task: &Task, parted: Parted) {
    let (screen, id) = (&context.screen, task.task);
    let command = |words: &str| context.global.command(&format!("tasks {words} {id}"));
    let resume = command("resume");
    match parted {
        Parted::Asks => {
            screen.warn("the task waits for an answer, and nobody is here to ask:");
            for question in task.questions.iter().flatten() {
                let message = crate::text::clean_line(&question.message, 4_096);
                let schema = crate::text::clean_line(&question.schema.to_string(), 4_096);
                let key = crate::cli::place::quoted(&question.question);
                let answer = context
                    .global
                    .command(&format!("tasks answer {id} {key} --accept JSON"));
                screen.warn(&format!("\n  {message}\n  JSON: {schema}\n  {answer}"));
            }
            screen.warn(&format!("\nthen go on with: {resume}"));
        }
        Parted::Paused => screen.warn(&format!("the task is paused; go on with: {resume}")),
        Parted::Drained => screen.warn(&format!(
            "the task is left at its next boundary; go on with: {resume}"
        )),
        Parted::Abandoned => screen.warn(&format!(
            "the task is left where it was; go on with: {resume}"
        )),
        Parted::Idle => screen.warn(&format!(
            "the task is {}, and nobody runs it; go on with: {resume}",
            task.status
        )),
        Parted::Unwatched => screen.warn(&format!(
            "the task goes on; look at it with: {}\ncancel it with: {}",
            command("watch"),
            command("cancel")
        )),
        Parted::Ended => {}
    }
}
