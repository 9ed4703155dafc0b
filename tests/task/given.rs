//! Tasks in every state, and the changes that happen to them.

use std::sync::Arc;

use stepwell::clock::Timestamp;
use stepwell::id::{CheckpointId, Digest, Principal, TaskId};
use stepwell::limit::Limits;
use stepwell::task::{
    Actor, Applied, Attempt, Cancel, Change, Ending, Event, Failure, Fenced, Illegal, Journal,
    Kind, Mode, Policy, Question, Reason, Record, Row, RowKind, Spec, State, Status, StepKey,
    ToolError, Usage, Wait, WaitOver, apply,
};

/// A task, and the time.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) record: Record,
    pub(crate) now: u64,
}

impl Task {
    pub(crate) fn accepted(limits: Limits) -> Self {
        let spec = Spec {
            owner: Principal::local(),
            component: Digest::of(b"component"),
            tool: "tool".into(),
            arguments: Digest::of(b"{}"),
            key: None,
            limits,
            grants: Vec::new(),
            policy: Policy::Auto,
            created: Timestamp(0),
            forked_from: None,
            name: None,
        };
        Self {
            record: Record::accepted(TaskId::random(), spec),
            now: 0,
        }
    }

    pub(crate) fn new() -> Self {
        Self::accepted(Limits::default())
    }

    /// After these events, each a second later than the one before.
    pub(crate) fn after(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        for event in events {
            let applied = self.apply(event);
            assert!(applied.is_ok(), "{applied:?}");
        }
        self
    }

    pub(crate) fn fenced(&self, fuel: u64) -> Fenced {
        Fenced {
            attempt: self.record.attempt,
            usage: Usage {
                fuel,
                ..Usage::default()
            },
            grace_used: 0,
            told: false,
        }
    }

    pub(crate) fn apply(&mut self, event: Event) -> Result<Applied, Illegal> {
        let fenced = self.fenced(0);
        self.apply_as(fenced, event)
    }

    pub(crate) fn apply_as(&mut self, fenced: Fenced, event: Event) -> Result<Applied, Illegal> {
        self.now += 1_000;
        let change = Change {
            at: Timestamp(self.now),
            by: Actor::Tool,
            attempt: Some(fenced),
            doubts: Vec::new(),
            event,
        };
        let applied = apply(&self.record, &change)?;
        self.record = applied.record.clone();
        Ok(applied)
    }

    pub(crate) fn attempt(&self) -> Attempt {
        Attempt::new(&self.record, Journal::new(&self.record, [], []))
    }
}

pub(crate) fn bytes() -> Arc<[u8]> {
    b"{}"[..].into()
}

pub(crate) fn done(name: &str, clean_up: bool) -> Event {
    let at = StepKey {
        stretch: 0,
        name: name.into(),
    };
    Event::Done {
        row: Row {
            at,
            kind: RowKind::Step,
            input: Digest::of(b""),
            place: 0,
            clean_up,
        },
        output: bytes(),
        once: None,
    }
}

pub(crate) fn saved() -> Event {
    Event::Saved { state: bytes() }
}

pub(crate) fn client_saved() -> Event {
    Event::ClientSaved { state: bytes() }
}

pub(crate) fn suspended(pause: bool) -> Event {
    Event::Suspended { pause }
}

pub(crate) fn ended(ending: Ending) -> Event {
    Event::Ended {
        ending,
        output: None,
    }
}

pub(crate) fn failure() -> Failure {
    Failure::new(Kind::ToolError, "no")
}

pub(crate) fn transient() -> Event {
    ended(Ending::Error(ToolError::Transient(failure())))
}

pub(crate) fn failed() -> Event {
    ended(Ending::Failed(failure()))
}

pub(crate) fn deadline(grace: u64) -> Event {
    Event::Stop {
        reason: Reason::DeadlineExceeded,
        grace,
        cancel: None,
    }
}

pub(crate) fn cancel(mode: Mode, grace: u64) -> Event {
    Event::Stop {
        reason: Reason::Cancelled,
        grace,
        cancel: Some(Cancel {
            by: Actor::Host,
            at: Timestamp(0),
            why: None,
            grace,
            mode,
        }),
    }
}

pub(crate) fn graceful() -> Event {
    cancel(Mode::Graceful, 10_000)
}

pub(crate) fn sleeps() -> Event {
    Event::Waits(Wait::Timer {
        name: "nap".into(),
        until: Timestamp(0),
    })
}

pub(crate) fn asks() -> Event {
    Event::Waits(Wait::Input {
        questions: vec![Question {
            name: "which".into(),
            key: "which".into(),
            message: "?".into(),
            schema: "{}".into(),
        }],
    })
}

pub(crate) fn due() -> Event {
    Event::WaitOver(WaitOver::Due)
}

pub(crate) fn answered(key: &str) -> Event {
    Event::WaitOver(WaitOver::Answered {
        key: key.into(),
        answer: bytes(),
    })
}

pub(crate) fn restored(checkpoint: u64) -> Event {
    Event::Restored {
        checkpoint: CheckpointId(checkpoint),
        go_on: false,
    }
}

/// Every kind of event, with an example.
pub(crate) fn events() -> Vec<Event> {
    vec![
        Event::Admitted,
        done("step", false),
        saved(),
        client_saved(),
        sleeps(),
        asks(),
        suspended(false),
        suspended(true),
        Event::Crashed,
        ended(Ending::Returned),
        ended(Ending::Error(ToolError::Stopped)),
        ended(Ending::Forced { step: None }),
        failed(),
        transient(),
        deadline(10),
        graceful(),
        cancel(Mode::Immediate, 0),
        Event::Pause,
        Event::Resume,
        due(),
        answered("which"),
        restored(0),
        Event::Forked {
            child: TaskId::random(),
        },
    ]
}

/// A task in each state, with and without work to tidy up, with and without a stop.
pub(crate) fn states() -> Vec<Task> {
    let run = || Task::new().after([Event::Admitted]);
    let worked = || run().after([done("step", false)]);
    let mut states = vec![Task::new(), Task::new().after([Event::Pause]), run()];
    for task in [run(), worked()] {
        states.extend([
            task.clone().after([suspended(false)]),
            task.clone().after([suspended(true)]),
            task.clone().after([sleeps()]),
            task.clone().after([asks()]),
            task.clone().after([asks(), Event::Pause]),
            task.clone().after([sleeps(), Event::Pause]),
            task.clone().after([graceful()]),
            task.clone().after([graceful(), suspended(true)]),
            task.clone().after([deadline(10)]),
            task.clone().after([ended(Ending::Returned)]),
            task.clone().after([failed()]),
            task.after([cancel(Mode::Immediate, 0)]),
        ]);
    }
    states
}

pub(crate) fn is_ended(task: &Task) -> bool {
    matches!(task.record.state, State::Finished { .. })
}

pub(crate) fn status(task: &Task) -> Status {
    task.record.status()
}
