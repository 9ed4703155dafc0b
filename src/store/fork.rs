//! A new task from an old one: what it takes along is read before the writer's turn, and written in
//! one batch with both records.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::codec::{Kept, StoredOnce, StoredRow, decode_with_tail};
use super::disk::{Disk, Space};
use super::group::{Draft, Step};
use super::keys::{self, Key};
use super::log::Tallies;
use super::shared::Handle;
use super::stage::{self, Turn};
use super::writer::Request;
use super::{Error, Refused, read};
use crate::audit;
use crate::id::{CheckpointId, TaskId, TaskKey};
use crate::task::{self, Actor, Change, Event, Illegal, Record, Spec, Stretch};

/// How often a fork begins anew because its parent changed under it.
const TRIES_MAX: usize = 8;

/// The fork that is asked for.
#[derive(Clone)]
pub(super) struct Wish {
    parent: TaskKey,
    child: TaskId,
    spec: Spec,
    at: Option<CheckpointId>,
}

impl Wish {
    pub(super) fn new(
        parent: &TaskKey,
        child: TaskId,
        spec: Spec,
        at: Option<CheckpointId>,
    ) -> Self {
        let parent = parent.clone();
        Self {
            parent,
            child,
            spec,
            at,
        }
    }

    fn child_of(&self, parent: &Record) -> Result<Record, Refused> {
        Ok(task::fork(parent, self.child, self.spec.clone(), self.at)?)
    }
}

/// A fork with what the child takes along.
pub(super) struct Copied {
    wish: Wish,
    /// The parent as it was when this was read.
    parent: Arc<Record>,
    values: Vec<(Key, Vec<u8>)>,
}

/// Forks a task.
pub(super) async fn fork(handle: &Handle, wish: Wish) -> Result<Arc<Record>, Refused> {
    for _ in 0..TRIES_MAX {
        let (asked, shared) = (wish.clone(), handle.shared().clone());
        let copied = handle.read(move |disk| {
            let parent = match shared.live(&asked.parent) {
                Some(parent) => Some(parent),
                None => read::record(disk, &asked.parent)?,
            };
            Ok(match parent {
                Some(parent) => copy(disk, asked, parent)?,
                None => Err(Refused::Unknown(asked.parent)),
            })
        });
        let copied = Box::new(copied.await??);
        let forked = handle.ask(|reply| Request::Fork(copied, reply)).await??;
        if let Some(child) = forked {
            return Ok(child);
        }
    }
    let record = handle.shared().live(&wish.parent);
    let status = record.map_or(task::Status::Paused, |record| record.status());
    let what = "be forked";
    Err(Illegal::NotNow { what, status }.into())
}

/// Stages a fork, unless the parent is not what it was.
pub(super) fn stage(
    draft: &Draft<'_>,
    tallies: &mut Tallies,
    copied: Copied,
) -> Result<(Step, Option<Arc<Record>>), Refused> {
    let wish = copied.wish;
    let parent = draft.record(&wish.parent)?;
    let parent = parent.ok_or_else(|| Refused::Unknown(wish.parent.clone()))?;
    if !is_same_journal(&parent, &copied.parent) {
        return Ok((Step::default(), None));
    }
    let child = wish.child_of(&parent)?;
    let key = child.key();
    if draft.record(&key)?.is_some() {
        return Err(Refused::Taken(key));
    }
    let mut step = Step::default();
    if let Some(holder) = stage::claim_key(draft, &mut step, &child)? {
        return Err(Refused::KeyReused { task: holder.key() });
    }
    let forked = Change {
        at: wish.spec.created,
        by: Actor::Principal(Arc::new(wish.spec.owner)),
        attempt: None,
        doubts: Vec::new(),
        event: Event::Forked { child: child.id },
    };
    let applied = task::apply(&parent, &forked)?;
    let turn = Turn {
        from: Some(&parent),
        to: Arc::new(applied.record),
        durable: true,
    };
    let entry = audit::Entry::changed((Some(&parent), &turn.to), &forked.by, Some(&forked.event));
    step.audit.extend(entry);
    let tally = tallies.of(draft, &wish.parent)?;
    stage::stage(&mut step, tally, turn, applied.effects)?;
    // After the parent's part is charged for: from here on it is the child's.
    for (key, value) in copied.values {
        step.put(key, value);
    }
    let child = Arc::new(child);
    stage::accept(&mut step, tallies.begin(&key), child.clone())?;
    Ok((step, Some(child)))
}

