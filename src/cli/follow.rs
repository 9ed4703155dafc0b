//! Follows a task to its end, or to where nobody here can help it on.

use super::ask::{self, Asked, Input};
use super::error::Trouble;
use super::meter::Meter;
use super::source::{News, Source};
use super::{Context, Exit, Signal, Style};
use crate::desk::{Ask, Cancel};
use crate::id::TaskId;
use crate::task::{Mode, Status};
use crate::view::{Question, Task};

mod ending;

use ending::show;

/// Why a task is not followed any further.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parted {
    /// It has ended.
    Ended,
    /// It waits for somebody to answer, and nobody is here.
    Asks,
    /// It is paused.
    Paused,
    /// This process is to end.
    Drained,
    /// This process is to end now, whatever becomes of the guest.
    Abandoned,
    /// It is not at work anywhere.
    Idle,
    /// It goes on without anybody looking.
    Unwatched,
}

/// How a task is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It is at work in this process: ctrl-c cancels it.
    Owned,
    /// It is at work elsewhere, and whoever follows it helps it on.
    Helped,
    /// It is only looked at.
    Watched,
}

/// A task that is followed.
struct Follower<'a> {
    source: &'a Source,
    task: TaskId,
    manner: Manner,
    meter: Meter<'a>,
    interrupts: u32,
    input: Option<Input>,
    /// The questions that whoever only watches was told of.
    asked: Option<Vec<Question>>,
}

/// Follows the task, showing what happens after the event `seen`, and shows what came of it.
pub(super) async fn follow(
    context: &mut Context,
    source: Source,
    (task, seen): (TaskId, u64),
) -> anyhow::Result<Exit> {
    let manner = match source {
        Source::Here(_) => Manner::Owned,
        Source::Served(_) => Manner::Helped,
    };
    follow_as(context, source, (task, seen), manner).await
}

/// Looks at the task until it ends, and shows what came of it. Nothing is done to it.
pub(super) async fn watch(
    context: &mut Context,
    source: Source,
    (task, seen): (TaskId, u64),
) -> anyhow::Result<Exit> {
    follow_as(context, source, (task, seen), Manner::Watched).await
}

async fn follow_as(
    context: &mut Context,
    source: Source,
    (task, seen): (TaskId, u64),
    manner: Manner,
) -> anyhow::Result<Exit> {
    let (shown, ends_now) = match parted(context, &source, (task, seen), manner).await {
        Ok((task, parted)) => {
            let shown = show(context, &source, task, parted).await;
            (shown, parted == Parted::Abandoned)
        }
        Err(error) => (Err(error), false),
    };
    match source {
        Source::Here(session) if ends_now => session.abandon().await,
        source => source.close().await,
    }
    shown
}

async fn parted(
    context: &mut Context,
    source: &Source,
    (task, seen): (TaskId, u64),
    manner: Manner,
) -> anyhow::Result<(Task, Parted)> {
    let Context {
        screen, signals, ..
    } = context;
    let can_ask = screen.can_ask() && manner != Manner::Watched;
    let mut follower = Follower {
        source,
        task,
        manner,
        meter: Meter::new(screen),
        interrupts: 0,
        input: can_ask.then(Input::default),
        asked: None,
    };
    let mut news = News::of(source, task, seen).await?;
    loop {
        let task = news.task().await?;
        follower.meter.events(&news.events().await?);
        follower.meter.task(&task);
        if manner == Manner::Watched {
            follower.tell(&task);
        }
        if let Some(parted) = follower.is_parted(&task) {
            return Ok((task, parted));
        }
        let questions = task.questions.as_deref().unwrap_or_default();
        let is_asked = task.status == Status::WaitingInput && manner != Manner::Watched;
        let signal = if is_asked {
            follower.meter.hide();
            let signal = tokio::select! {
                signal = follower.ask(screen, signals, questions) => signal?,
                // Its time is over, say.
                past = news.past(&task) => past.map(|()| None)?,
            };
            follower.meter.show();
            signal
        } else {
            tokio::select! {
                changed = news.changed() => changed.map(|()| None)?,
                signal = signals.next() => Some(signal),
            }
        };
        if let Some(signal) = signal
            && let Some(parted) = follower.signalled(signal).await?
        {
            return Ok((news.task().await?, parted));
        }
    }
}

