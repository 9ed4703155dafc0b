//! The rules, and what each is for: an explorer that drops one of them finds out.
//!
//! A rule is dropped by a wrapper around the decision that it is part of, never by a switch in the
//! product. So all the decisions that a runtime asks for are asked for here.

use std::sync::Arc;

use stepwell::id::{CheckpointId, Digest, TaskId};
use stepwell::task::{
    Applied, Attempt, CannotFork, Change, Ending, Event, How, Illegal, Journal, Once, Outcome,
    Pause, Reason, Record, State, ToolError, Wants, apply, fork,
};

use crate::disk::Disk;
use crate::names::{Name, Names};

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident),* $(,)?) => {
        /// A rule that can be dropped.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Rule { $($(#[$doc])* $rule,)* }

        impl Rule {
            pub(crate) const ALL: &[Self] = &[$(Self::$rule),*];
        }
    };
}

rules! {
    /// A stop waits until every row and doubt of the stretch was shown.
    Hold,
    /// Rows written after the stop was delivered do not hold it back.
    Mark,
    /// A doubt of a later stretch, after a restore, holds the stop back too.
    Ahead,
    /// A stop seen by `stop-requested` is delivered: no boundary returns it again.
    PollTold,
    /// `stop-requested` answers nothing until the attempt has caught up.
    PollLate,
    /// The SDK gives an abandoned number again only for the same input.
    SdkInput,
    /// The SDK's numbers skip those at work.
    SdkOpen,
    /// The key covers the input.
    KeyInput,
    /// `load` gives the tool's own state; the client's comes beside it.
    Beside,
    /// Rows stay while a kept client's checkpoint lies in their stretch.
    RowsKept,
    /// The meter is raised before the attempt's first record, whichever it is.
    UsageEnd,
    /// A deadline queues a paused task to tidy up.
    TidyPaused,
    /// There is a word for every end.
    HowAll,
    /// No fork and no restore of a task whose clean-up wrote rows.
    ForkGuard,
    /// The name of a question outside counts restores.
    AskGen,
    /// A boundary that stops does not raise the meter.
    RaiseLate,
    /// A save that stops has saved nothing.
    SaveStop,
    /// With clean-up rows, and untold in this attempt, the end is not `finished`.
    HowTruth,
    /// A fork of an ended task goes on with its keys.
    ForkKey,
    /// Restoring forgets the checkpoints that lie after it.
    DropLater,
}

/// The rules that hold in a run: all, or all but one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) dropped: Option<Rule>,
}

impl Rules {
    pub(crate) fn drops(self, rule: Rule) -> bool {
        self.dropped == Some(rule)
    }

    /// The journal that an attempt starts with.
    pub(crate) fn journal(self, disk: &Disk) -> Journal {
        let rows = disk.rows().cloned().map(|mut row| {
            row.clean_up &= !self.drops(Rule::Mark);
            row
        });
        let once = disk.once().cloned().map(|mut once| {
            once.clean_up &= !self.drops(Rule::Mark);
            // What a clean-up began holds no stop back.
            let later = once.at.stretch > disk.record.stretch;
            once.clean_up |= later && self.drops(Rule::Ahead);
            once
        });
        Journal::new(&disk.record, rows, once)
    }

    /// What happens before a boundary decides.
    pub(crate) fn before_boundary(self, attempt: &mut Attempt) {
        if self.drops(Rule::Hold) {
            attempt.journal.show_all();
        }
    }

    /// `stop-requested`.
    pub(crate) fn poll(self, attempt: &mut Attempt, record: &Record) -> bool {
        if self.drops(Rule::PollTold) && !attempt.is_told() {
            return attempt.clone().stop_requested(record).is_some();
        }
        if self.drops(Rule::PollLate) && !attempt.is_told() && attempt.at_work().is_none() {
            attempt.journal.show_all();
            return attempt.pause(record, Wants::default()) == Pause::Stop;
        }
        attempt.stop_requested(record).is_some()
    }

    /// The idempotency key of a step that an attempt enters.
    pub(crate) fn key(self, record: &Record, once: &str, decided: &Arc<str>) -> Arc<str> {
        if !self.drops(Rule::KeyInput) {
            return decided.clone();
        }
        format!("{}/{}/{once}", record.base, record.stretch).into()
    }

