//! What a host call at a boundary does, given the durable record and the attempt.
//!
//! Each function decides and writes nothing: it returns what the runtime has to make durable
//! before it answers the tool. Stop, then suspension, are decided before that, so a boundary that
//! stops or suspends has recorded nothing.

use std::sync::Arc;

use super::attempt::Work;
use super::journal::step_key;
use super::{Attempt, Failure, Kind, Once, Record, Row, RowKind, StepKey, Stop, Wants};
use crate::id::Digest;
use crate::limit::{NAME_BYTES_MAX, Name as Limit};

mod question;

/// What entering a step comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Begin {
    /// It is done: the output of this row is the answer.
    Replay(StepKey),
    /// It is a `once` step that was begun before. It is at work now.
    InDoubt {
        /// What is known of it. Where it was completed, what it returned is shown.
        once: Once,
    },
    /// It is not done yet. It is at work now, once `write` is durable.
    Run {
        /// Its idempotency key.
        key: Arc<str>,
        /// The start of a `once` step, to be durable before the work.
        write: Option<Once>,
    },
    /// The tool is told to stop. Nothing was recorded.
    Stop,
    /// The guest is taken away. Nothing was recorded.
    Suspend,
}

/// What saving a checkpoint comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Save {
    /// It is to be written.
    Write,
    /// The tool is told to stop. Nothing was saved.
    Stop,
    /// The guest is taken away. Nothing was saved.
    Suspend,
}

/// What a sleep or a set of questions comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waited {
    /// It is over: these rows have what came of it, one for each name.
    Over(Vec<StepKey>),
    /// It begins: these names have no row yet.
    Wait(Vec<Arc<str>>),
    /// A stop is recorded, and the tool was told before or is not told yet: a sleep stays loaded,
    /// nobody is asked any more.
    Told,
    /// The tool is told to stop. Nothing was recorded.
    Stop,
    /// The guest is taken away. Nothing was recorded.
    Suspend,
}

/// What a boundary that is not answered from the journal does first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pause {
    /// The tool is told.
    Stop,
    /// The guest is taken away.
    Suspend,
    /// It goes on.
    None,
}

impl Attempt {
    /// Enters the step called `name`.
    pub fn begin(
        &mut self,
        record: &Record,
        wants: Wants,
        (name, input): (&Arc<str>, Digest),
        once: bool,
    ) -> Result<Begin, Failure> {
        check_name(name)?;
        if self.work.contains_key(name) {
            return Err(misuse(format!("step `{name}` is at work already")));
        }
        let at = Self::at(record, name);
        if self.replay(&at, RowKind::Step, input)? {
            return Ok(Begin::Replay(at));
        }
        if let Some(doubt) = self.doubt(record, &at, input)? {
            let (key, input) = (doubt.key.clone(), doubt.input);
            self.work.insert(
                name.clone(),
                Work {
                    key,
                    input,
                    once: true,
                },
            );
            return Ok(Begin::InDoubt { once: doubt });
        }
        match self.pause(record, wants) {
            Pause::Stop => return Ok(Begin::Stop),
            Pause::Suspend => return Ok(Begin::Suspend),
            Pause::None => {}
        }
        self.check_room(record, once)?;
        self.freshen(record);
        let key = step_key(record.base, &at, &input);
        self.work.insert(
            name.clone(),
            Work {
                key: key.clone(),
                input,
                once,
            },
        );
        let write = once.then_some(Once {
            at,
            input,
            key: key.clone(),
            generation: record.generation,
            place: 0,
            clean_up: self.told,
            completed: false,
        });
        Ok(Begin::Run { key, write })
    }

    /// Ends the work of a step with an output: the row to write, and the `once` record that it
    /// completes.
    pub fn complete(
        &mut self,
        record: &Record,
        name: &str,
    ) -> Result<(Row, Option<Once>), Failure> {
        let Some((name, work)) = self.work.remove_entry(name) else {
            return Err(misuse(format!("step `{name}` is not at work")));
        };
        let at = Self::at(record, &name);
        if self.journal.rows.contains_key(&at) {
            return Err(misuse(format!("step `{name}` is complete already")));
        }
        let once = work
            .once
            .then(|| self.once(&at, work.input).cloned())
            .flatten();
        let once = once.map(|once| Once {
            completed: true,
            ..once
        });
        let (kind, input) = (RowKind::Step, work.input);
        Ok((
            Row {
                at,
                kind,
                input,
                place: 0,
                clean_up: self.told,
            },
            once,
        ))
    }

    /// Leaves a step undone. It may be begun again.
    pub fn abandon(&mut self, name: &str) {
        self.work.remove(name);
    }

    /// Whether a checkpoint may be written.
    pub fn save(&mut self, record: &Record, wants: Wants) -> Result<Save, Failure> {
        self.none_at_work("save")?;
        match self.pause(record, wants) {
            Pause::Stop => return Ok(Save::Stop),
            Pause::Suspend => return Ok(Save::Suspend),
            Pause::None => {}
        }
        self.freshen(record);
        Ok(Save::Write)
    }

