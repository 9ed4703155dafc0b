//! Follows a task to its end, or to where nobody here can help it on.

use std::sync::Arc;
use std::time::Duration;

use super::ask::{self, Asked, Input};
use super::meter::Meter;
use super::session::{Session, failed};
use super::{Context, Exit, Signal, Style, json, text};
use crate::id::TaskKey;
use crate::runtime::{Cancellation, Runtime};
use crate::task::{Question, Record, State, Status, Wait};

/// How often the task's log is looked at. Its state is told without being asked for.
const LOOK: Duration = Duration::from_millis(100);

/// Events that are read at once.
const EVENTS: usize = 500;

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
}

/// A task that is followed.
struct Follower<'a> {
    runtime: &'a Runtime,
    session: &'a Session,
    task: &'a TaskKey,
    meter: Meter<'a>,
    /// The newest event that was shown.
    seen: u64,
    interrupts: u32,
    input: Option<Input>,
}

/// The number of the newest event that there is.
pub(super) async fn newest(session: &Session, task: &TaskKey) -> anyhow::Result<u64> {
    let mut newest = 0;
    loop {
        let events = session.runtime.events(task, newest, EVENTS).await?;
        match events.last() {
            Some(last) => newest = last.number,
            None => return Ok(newest),
        }
    }
}

/// Follows the task, showing what happens after the event `seen`, and shows what came of it.
pub(super) async fn follow(
    context: &mut Context,
    session: Session,
    task: &TaskKey,
    seen: u64,
) -> anyhow::Result<Exit> {
    let (shown, ends_now) = match parted(context, &session, task, seen).await {
        Ok((record, parted)) => {
            let shown = show(context, &session, &record, parted).await;
            (shown, parted == Parted::Abandoned)
        }
        Err(error) => (Err(error), false),
    };
    if ends_now {
        session.abandon().await;
    } else {
        session.close().await;
    }
    shown
}

async fn parted(
    context: &mut Context,
    session: &Session,
    task: &TaskKey,
    seen: u64,
) -> anyhow::Result<(Arc<Record>, Parted)> {
    let Context {
        screen, signals, ..
    } = context;
    let mut follower = Follower {
        runtime: &session.runtime,
        session,
        task,
        meter: Meter::new(screen),
        seen,
        interrupts: 0,
        input: screen.can_ask().then(Input::default),
    };
    let mut watch = session.runtime.watch(task).await?;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // What is told may lie behind what is recorded; a question is not asked twice for that.
        watch.mark_unchanged();
        let record = session.runtime.record(task).await?;
        follower.events().await?;
        follower.meter.record(&record);
        if let Some(parted) = follower.is_parted(&record) {
            return Ok((record, parted));
        }
        let signal = if let State::Waiting(Wait::Input { questions }) = &record.state {
            follower.meter.hide();
            let is_newer = |told: &Option<Arc<Record>>| {
                told.as_ref().is_some_and(|told| told.seq > record.seq)
            };
            let signal = tokio::select! {
                signal = follower.ask(screen, signals, questions) => signal?,
                // Its time is over, say.
                _ = watch.wait_for(is_newer) => None,
            };
            follower.meter.show();
            signal
        } else {
            tokio::select! {
                // Whatever ended the watch has ended the runtime too.
                changed = watch.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => return Err(failed(session.runtime.failed().await)),
                },
                _ = look.tick() => None,
                signal = signals.next() => Some(signal),
                error = session.runtime.failed() => return Err(failed(error)),
            }
        };
        if let Some(signal) = signal
            && let Some(parted) = follower.signalled(signal).await?
        {
            return Ok((session.runtime.record(task).await?, parted));
        }
    }
}

impl Follower<'_> {
    /// Shows what was logged since the last look.
    async fn events(&mut self) -> anyhow::Result<()> {
        loop {
            let events = self.runtime.events(self.task, self.seen, EVENTS).await?;
            self.meter.events(&events);
            match events.last() {
                Some(last) => self.seen = last.number,
                None => return Ok(()),
            }
        }
    }

    fn is_parted(&self, record: &Record) -> Option<Parted> {
        match record.status() {
            status if status.is_terminal() => Some(Parted::Ended),
            Status::WaitingInput if self.input.is_none() => Some(Parted::Asks),
            Status::Paused => Some(Parted::Paused),
            _ => None,
        }
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
        let owner = &self.session.owner;
        match self
            .runtime
            .answer(self.task, owner, &question.key, &answer)
            .await
        {
            Err(
                error @ (crate::runtime::Error::InvalidAnswer(_)
                | crate::runtime::Error::Illegal(_)),
            ) => {
                screen.warn(&screen.paint(Style::Warning, &error.to_string()));
                Ok(None)
            }
            answered => {
                answered?;
                Ok(None)
            }
        }
    }

    /// Does what the terminal or the system asks for.
    async fn signalled(&mut self, signal: Signal) -> anyhow::Result<Option<Parted>> {
        if signal == Signal::Terminate {
            return Ok(Some(Parted::Drained));
        }
        self.interrupts += 1;
        let owner = self.session.owner.clone();
        let cancellation = match self.interrupts {
            1 => Cancellation::graceful(owner),
            2 => Cancellation::immediate(owner),
            _ => return Ok(Some(Parted::Abandoned)),
        };
        let why = Some("ctrl-c".to_owned());
        self.meter.line(match self.interrupts {
            1 => "cancelling: the tool is asked to stop at its next boundary; ctrl-c again ends it at once",
            _ => "ending it at once",
        });
        let cancelled = self
            .runtime
            .cancel(
                self.task,
                Cancellation {
                    why,
                    ..cancellation
                },
            )
            .await;
        match cancelled {
            // It has ended just now; the next look shows how.
            Ok(_) | Err(crate::runtime::Error::Illegal(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Shows what came of the task, or how it can be gone on with.
pub(super) async fn show(
    context: &Context,
    session: &Session,
    record: &Record,
    parted: Parted,
) -> anyhow::Result<Exit> {
    let screen = &context.screen;
    let output = session.runtime.output(&record.key()).await?;
    if let State::Finished { outcome, .. } = &record.state {
        let style = match Exit::of(record) {
            Exit::Done => Style::Good,
            _ => Style::Bad,
        };
        let ended = screen.paint(style, &text::ended(outcome));
        match Exit::of(record) {
            Exit::Done => screen.say(&ended),
            _ => screen.warn(&ended),
        }
        let attempts = ("attempts", record.attempt.to_string());
        let facts = std::iter::once(attempts).chain(text::used(record));
        screen.say(&screen.paint(Style::Dim, &text::columns(facts)));
    } else {
        left(context, record, parted);
    }
    if screen.json {
        screen.value(&json::task(record, output.as_ref()))?;
    } else if let Some(output) = &output {
        screen.data(&text::output(output))?;
    }
    Ok(Exit::of(record))
}

/// Says how a task that is left can be gone on with.
pub(super) fn left(context: &Context, record: &Record, parted: Parted) {
    let (screen, id) = (&context.screen, record.id);
    let resume = context.global.command(&format!("tasks resume {id}"));
    match parted {
        Parted::Asks => {
            let questions = match record.state.wait() {
                Some(Wait::Input { questions }) => questions.as_slice(),
                _ => &[],
            };
            screen.warn("the task waits for an answer, and nobody is here to ask:");
            for question in questions {
                let message = crate::text::clean_line(&question.message, 4_096);
                let schema = crate::text::clean_line(&question.schema, 4_096);
                let key = super::place::quoted(&question.key);
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
        Parted::Ended => {}
    }
}
