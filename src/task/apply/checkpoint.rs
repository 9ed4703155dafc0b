//! Checkpoints: which are kept, and how a task goes back to one.

use std::sync::Arc;

use super::super::change::{Effect, Entry};
use super::super::{Checkpoint, Hole, Mark, Origin, Record, State};
use super::{Illegal, Step};
use crate::id::CheckpointId;
use crate::limit::{RESTORES_MAX, TOOL_CHECKPOINTS_MAX};

impl Step {
    pub(super) fn client_saved(&mut self, state: &Arc<[u8]>) {
        self.keep(Origin::Client, self.record.start, state);
    }

    /// Keeps a new checkpoint, and forgets the oldest past the limits. The tool's newest, and
    /// those that a client's checkpoint starts from, are never forgotten.
    pub(super) fn keep(&mut self, origin: Origin, start: Option<CheckpointId>, state: &Arc<[u8]>) {
        let record = &mut self.record;
        let mark = Mark {
            id: CheckpointId(record.seq),
            origin,
            stretch: record.stretch,
            start,
            steps: record.steps,
            journal: record.journal,
            steps_before: record.steps_before,
            at: self.at,
            bytes: state.len() as u64,
        };
        let mut marks = record.marks.to_vec();
        marks.push(mark);
        let forgotten = surplus(&marks, record);
        marks.retain(|mark| !forgotten.contains(&mark.id));
        record.marks = marks.into();
        self.effects.push(Effect::Checkpoint(Checkpoint {
            mark,
            state: state.clone(),
        }));
        self.effects
            .extend(forgotten.into_iter().map(Effect::ForgetCheckpoint));
        self.emit(Entry::CheckpointSaved {
            id: mark.id,
            origin,
        });
    }

    /// Goes back to a checkpoint and forgets only what lies after it.
    pub(super) fn restore(&mut self, checkpoint: CheckpointId, go_on: bool) -> Result<(), Illegal> {
        if matches!(self.record.state, State::Running { .. }) {
            return Err(self.not_now("be restored"));
        }
        go_back(&mut self.record, checkpoint).map(|forgotten| {
            self.effects
                .extend(forgotten.into_iter().map(Effect::ForgetCheckpoint));
        })?;
        self.record.state = match &self.record.state {
            State::Paused { .. } if !go_on => State::Paused { wait: None },
            state => State::Queued {
                not_before: None,
                stop: state.stop().cloned(),
            },
        };
        self.emit(Entry::Restored { checkpoint });
        Ok(())
    }
}

impl Record {
    /// Whether the task could go back to a checkpoint, were it not at work.
    pub fn check_restore(&self, to: CheckpointId) -> Result<(), Illegal> {
        if self.spec.is_of_host() {
            return Err(Illegal::Answered);
        }
        if self.state.is_terminal() {
            return Err(Illegal::Ended(self.status()));
        }
        go_back(&mut self.clone(), to).map(drop)
    }
}

/// Takes `record` back to a checkpoint. Returns the checkpoints that lie after it.
pub(in crate::task) fn go_back(
    record: &mut Record,
    to: CheckpointId,
) -> Result<Vec<CheckpointId>, Illegal> {
    let mark = record.mark(to).ok_or(Illegal::NoCheckpoint(to))?;
    if !record.clean_up.is_empty() {
        return Err(Illegal::CleanUp(record.clean_up.to_vec()));
    }
    if record.generation >= RESTORES_MAX {
        return Err(Illegal::RestoredTooOften);
    }
    let hole = Hole {
        after: mark.place(),
        upto: record.seq,
    };
    let holes = record
        .holes
        .iter()
        .filter(|earlier| earlier.after < hole.after);
    record.holes = holes.copied().chain([hole]).collect();
    let (kept, forgotten): (Vec<_>, Vec<_>) = record
        .marks
        .iter()
        .partition(|kept| kept.place() <= mark.place());
    record.marks = kept.into();
    record.generation += 1;
    record.stretch = mark.stretch;
    record.start = mark.start;
    record.client = (mark.origin == Origin::Client).then_some(mark.id);
    record.steps = mark.steps;
    record.journal = mark.journal;
    record.steps_before = mark.steps_before;
    Ok(forgotten.iter().map(|mark: &Mark| mark.id).collect())
}

/// The checkpoints past the limits, oldest first.
fn surplus(marks: &[Mark], record: &Record) -> Vec<CheckpointId> {
    let of = |origin| marks.iter().filter(move |mark| mark.origin == origin);
    let clients = of(Origin::Client).count();
    let clients_max = usize::try_from(record.spec.limits.client_checkpoints).unwrap_or(usize::MAX);
    let surplus = clients.saturating_sub(clients_max);
    let old: Vec<_> = of(Origin::Client)
        .take(surplus)
        .map(|mark| mark.id)
        .collect();
    let is_start = |id| {
        let clients = of(Origin::Client).filter(|mark| !old.contains(&mark.id));
        clients.into_iter().any(|mark| mark.start == Some(id)) || record.start == Some(id)
    };
    let tools = of(Origin::Tool).count();
    let surplus = tools.saturating_sub(TOOL_CHECKPOINTS_MAX + 1);
    let tools = of(Origin::Tool)
        .take(surplus)
        .map(|mark| mark.id)
        .filter(|id| !is_start(*id));
    tools.chain(old.iter().copied()).collect()
}
