//! How entries are made: of changes, of refusals and of administrative acts, with bounded texts.

use std::sync::Arc;

use super::{Act, Changed, Entry, Request, Who};
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Principal, TaskId};
use crate::limit::AUDIT_TEXT_BYTES_MAX;
use crate::task::{Actor, Event, Record, WaitOver};
use crate::text::clean_line;

impl From<&Actor> for Who {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::Host => Self::Host,
            Actor::Tool => Self::Tool,
            Actor::Principal(principal) => Self::Principal(principal.clone()),
        }
    }
}

impl Entry {
    /// A refusal: `what` somebody asked for, and the `code` that was answered.
    pub fn refused(at: Timestamp, by: &Principal, what: &str, code: &str) -> Self {
        Self {
            at,
            tenant: Some(by.tenant.clone()),
            by: Who::Principal(Arc::new(by.clone())),
            act: Act::Refused {
                what: text(what),
                code: text(code),
                task: None,
            },
        }
    }

    /// A refusal of somebody unknown, who comes `from` there.
    pub fn refused_stranger(at: Timestamp, from: &str, what: &str, code: &str) -> Self {
        Self {
            at,
            tenant: None,
            by: Who::Stranger(text(from)),
            act: Act::Refused {
                what: text(what),
                code: text(code),
                task: None,
            },
        }
    }

    /// As it is, about this task.
    #[must_use]
    pub fn about(mut self, id: TaskId) -> Self {
        if let Act::Refused { task, .. } = &mut self.act {
            *task = Some(id);
        }
        self
    }

    /// An administrative act.
    pub fn administered(at: Timestamp, by: Who, act: &str, subject: &str) -> Self {
        Self {
            at,
            tenant: None,
            by,
            act: Act::Administered {
                act: text(act),
                subject: text(subject),
            },
        }
    }

    /// What is said of a change that made `to` of `from`: nothing, if that is neither another word
    /// for its state nor asked for by anybody. A step that is done is no such thing, and it is
    /// nearly all that ever happens to a task.
    pub fn changed(
        (from, to): (Option<&Record>, &Record),
        by: &Actor,
        event: Option<&Event>,
    ) -> Option<Self> {
        let (from, status) = (from.map(Record::status), to.status());
        let request = event.and_then(|event| Request::of(event, to));
        if from == Some(status) && request.is_none() {
            return None;
        }
        Some(Self {
            at: to.updated,
            tenant: Some(to.spec.owner.tenant.clone()),
            by: by.into(),
            act: Act::Changed(Changed {
                task: to.id,
                tool: to.spec.tool.clone(),
                from,
                to: status,
                request,
            }),
        })
    }

    /// As it is, with every text cut to what an entry may hold.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self.act {
            Act::Refused { what, code, .. } => [what, code].into_iter().for_each(bound),
            Act::Administered { act, subject } => [act, subject].into_iter().for_each(bound),
            Act::Changed(_) | Act::Dropped { .. } => {}
        }
        match &mut self.by {
            Who::Stranger(from) => bound(from),
            Who::Principal(principal) if !is_bounded(principal) => {
                let mut cut = Principal::clone(principal);
                let texts = [&mut cut.issuer, &mut cut.subject, &mut cut.client];
                texts.into_iter().for_each(bound);
                *principal = Arc::new(cut);
            }
            Who::Host | Who::Tool | Who::Principal(_) => {}
        }
        self
    }
}

impl Request {
    /// What an event asks for, where it does.
    fn of(event: &Event, record: &Record) -> Option<Self> {
        Some(match event {
            Event::Stop { reason, cancel, .. } => Self::Stop {
                reason: *reason,
                mode: cancel.as_ref().map(|cancel| cancel.mode),
                // It was bounded when it was asked for, as a message is; here it is less.
                why: cancel
                    .as_ref()
                    .and_then(|cancel| cancel.why.as_deref().map(text)),
            },
            Event::WaitOver(WaitOver::Answered { key, .. }) => Self::Answer { key: key.clone() },
            Event::ClientSaved { .. } => Self::Checkpoint {
                id: CheckpointId(record.seq),
            },
            Event::Restored { checkpoint, .. } => Self::Restore {
                checkpoint: *checkpoint,
            },
            Event::Forked { child } => Self::Fork { child: *child },
            Event::Admitted
            | Event::OnceBegun(_)
            | Event::Done { .. }
            | Event::Saved { .. }
            | Event::Waits(_)
            | Event::Suspended { .. }
            | Event::Crashed
            | Event::Ended { .. }
            | Event::Pause
            | Event::Resume
            | Event::WaitOver(WaitOver::Due) => return None,
        })
    }
}

fn text(text: &str) -> Arc<str> {
    clean_line(text, AUDIT_TEXT_BYTES_MAX).into()
}

fn bound(of: &mut Arc<str>) {
    *of = text(of);
}

fn is_bounded(principal: &Principal) -> bool {
    let texts = [&principal.issuer, &principal.subject, &principal.client];
    texts.iter().all(|it| it.len() <= AUDIT_TEXT_BYTES_MAX)
}
