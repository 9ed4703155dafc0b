//! What a change writes: the task as it is then, its events, and the entries it is found by.

use std::sync::Arc;

use super::account;
use super::codec::{
    self, Head, Kept, KeyHolder, Listed, StoredEvent, StoredOnce, StoredRow, decode, encode,
    encode_blob,
};
use super::group::{Draft, Step};
use super::keys::{self, Key};
use super::log::{self, Tallies, Tally};
use super::notes::{self, Owners};
use super::{Commit, Error, NewTask, Refused, Submitted, is_durable, status_byte};
use crate::audit;
use crate::id::TaskKey;
use crate::task::{self, Actor, Change, Effect, Entry, Once, Record, Row};

/// A record before and after a change.
pub(super) struct Turn<'a> {
    /// Nothing for a task that is new.
    pub(super) from: Option<&'a Record>,
    /// The task as it is then.
    pub(super) to: Arc<Record>,
    /// Whether it is synced before it is acknowledged.
    pub(super) durable: bool,
}

impl Turn<'_> {
    /// Whether anybody has to act on it but the attempt whose change it is. A step that is done is
    /// most of all changes, and nobody else's business: telling the supervisor of it would cost as
    /// much again as the step does beside its sync.
    fn is_news(&self) -> bool {
        let Some(from) = self.from else { return true };
        let lies = |record: &Record| (record.attempt, record.stretch, record.generation);
        from.state != self.to.state
            || lies(from) != lies(&self.to)
            || from.forks != self.to.forks
            || !Arc::ptr_eq(&from.marks, &self.to.marks)
    }
}

/// Stages a new task, unless its idempotency key is known. One that is answered already is at its
/// end with it.
pub(super) fn submit(
    draft: &Draft<'_>,
    (tallies, owners): (&mut Tallies, &mut Owners),
    new: NewTask,
) -> Result<(Step, Submitted), Refused> {
    let mut step = Step::default();
    let record = match new.answered {
        None => Record::accepted(new.id, new.spec),
        Some(_) => Record::answered(new.id, new.spec),
    };
    let task = record.key();
    if let Some(existing) = claim_key(draft, &mut step, &record)? {
        return Ok((Step::default(), Submitted::Existing(existing)));
    }
    if draft.record(&task)?.is_some() {
        return Err(Refused::Taken(task));
    }
    notes::claim_name((draft, &mut step), owners, &record)?;
    step.put(keys::arguments(&task), encode_blob(&new.arguments));
    if let Some(output) = &new.answered {
        step.put(keys::output(&task), encode_blob(output));
    }
    let record = Arc::new(record);
    accept(&mut step, tallies.begin(&task), record.clone())?;
    Ok((step, Submitted::New(record)))
}

/// Stages the record of a task that is new.
pub(super) fn accept(step: &mut Step, tally: &mut Tally, record: Arc<Record>) -> Result<(), Error> {
    let accepted = Entry::Status {
        from: None,
        to: record.status(),
    };
    let by = Actor::Principal(Arc::new(record.spec.owner.clone()));
    step.audit
        .extend(audit::Entry::changed((None, &record), &by, None));
    let turn = Turn {
        from: None,
        to: record,
        durable: true,
    };
    stage(step, tally, turn, vec![Effect::Emit(accepted)])
}

/// Gives the idempotency key of `record` to it; returns the task that has it already, if that has
/// the same arguments.
pub(super) fn claim_key(
    draft: &Draft<'_>,
    step: &mut Step,
    record: &Record,
) -> Result<Option<Arc<Record>>, Refused> {
    let Some(of) = codec::key_of(&record.spec) else {
        return Ok(None);
    };
    let tenant = &record.spec.owner.tenant;
    let key = keys::idempotency(tenant, &of);
    if let Some(bytes) = draft.get(&key)? {
        let holder: KeyHolder = decode(&key, &bytes)?;
        let task = TaskKey {
            tenant: tenant.clone(),
            id: holder.task,
        };
        if holder.arguments != record.spec.arguments {
            return Err(Refused::KeyReused { task });
        }
        let existing = draft.record(&task)?;
        let existing = existing.ok_or_else(|| codec::incomplete(&task, "record"))?;
        return Ok(Some(existing));
    }
    let holder = KeyHolder {
        task: record.id,
        arguments: record.spec.arguments,
    };
    step.put(key, encode(&holder, &[])?);
    Ok(None)
}

/// Stages a change of a task as it is in `draft`.
pub(super) fn change(
    draft: &Draft<'_>,
    tallies: &mut Tallies,
    task: &TaskKey,
    change: &Change,
) -> Result<(Step, Arc<Record>), Refused> {
    let before = draft.record(task)?;
    let before = before.ok_or_else(|| Refused::Unknown(task.clone()))?;
    let applied = task::apply(&before, change)?;
    let record = Arc::new(applied.record);
    let mut step = Step::default();
    let turn = Turn {
        from: Some(&before),
        to: record.clone(),
        durable: is_durable(change),
    };
    step.grown -= account::replaced(draft, &record, &applied.effects)?;
    let entry = audit::Entry::changed((Some(&before), &record), &change.by, Some(&change.event));
    step.audit.extend(entry);
    stage(&mut step, tallies.of(draft, task)?, turn, applied.effects)?;
    Ok((step, record))
}

