//! What an attempt knows of the journal: which steps are done, and which `once` steps were begun.
//!
//! Only what decides is held here. Outputs stay in the store until a replay hands them out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Record, Stretch};
use crate::id::{Digest, TaskId};

/// Where a step, a sleep or a question is found: by its name in a stretch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StepKey {
    /// The stretch.
    pub stretch: Stretch,
    /// The name, unique in it.
    pub name: Arc<str>,
}

/// What a row of the journal is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RowKind {
    /// A completed step.
    Step,
    /// A sleep that is over.
    Sleep,
    /// An answered question.
    Answer,
}

/// A row of the journal: something that is done. Its output is kept beside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Where it is found.
    pub at: StepKey,
    /// What it is of.
    pub kind: RowKind,
    /// The digest of its input.
    pub input: Digest,
    /// Its place in the journal; the store gives it when the row is written.
    pub place: u64,
    /// Whether it was written by an attempt that had been told to stop.
    pub clean_up: bool,
}

/// What is known of a `once` step that was begun. It is kept for the task's life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Once {
    /// Where it is found.
    pub at: StepKey,
    /// The digest of its input.
    pub input: Digest,
    /// The idempotency key that it was begun with.
    pub key: Arc<str>,
    /// How often the task had been restored when it was begun.
    pub generation: u32,
    /// Its place in the journal; the store gives it when the record is written.
    pub place: u64,
    /// Whether it was begun by an attempt that had been told to stop.
    pub clean_up: bool,
    /// Whether it was completed. What it returned is kept beside it.
    pub completed: bool,
}

/// The rows and `once` records that one attempt starts from, and what it was shown of them.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub(super) rows: BTreeMap<StepKey, Known<Row>>,
    pub(super) once: BTreeMap<StepKey, Vec<Known<Once>>>,
}

/// Something durable, and whether this attempt was shown it.
#[derive(Clone, Debug)]
pub(super) struct Known<T> {
    pub(super) it: T,
    pub(super) shown: bool,
}

impl<T> Known<T> {
    fn unseen(it: T) -> Self {
        Self { it, shown: false }
    }
}

impl Journal {
    /// The journal of `record`: its alive rows, and every `once` record of the task.
    pub fn new(
        record: &Record,
        rows: impl IntoIterator<Item = Row>,
        once: impl IntoIterator<Item = Once>,
    ) -> Self {
        let mut journal = Self::default();
        for row in rows.into_iter().filter(|row| record.is_alive(row.place)) {
            journal.rows.insert(row.at.clone(), Known::unseen(row));
        }
        for once in once {
            journal
                .once
                .entry(once.at.clone())
                .or_default()
                .push(Known::unseen(once));
        }
        journal
    }

    /// How many rows and `once` records of `stretch`, and `once` records of later ones, were not
    /// shown. Those of a clean-up hold nothing back: the tool is told again instead.
    pub(super) fn unseen(&self, stretch: Stretch) -> usize {
        let first = StepKey {
            stretch,
            name: "".into(),
        };
        let rows = self.rows.range(&first..).map(|(_, row)| row);
        let rows = rows.filter(|row| row.it.at.stretch == stretch);
        let rows = rows.filter(|row| !row.shown && !row.it.clean_up).count();
        let once = self.once.range(&first..).flat_map(|(_, once)| once);
        rows + once.filter(|once| !once.shown && !once.it.clean_up).count()
    }

    /// Marks everything as shown: for a test of what the rule is for.
    pub fn show_all(&mut self) {
        self.rows.values_mut().for_each(|row| row.shown = true);
        self.once
            .values_mut()
            .flatten()
            .for_each(|once| once.shown = true);
    }

    /// Names of the `once` steps that may or may not have taken effect, and that the tool never
    /// asked for.
    pub fn doubts(&self) -> Vec<Arc<str>> {
        let once = self.once.values().flatten();
        let open = once.filter(|once| !once.it.completed && !once.shown);
        open.map(|once| once.it.at.name.clone()).collect()
    }
}

/// The idempotency key of a step: the same in every attempt, another after the next checkpoint,
/// and no other step's, because name and input are part of it.
pub(super) fn step_key(base: TaskId, at: &StepKey, input: &Digest) -> Arc<str> {
    let parts: [&[u8]; 5] = [
        b"stepwell.step/1",
        base.as_bytes(),
        &at.stretch.to_be_bytes(),
        at.name.as_bytes(),
        &input.0,
    ];
    Digest::of_parts(&parts).short().into()
}