    /// Sleeps, or asks: `names` are those of the sleep or of all questions, with their inputs.
    pub fn wait(
        &mut self,
        record: &Record,
        wants: Wants,
        kind: RowKind,
        names: &[(Arc<str>, Digest)],
    ) -> Result<Waited, Failure> {
        let (mut over, mut open) = (Vec::new(), Vec::new());
        for (name, input) in names {
            check_name(name)?;
            let at = Self::at(record, name);
            if open.contains(name) || over.contains(&at) {
                return Err(misuse(format!("`{name}` is asked twice at once")));
            }
            match self.replay(&at, kind, *input)? {
                true => over.push(at),
                false => open.push(name.clone()),
            }
        }
        if open.is_empty() {
            return Ok(Waited::Over(over));
        }
        self.none_at_work(if kind == RowKind::Sleep {
            "sleep"
        } else {
            "ask"
        })?;
        match self.pause(record, wants) {
            Pause::Stop => return Ok(Waited::Stop),
            Pause::Suspend => return Ok(Waited::Suspend),
            Pause::None => {}
        }
        self.freshen(record);
        // A stop that is held back holds for a wait too: an unloaded task would be queued for it
        // at once, and come back here.
        if self.told || record.state.stop().is_some() {
            return Ok(Waited::Told);
        }
        check_rows(record, open.len() as u64)?;
        if kind == RowKind::Answer {
            check_bytes(record, open.len() as u64)?;
        }
        Ok(Waited::Wait(open))
    }

    /// Whether the tool should come to an end: silent until the attempt has caught up, and its
    /// first answer is the delivery.
    pub fn stop_requested<'r>(&mut self, record: &'r Record) -> Option<&'r Stop> {
        let stop = record.state.stop()?;
        let due = self.fresh && self.stop_due(record);
        if !self.told && !due {
            return None;
        }
        self.told = true;
        self.freshen(record);
        Some(stop)
    }

    /// What a fresh boundary does first: nothing while a step is at work.
    pub fn pause(&mut self, record: &Record, wants: Wants) -> Pause {
        if !self.work.is_empty() {
            return Pause::None;
        }
        if self.stop_due(record) {
            self.told = true;
            self.freshen(record);
            return Pause::Stop;
        }
        if wants.suspension() {
            Pause::Suspend
        } else {
            Pause::None
        }
    }

    /// Whether `at` is answered from the journal.
    fn replay(&mut self, at: &StepKey, kind: RowKind, input: Digest) -> Result<bool, Failure> {
        let Some(row) = self.journal.rows.get_mut(at) else {
            return Ok(false);
        };
        if row.it.kind != kind || row.it.input != input {
            return Err(changed(at));
        }
        row.shown = true;
        // The row is what came of the `once` step: what is known of it is shown with it.
        let known = self.journal.once.get_mut(at);
        known
            .into_iter()
            .flatten()
            .for_each(|once| once.shown = true);
        Ok(true)
    }

    /// What is known of a `once` step that was begun before with this input.
    fn doubt(
        &mut self,
        record: &Record,
        at: &StepKey,
        input: Digest,
    ) -> Result<Option<Once>, Failure> {
        let Some(known) = self.journal.once.get_mut(at) else {
            return Ok(None);
        };
        let same = known
            .iter()
            .find(|once| once.it.input == input)
            .map(|once| once.it.clone());
        // In one life of the task another input means that the tool has changed. After a restore
        // it is a step of its own, and the tool has left the old one behind.
        if same.is_none()
            && known
                .iter()
                .any(|once| once.it.generation == record.generation)
        {
            return Err(changed(at));
        }
        known.iter_mut().for_each(|once| once.shown = true);
        Ok(same)
    }

    fn once(&self, at: &StepKey, input: Digest) -> Option<&Once> {
        let known = self.journal.once.get(at)?;
        known
            .iter()
            .map(|once| &once.it)
            .find(|once| once.input == input)
    }

    fn none_at_work(&self, call: &str) -> Result<(), Failure> {
        match self.at_work() {
            Some(name) => Err(misuse(format!("`{call}` while step `{name}` is at work"))),
            None => Ok(()),
        }
    }

    /// Room is checked when a step begins, against the largest output allowed and all steps at
    /// work, so that completing one never fails for want of it.
    fn check_room(&self, record: &Record, once: bool) -> Result<(), Failure> {
        let limits = &record.spec.limits;
        let open = self.work.len() as u64 + 1;
        check_rows(record, open)?;
        check_bytes(record, open)?;
        if once && record.once_steps >= limits.once_steps {
            let used = record.once_steps;
            return Err(exceeded(
                Limit::OnceSteps,
                &format!("{used} of {}", limits.once_steps),
            ));
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(misuse(format!(
            "a name has 1 to {NAME_BYTES_MAX} bytes, not {}",
            name.len()
        )));
    }
    if name.contains(['@', '!']) || name.chars().any(char::is_control) {
        return Err(misuse(
            "a name holds neither `@` nor `!` nor control characters".into(),
        ));
    }
    Ok(())
}

fn check_rows(record: &Record, more: u64) -> Result<(), Failure> {
    let (used, max) = (record.steps, record.spec.limits.steps);
    if used + more > max {
        return Err(exceeded(
            Limit::Steps,
            &format!("{used} of {max} since the checkpoint"),
        ));
    }
    Ok(())
}

/// Whether there is room for so many more of the largest outputs.
fn check_bytes(record: &Record, more: u64) -> Result<(), Failure> {
    let limits = &record.spec.limits;
    let needed = more.saturating_mul(limits.step_output);
    if record.journal.saturating_add(needed) > limits.journal {
        let used = format!("{} of {} bytes", record.journal, limits.journal);
        return Err(exceeded(Limit::Journal, &used));
    }
    Ok(())
}

fn misuse(message: String) -> Failure {
    Failure::new(Kind::Misuse, message)
}

fn exceeded(limit: Limit, used: &str) -> Failure {
    Failure::new(Kind::LimitExceeded(limit), format!("{limit}: {used} used"))
}

fn changed(at: &StepKey) -> Failure {
    let message = format!("step `{}` was journalled with another input", at.name);
    Failure::new(Kind::StepChanged, message)
}
