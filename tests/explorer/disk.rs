//! What is durable of a task, as a store keeps it that removes nothing before it must, and
//! everything that it may.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepwell::id::{CheckpointId, Digest};
use stepwell::task::{Applied, Effect, Once, Record, Row, StepKey};

type Bytes = Arc<[u8]>;

/// A task on disk.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) record: Record,
    rows: BTreeMap<StepKey, (Row, Bytes)>,
    once: BTreeMap<(StepKey, Digest), (Once, Option<Bytes>)>,
    states: BTreeMap<CheckpointId, Bytes>,
}

impl Disk {
    pub(crate) fn new(record: Record) -> Self {
        Self {
            record,
            rows: BTreeMap::new(),
            once: BTreeMap::new(),
            states: BTreeMap::new(),
        }
    }

    /// One batch: the record, and all that goes with it.
    pub(crate) fn write(&mut self, applied: Applied, keep_rows: impl Fn(&Record, u32) -> bool) {
        self.record = applied.record;
        for effect in applied.effects {
            match effect {
                Effect::Row { row, output } => {
                    self.rows.insert(row.at.clone(), (row, output));
                }
                Effect::Once { once, output } => {
                    self.once
                        .insert((once.at.clone(), once.input), (once, output));
                }
                Effect::Checkpoint(checkpoint) => {
                    self.states.insert(checkpoint.mark.id, checkpoint.state);
                }
                Effect::ForgetCheckpoint(id) => {
                    self.states.remove(&id);
                }
                Effect::Output(_) | Effect::Emit(_) => {}
            }
        }
        let record = &self.record;
        self.rows.retain(|at, _| keep_rows(record, at.stretch));
    }

    /// The row at a place, if it is still true.
    pub(crate) fn row(&self, at: &StepKey) -> Option<&(Row, Bytes)> {
        let row = self.rows.get(at)?;
        self.record.is_alive(row.0.place).then_some(row)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().map(|(row, _)| row)
    }

    pub(crate) fn once(&self) -> impl Iterator<Item = &Once> {
        self.once.values().map(|(once, _)| once)
    }

    /// What is known of the `once` step at a place with an input, and what it returned.
    pub(crate) fn known(&self, at: &StepKey, input: Digest) -> Option<&(Once, Option<Bytes>)> {
        self.once.get(&(at.clone(), input))
    }

    pub(crate) fn state(&self, id: CheckpointId) -> Option<&Bytes> {
        self.states.get(&id)
    }

    /// Whether the record's counts are those of what is really there.
    pub(crate) fn counts_right(&self) -> bool {
        let record = &self.record;
        let rows = self
            .rows
            .values()
            .filter(|(row, _)| row.at.stretch == record.stretch && record.is_alive(row.place));
        let (steps, bytes) = rows.fold((0, 0), |(steps, bytes), (_, output)| {
            (steps + 1, bytes + output.len() as u64)
        });
        let marks = record
            .marks
            .iter()
            .all(|mark| self.states.contains_key(&mark.id));
        (steps, bytes) == (record.steps, record.journal)
            && record.once_steps == self.once.len() as u64
            && marks
    }
}