/// Whether a fork of either takes the same rows along.
fn is_same_journal(one: &Record, other: &Record) -> bool {
    let shape = |of: &Record| (of.stretch, of.steps, of.once_steps, of.steps_before);
    shape(one) == shape(other) && one.marks == other.marks && one.holes == other.holes
}

/// The stretches of which rows are kept.
fn kept_stretches(record: &Record) -> BTreeSet<Stretch> {
    let marked = record.marks.iter().map(|mark| mark.stretch);
    let stretches = marked.chain([record.stretch]);
    stretches
        .filter(|stretch| record.needs_rows_of(*stretch))
        .collect()
}

/// Reads what the child takes along. The outer error is the store's.
fn copy(disk: &Disk, wish: Wish, parent: Arc<Record>) -> Result<Result<Copied, Refused>, Error> {
    let child = match wish.child_of(&parent) {
        Ok(child) => child,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut step = Step::default();
    let (from, to) = (&wish.parent, &child.key());
    for stretch in kept_stretches(&child) {
        copy_rows(disk, &mut step, (from, to), (&child, stretch))?;
    }
    copy_once(disk, &mut step, (from, to))?;
    for mark in &*child.marks {
        let keys = (
            keys::checkpoint(from, mark.id),
            keys::checkpoint(to, mark.id),
        );
        copy_value(disk, &mut step, keys)?;
    }
    copy_value(
        disk,
        &mut step,
        (keys::arguments(from), keys::arguments(to)),
    )?;
    let values = step.writes.into_iter();
    let values = values.filter_map(|(key, value)| Some((key, value?)));
    Ok(Ok(Copied {
        values: values.collect(),
        wish,
        parent,
    }))
}

fn copy_rows(
    disk: &Disk,
    step: &mut Step,
    (from, to): (&TaskKey, &TaskKey),
    (child, stretch): (&Record, Stretch),
) -> Result<(), Error> {
    let mut apart = Vec::new();
    disk.scan(&keys::rows(from, stretch), None, |key, value| {
        let (stored, _): (StoredRow, _) = decode_with_tail(&key, value)?;
        let row = stored.row;
        if child.is_alive(row.place) {
            step.put(keys::row(to, &row.at), value.to_vec());
            if stored.output == Kept::Apart {
                apart.push(row.place);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for place in apart {
        let blob = |of| keys::row_blob(of, stretch, place);
        copy_value(disk, step, (blob(from), blob(to)))?;
    }
    Ok(())
}

fn copy_once(disk: &Disk, step: &mut Step, (from, to): (&TaskKey, &TaskKey)) -> Result<(), Error> {
    let mut apart = Vec::new();
    disk.scan(&keys::all(Space::Once, from), None, |key, value| {
        let (stored, _): (StoredOnce, _) = decode_with_tail(&key, value)?;
        let once = stored.once;
        step.put(keys::once(to, &once.at, &once.input), value.to_vec());
        if stored.output == Some(Kept::Apart) {
            apart.push(once);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for once in apart {
        let blob = |of| keys::once_blob(of, &once.at, &once.input);
        copy_value(disk, step, (blob(from), blob(to)))?;
    }
    Ok(())
}

fn copy_value(disk: &Disk, step: &mut Step, (from, to): (Key, Key)) -> Result<(), Error> {
    if let Some(value) = disk.get(&from)? {
        step.put(to, value);
    }
    Ok(())
}