/// Stages a record, its effects and its index entries.
pub(super) fn stage(
    step: &mut Step,
    tally: &mut Tally,
    turn: Turn<'_>,
    effects: Vec<Effect>,
) -> Result<(), Error> {
    let (record, task) = (&turn.to, turn.to.key());
    step.durable |= turn.durable;
    let is_event = |effect: &&Effect| matches!(effect, Effect::Emit(_));
    let events = effects.iter().filter(is_event).count() as u64;
    let mut progress = None;
    if record.state.is_terminal() {
        // After the end there is nothing: what is held of the progress comes before it.
        progress = tally.take_held();
        tally.reserve_last(events + u64::from(progress.is_some()));
        step.durable = true;
    } else if step.durable {
        tally.reserve_ahead(events);
    } else {
        step.durable |= tally.reserve(events);
    }
    facts(step, &task, &turn)?;
    index(step, &task, &turn)?;
    if let Some(progress) = progress {
        log::put_progress(step, &task, tally, progress)?;
    }
    for effect in effects {
        stage_effect(step, (&task, record), tally, effect)?;
    }
    account::charge(step, &mut tally.account, &turn);
    step.put(keys::head(&task), encode(&Head::of(record, tally), &[])?);
    tally.is_ahead = false;
    if turn.is_news() {
        step.commits.push(Commit {
            record: record.clone(),
            from: turn.from.map(Record::status),
        });
    }
    step.records.push((task, Some(turn.to)));
    Ok(())
}

fn facts(step: &mut Step, task: &TaskKey, turn: &Turn<'_>) -> Result<(), Error> {
    let to = &turn.to;
    if turn.from.is_none() {
        step.put(keys::spec(task), encode(&to.spec, &[])?);
    }
    let (marks, holes) = match turn.from {
        Some(from) => (
            !Arc::ptr_eq(&from.marks, &to.marks),
            !Arc::ptr_eq(&from.holes, &to.holes),
        ),
        None => (!to.marks.is_empty(), !to.holes.is_empty()),
    };
    if marks {
        step.put(keys::marks(task), encode(&to.marks, &[])?);
    }
    if holes {
        step.put(keys::holes(task), encode(&to.holes, &[])?);
    }
    Ok(())
}

fn index(step: &mut Step, task: &TaskKey, turn: &Turn<'_>) -> Result<(), Error> {
    let to = &turn.to;
    let (from, status) = (turn.from.map(Record::status), to.status());
    if from == Some(status) {
        return Ok(());
    }
    let listed = Listed {
        status: status_byte(status),
        owner: codec::owner(&to.spec.owner),
    };
    let key = keys::listed(&task.tenant, to.spec.created, to.id);
    step.put(key, encode(&listed, &[])?);
    if status.is_terminal() {
        step.remove(keys::live(task));
        step.put(keys::expiry(to.expires(), task), encode(&(), &[])?);
    } else if from.is_none() {
        step.put(keys::live(task), encode(&(), &[])?);
    }
    Ok(())
}

fn stage_effect(
    step: &mut Step,
    (task, record): (&TaskKey, &Record),
    tally: &mut Tally,
    effect: Effect,
) -> Result<(), Error> {
    match effect {
        Effect::Row { row, output } => put_row(step, task, row, &output)?,
        Effect::Once { once, output } => put_once(step, task, once, output.as_deref())?,
        Effect::Checkpoint(checkpoint) => {
            let value = encode(&checkpoint.mark, &checkpoint.state)?;
            step.put(keys::checkpoint(task, checkpoint.mark.id), value);
        }
        Effect::ForgetCheckpoint(id) => step.remove(keys::checkpoint(task, id)),
        Effect::Output(output) => step.put(keys::output(task), encode_blob(&output)),
        Effect::Emit(entry) => {
            let event = StoredEvent {
                at: record.updated,
                attempt: record.attempt,
                entry,
            };
            step.put(keys::event(task, tally.take()), encode(&event, &[])?);
        }
    }
    Ok(())
}

/// Stages a row; a long output lies apart.
pub(super) fn put_row(
    step: &mut Step,
    task: &TaskKey,
    row: Row,
    output: &[u8],
) -> Result<(), Error> {
    let key = keys::row(task, &row.at);
    let blob = || keys::row_blob(task, row.at.stretch, row.place);
    let (kept, tail) = keep(step, blob, output);
    let value = encode(&StoredRow { row, output: kept }, tail)?;
    step.put(key, value);
    Ok(())
}

/// Stages a `once` record; a long output lies apart.
///
/// The output of the row that completes it is the same and is stored again: the row goes with its
/// stretch, and this is kept for as long as the task is, since a later stretch may ask for it. The
/// bytes cost less than a reference that a removal would have to count.
pub(super) fn put_once(
    step: &mut Step,
    task: &TaskKey,
    once: Once,
    output: Option<&[u8]>,
) -> Result<(), Error> {
    let key = keys::once(task, &once.at, &once.input);
    let blob = || keys::once_blob(task, &once.at, &once.input);
    let (kept, tail) = match output.map(|output| keep(step, blob, output)) {
        Some((kept, tail)) => (Some(kept), tail),
        None => (None, &[][..]),
    };
    let value = encode(&StoredOnce { once, output: kept }, tail)?;
    step.put(key, value);
    Ok(())
}

fn keep<'a>(step: &mut Step, blob: impl FnOnce() -> Key, output: &'a [u8]) -> (Kept, &'a [u8]) {
    if !codec::is_long(output) {
        return (Kept::Inline, output);
    }
    step.put(blob(), encode_blob(output));
    (Kept::Apart, &[])
}