    /// The name of a question outside.
    pub(crate) fn question_key(self, record: &Record, name: &str) -> Arc<str> {
        let generation = match self.drops(Rule::AskGen) {
            true => 0,
            false => record.generation,
        };
        let record = Record {
            generation,
            ..record.clone()
        };
        Attempt::question_key(&record, name)
    }

    /// The checkpoint whose state a tool loads as its own.
    pub(crate) fn load(self, record: &Record) -> Option<CheckpointId> {
        match record.client {
            Some(client) if self.drops(Rule::Beside) => Some(client),
            _ => record.start,
        }
    }

    /// Whether the rows of a stretch are kept.
    pub(crate) fn keeps_rows(self, record: &Record, stretch: u32) -> bool {
        if self.drops(Rule::RowsKept) {
            return stretch == record.stretch;
        }
        record.needs_rows_of(stretch)
    }

    /// The transition.
    pub(crate) fn apply(self, record: &Record, change: &Change) -> Result<Applied, Illegal> {
        let mut record = record.clone();
        let guard = matches!(change.event, Event::Restored { .. });
        let returned = matches!(
            &change.event,
            Event::Ended {
                ending: Ending::Returned,
                ..
            }
        );
        if guard && self.drops(Rule::ForkGuard) || returned && self.drops(Rule::HowTruth) {
            record.clean_up = Arc::default();
        }
        if self.drops(Rule::TidyPaused) && forgets_work(&record, &change.event) {
            (record.steps, record.once_steps, record.stretch) = (0, 0, 0);
        }
        let mut applied = apply(&record, change)?;
        if guard && self.drops(Rule::DropLater) {
            applied.record.marks = record.marks.clone();
            applied.effects.clear();
        }
        if self.drops(Rule::HowAll) {
            unsay(&mut applied.record);
        }
        Ok(applied)
    }

    /// The fork of a task where it stands.
    pub(crate) fn fork(self, parent: &Record, id: TaskId) -> Result<Record, CannotFork> {
        let mut parent = parent.clone();
        if self.drops(Rule::ForkGuard) {
            parent.clean_up = Arc::default();
        }
        let mut child = fork(&parent, id, (*parent.spec).clone(), None)?;
        if self.drops(Rule::ForkKey) {
            child.base = id;
        }
        Ok(child)
    }

    /// The name that the SDK gives a step.
    pub(crate) fn name(self, names: &mut Names, base: &str, input: &str) -> Name {
        let input = match self.drops(Rule::SdkInput) {
            true => b"",
            false => input.as_bytes(),
        };
        let name = names.give(base, input);
        if self.drops(Rule::SdkOpen) {
            names.abandoned(&name);
        }
        name
    }

    /// The record of a `once` step, as it is written.
    pub(crate) fn once(self, record: &Record, once: Once) -> Once {
        Once {
            key: self.key(record, &once.at.name, &once.key),
            ..once
        }
    }
}

/// Whether the event is a deadline of a paused task.
fn forgets_work(record: &Record, event: &Event) -> bool {
    let deadline = matches!(
        event,
        Event::Stop {
            reason: Reason::DeadlineExceeded,
            ..
        }
    );
    deadline && matches!(record.state, State::Paused { .. })
}

/// Takes the word away for every end but those of a tool that was told, and of one that finished.
fn unsay(record: &mut Record) {
    let State::Finished { outcome, .. } = &mut record.state else {
        return;
    };
    let (Outcome::Cancelled { how } | Outcome::Failed { how: Some(how), .. }) = &*outcome else {
        return;
    };
    if let How::NotStarted | How::Immediate | How::Failed { told: false, .. } = how {
        let failure = stepwell::task::Failure::new(stepwell::task::Kind::Host, "no word");
        *outcome = Outcome::Failed { failure, how: None };
    }
}

/// How a guest ended, as the sandbox reports it.
pub(crate) fn ending(error: Option<ToolError>) -> Ending {
    error.map_or(Ending::Returned, Ending::Error)
}

/// The digest of what a guest hands over.
pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}