impl Follower<'_> {
    fn is_parted(&self, task: &Task) -> Option<Parted> {
        let is_watched = self.manner == Manner::Watched;
        match task.status {
            status if status.is_terminal() => Some(Parted::Ended),
            _ if is_watched && matches!(self.source, Source::Here(_)) => Some(Parted::Idle),
            _ if is_watched => None,
            Status::WaitingInput if self.input.is_none() => Some(Parted::Asks),
            Status::Paused => Some(Parted::Paused),
            _ => None,
        }
    }

    /// Says what is asked of whoever may answer.
    fn tell(&mut self, task: &Task) {
        if self.asked == task.questions {
            return;
        }
        for question in task.questions.iter().flatten() {
            let message = crate::text::clean_line(&question.message, 4_096);
            let key = super::place::quoted(&question.question);
            let answer = format!("stepwell tasks answer {} {key} --accept JSON", task.task);
            self.meter.line(&format!("asks: {message} ({answer})"));
        }
        self.asked.clone_from(&task.questions);
    }

    /// Asks whoever sits at the terminal. Returns the wish that came instead of an answer.
    async fn ask(
        &mut self,
        screen: &super::Screen,
        signals: &mut super::Signals,
        questions: &[Question],
    ) -> anyhow::Result<Option<Signal>> {
        let (Some(input), Some(question)) = (&mut self.input, questions.first()) else {
            return Ok(None);
        };
        let answer = match ask::ask(screen, input, signals, question).await {
            Asked::Answer(answer) => answer,
            Asked::Signal(signal) => return Ok(Some(signal)),
            Asked::Gone => {
                // The terminal was closed: there is nobody to ask any more.
                self.input = None;
                return Ok(None);
            }
        };
        let answered = self.source.ask(Ask::Answer(self.task, answer)).await;
        match answered.map(|_: Task| None) {
            Err(error) if is_about(&error, &["invalid-answer", "no-question", "not-now"]) => {
                screen.warn(&screen.paint(Style::Warning, &error.to_string()));
                Ok(None)
            }
            answered => answered,
        }
    }

    /// Does what the terminal or the system asks for.
    async fn signalled(&mut self, signal: Signal) -> anyhow::Result<Option<Parted>> {
        if self.manner != Manner::Owned {
            return Ok(Some(Parted::Unwatched));
        }
        if signal == Signal::Terminate {
            return Ok(Some(Parted::Drained));
        }
        self.interrupts += 1;
        let mode = match self.interrupts {
            1 => Mode::Graceful,
            2 => Mode::Immediate,
            _ => return Ok(Some(Parted::Abandoned)),
        };
        self.meter.line(match mode {
            Mode::Graceful => "cancelling: the tool is asked to stop at its next boundary; ctrl-c again ends it at once",
            Mode::Immediate => "ending it at once",
        });
        let cancel = Cancel {
            mode: Some(mode),
            grace: None,
            why: Some("ctrl-c".to_owned()),
        };
        let cancelled = self.source.ask(Ask::Cancel(self.task, cancel)).await;
        match cancelled.map(|_: Task| None) {
            // It has ended just now; the next look shows how.
            Err(error) if is_about(&error, &["not-now"]) => Ok(None),
            cancelled => cancelled,
        }
    }
}

/// Whether it is a refusal with one of these codes, of a server or of the runtime here.
fn is_about(error: &anyhow::Error, codes: &[&str]) -> bool {
    let here = error.downcast_ref::<crate::runtime::Error>();
    let code = match error.downcast_ref::<Trouble>() {
        Some(Trouble::Told { code, .. }) => Some(code.as_str()),
        _ => here.map(crate::runtime::Error::code),
    };
    code.is_some_and(|code| codes.contains(&code))
}
