//! The line of JSON that an entry is outside: one flat object, its members always in this order.

use serde::Serialize;

use super::{Act, Numbered, Request, Who};
use crate::id::TenantId;
use crate::task::{Mode, Reason, Status};

/// The members of a line. What an entry does not say is left out.
#[derive(Default, Serialize)]
struct Line<'a> {
    number: u64,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    by: By<'a>,
    act: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

/// Who, as an object: its `kind`, and what is known of somebody.
#[derive(Default, Serialize)]
struct By<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
}

impl<'a> By<'a> {
    fn of(who: &'a Who) -> Self {
        let kind = |kind| Self {
            kind,
            ..Self::default()
        };
        match who {
            Who::Host => kind("host"),
            Who::Tool => kind("tool"),
            Who::Principal(principal) => Self {
                issuer: Some(&principal.issuer),
                subject: Some(&principal.subject),
                client: Some(&principal.client),
                ..kind("principal")
            },
            Who::Stranger(from) => Self {
                from: Some(from),
                ..kind("stranger")
            },
        }
    }
}

impl<'a> Line<'a> {
    fn tell(&mut self, act: &'a Act) {
        match act {
            Act::Changed(changed) => {
                self.act = "transition";
                self.task = Some(changed.task.to_string());
                self.tool = Some(&changed.tool);
                self.from = changed.from.map(Status::as_str);
                self.to = Some(changed.to.as_str());
                self.ask(changed.request.as_ref());
            }
            Act::Refused { what, code, task } => {
                self.act = "refused";
                self.task = task.map(|task| task.to_string());
                self.what = Some(what);
                self.code = Some(code);
            }
            Act::Dropped { count } => {
                self.act = "dropped";
                self.count = Some(*count);
            }
            Act::Administered { act, subject } => {
                self.act = "administered";
                self.what = Some(act);
                self.subject = Some(subject);
            }
        }
    }

    fn ask(&mut self, request: Option<&'a Request>) {
        match request {
            None => {}
            Some(Request::Stop { reason, mode, why }) => {
                self.act = "stop";
                (self.reason, self.mode) = (Some(word(*reason)), *mode);
                self.why = why.as_deref();
            }
            Some(Request::Answer { key }) => {
                self.act = "answer";
                self.question = Some(key);
            }
            Some(Request::Checkpoint { id }) => {
                self.act = "checkpoint";
                self.checkpoint = Some(id.to_string());
            }
            Some(Request::Restore { checkpoint }) => {
                self.act = "restore";
                self.checkpoint = Some(checkpoint.to_string());
            }
            Some(Request::Fork { child }) => {
                self.act = "fork";
                self.child = Some(child.to_string());
            }
        }
    }
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Cancelled => "cancelled",
        Reason::DeadlineExceeded => "deadline-exceeded",
        Reason::OutOfFuel => "out-of-fuel",
    }
}

impl Numbered {
    /// The entry as one line of JSON, without the line's end.
    pub fn line(&self) -> String {
        let entry = &self.entry;
        let mut line = Line {
            number: self.number,
            at: entry.at.to_string(),
            tenant: entry.tenant.as_ref().map(TenantId::as_str),
            by: By::of(&entry.by),
            ..Line::default()
        };
        line.tell(&entry.act);
        // Nothing in it can fail to be written: its members are texts and numbers.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Entry, every_kind};
    use crate::clock::Timestamp;
    use crate::id::Principal;

    #[test]
    fn every_act_is_a_line() {
        let lines = every_kind().into_iter().zip(1..);
        let lines = lines.map(|(entry, number)| Numbered { number, entry }.line());
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_text_is_one_line_and_bounded() {
        let long = "x\n".repeat(400);
        let stranger = Entry::refused_stranger(Timestamp(0), &long, &long, &long);
        let line = Numbered {
            number: 1,
            entry: stranger,
        }
        .line();
        assert!(line.len() < 1_000 && !line.contains("\\n"), "{line}");
        let mut me = Principal::local();
        me.client = long.as_str().into();
        let entry = Entry::refused(Timestamp(0), &me, "x", "y").bounded();
        let Who::Principal(by) = entry.by else {
            panic!()
        };
        assert_eq!(by.client.len(), crate::limit::AUDIT_TEXT_BYTES_MAX);
    }
}
