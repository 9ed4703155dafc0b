//! The host's side of one task, as the runtime has it: each operation decides, changes the record
//! through `apply`, writes, and notes in the attempt what is durable now.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepwell::clock::Timestamp;
use stepwell::id::CheckpointId;
use stepwell::task::{
    Actor, Attempt, Begin, Change, Effect, Ending, Event, Fenced, Journal, Record, Save, State,
    StepKey, Usage, Wants,
};

use crate::choose::Chooser;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::guests::Guest;
use crate::rules::{Rule, Rules, digest};
use crate::script::Script;
use crate::sdk::{Entered, Memo};
use crate::table;
use crate::world::{Break, Ghost, Step, World, need};

/// What an effect costs, and what any other call does.
pub(crate) const EFFECT_COST: u64 = 5;
pub(crate) const CALL_COST: u64 = 1;

/// A step at work.
pub(crate) struct Working {
    pub(crate) key: Arc<str>,
    pub(crate) once: bool,
    pub(crate) in_doubt: bool,
}

/// The attempt that is loaded, and what the host knows beside it.
pub(crate) struct Loaded {
    pub(crate) attempt: Attempt,
    meter: u64,
    raised: bool,
    /// How often it was told to stop, by a boundary and by `stop-requested`.
    told: u32,
    polled: bool,
    pub(crate) work: BTreeMap<Arc<str>, Working>,
    /// How many calls the guest has made.
    pub(crate) calls: u32,
}

impl Loaded {
    pub(crate) fn new(record: &Record, journal: Journal) -> Self {
        Self {
            attempt: Attempt::new(record, journal),
            meter: 0,
            raised: false,
            told: 0,
            polled: false,
            work: BTreeMap::new(),
            calls: 0,
        }
    }
}

/// One run of one task.
pub(crate) struct Host {
    pub(crate) rules: Rules,
    pub(crate) guest: &'static Guest,
    pub(crate) chooser: Chooser,
    pub(crate) faults: &'static [Fault],
    /// How many faults may still happen.
    pub(crate) budget: u32,
    pub(crate) world: World,
    pub(crate) disk: Disk,
    pub(crate) ghost: Ghost,
    pub(crate) loaded: Loaded,
    pub(crate) wants: Wants,
    pub(crate) restore_to: Option<CheckpointId>,
    pub(crate) now: Timestamp,
    /// Whether a `repeatable` step may take effect once more: in a fork of a paused task.
    pub(crate) exempt: bool,
    pub(crate) flakes: u32,
    /// What happened, where somebody reads it.
    pub(crate) log: Option<Vec<String>>,
    pub(crate) script: Script,
    /// The tasks that were forked from it, at their end.
    pub(crate) forks: Vec<Self>,
}

impl Host {
    pub(crate) fn new(rules: Rules, guest: &'static Guest, disk: Disk, chooser: Chooser) -> Self {
        let loaded = Loaded::new(&disk.record, Journal::default());
        Self {
            rules,
            guest,
            chooser,
            faults: &[],
            budget: 0,
            world: World::default(),
            disk,
            ghost: Ghost::default(),
            loaded,
            wants: Wants::default(),
            restore_to: None,
            now: Timestamp(0),
            exempt: false,
            flakes: 0,
            log: None,
            script: Script::default(),
            forks: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(line());
        }
    }

    /// One change of the record, as the store's writer makes it.
    pub(crate) fn change(&mut self, attempt: Option<Fenced>, event: Event) -> Step<Vec<Effect>> {
        self.now = Timestamp(self.now.0 + 1_000);
        let doubts = match &event {
            Event::Ended { .. } | Event::Crashed => self.loaded.attempt.journal.doubts(),
            _ => Vec::new(),
        };
        let change = Change {
            at: self.now,
            by: Actor::Host,
            attempt,
            doubts,
            event,
        };
        let before = self.disk.record.clone();
        let applied = match self.rules.apply(&before, &change) {
            Ok(applied) => applied,
            Err(illegal) => return Err(Break::Bad(format!("refused: {illegal}"))),
        };
        let effects = applied.effects.clone();
        self.disk.write(applied, |record, stretch| {
            self.rules.keeps_rows(record, stretch)
        });
        table::check(&before, &self.disk.record, &self.ghost)?;
        let usage = self.disk.record.usage;
        need(usage.is_past(&before.usage), || "usage decreases".into())?;
        need(usage.fuel <= self.ghost.work, || {
            format!(
                "a replay is paid twice: {} > {}",
                usage.fuel, self.ghost.work
            )
        })?;
        self.check_end()?;
        Ok(effects)
    }

    /// A write of the attempt, its usage with it.
    pub(crate) fn write(&mut self, event: Event) -> Step<Vec<Effect>> {
        self.late_point()?;
        if !self.rules.drops(Rule::UsageEnd) {
            self.raise();
        }
        let fenced = self.fenced();
        let (now, before) = (fenced.usage.fuel, self.disk.record.usage.fuel);
        need(now >= before, || {
            format!("usage decreases: {before} -> {now}")
        })?;
        self.change(Some(fenced), event)
    }

    pub(crate) fn fenced(&self) -> Fenced {
        self.loaded.attempt.fenced(Usage {
            fuel: self.loaded.meter,
            ..Usage::default()
        })
    }

    /// Raises the meter to what is recorded, once per attempt.
    pub(crate) fn raise(&mut self) {
        let loaded = &mut self.loaded;
        if loaded.attempt.take_raise() {
            loaded.meter = loaded.meter.max(self.disk.record.usage.fuel);
            loaded.raised = true;
        }
    }

    /// What every host call begins with: the world may interfere, and work is counted.
    pub(crate) fn enter(
        &mut self,
        cost: u64,
        replayed: bool,
        call: impl Fn() -> String,
    ) -> Step<()> {
        self.point(|| format!("before {}", call()), true)?;
        self.note(|| format!("    {}", call()));
        self.loaded.calls += 1;
        self.loaded.meter += cost;
        if self.loaded.raised || !replayed {
            self.ghost.work += cost;
        }
        Ok(())
    }

    pub(crate) fn tell(&mut self) -> Step<()> {
        self.loaded.told += 1;
        self.ghost.told = true;
        self.note(|| "    => stop".into());
        need(self.loaded.told <= 1, || {
            "stop delivered twice in one attempt".into()
        })
    }

    pub(crate) fn at(&self, name: &str) -> StepKey {
        StepKey {
            stretch: self.disk.record.stretch,
            name: name.into(),
        }
    }

    pub(crate) fn begin(&mut self, name: &Arc<str>, input: &str, once: bool) -> Step<Entered> {
        let replayed = self.disk.row(&self.at(name)).is_some();
        self.enter(CALL_COST, replayed, || format!("begin {name}"))?;
        let replayed = self.disk.row(&self.at(name)).is_some();
        self.rules.before_boundary(&mut self.loaded.attempt);
        let (record, wants) = (&self.disk.record, self.wants);
        let begin = self
            .loaded
            .attempt
            .begin(record, wants, (name, digest(input)), once)
            .map_err(|failure| Break::End(Ending::Failed(failure)))?;
        need(matches!(begin, Begin::Replay(_)) == replayed, || {
            format!("the journal is not what is on disk: {name}")
        })?;
        match begin {
            Begin::Replay(at) => Ok(Entered::Replay(self.output(&at))),
            Begin::InDoubt { once } => {
                let known = self.disk.known(&once.at, once.input);
                let output = known.and_then(|(_, output)| output.as_deref()).map(text);
                self.at_work(name, (once.key.clone(), true), true);
                Ok(Entered::Doubt(output))
            }
            Begin::Run { write, .. } => {
                self.raise();
                let key = self.loaded.attempt.key(name).cloned().unwrap_or_default();
                let key = self.rules.key(&self.disk.record, name, &key);
                if let Some(once) = write {
                    let once = self.rules.once(&self.disk.record, once);
                    for effect in self.write(Event::OnceBegun(once))? {
                        if let Effect::Once { once, .. } = effect {
                            self.loaded.attempt.began_once(once);
                        }
                    }
                }
                self.at_work(name, (key, once), false);
                Ok(Entered::Run)
            }
            Begin::Stop => {
                if self.rules.drops(Rule::RaiseLate) {
                    self.raise();
                }
                self.tell()?;
                Ok(Entered::Stop)
            }
            Begin::Suspend => Err(Break::Drop),
        }
    }

    fn at_work(&mut self, name: &Arc<str>, (key, once): (Arc<str>, bool), in_doubt: bool) {
        let working = Working {
            key,
            once,
            in_doubt,
        };
        self.loaded.work.insert(name.clone(), working);
    }

    fn output(&self, at: &StepKey) -> String {
        let row = self.disk.row(at);
        row.map(|(_, output)| text(output)).unwrap_or_default()
    }

    pub(crate) fn complete(&mut self, name: &Arc<str>, output: &str, what: &str) -> Step<()> {
        self.enter(CALL_COST, false, || format!("complete {name}"))?;
        let completed = self.loaded.attempt.complete(&self.disk.record, name);
        let (row, once) = completed.map_err(|failure| Break::End(Ending::Failed(failure)))?;
        let at = row.at.clone();
        need(self.disk.row(&at).is_none(), || {
            format!("completed twice: {name}")
        })?;
        let output = output.as_bytes().into();
        for effect in self.write(Event::Done { row, output, once })? {
            if let Effect::Row { row, .. } = effect {
                self.loaded.attempt.completed(row);
            }
        }
        self.loaded.work.remove(name);
        self.ghost.acked.insert(what.into(), at);
        Ok(())
    }

    pub(crate) fn abandon(&mut self, name: &Arc<str>) -> Step<()> {
        self.enter(CALL_COST, false, || format!("abandon {name}"))?;
        self.loaded.attempt.abandon(name);
        self.loaded.work.remove(name);
        Ok(())
    }

    /// Whether the tool was told to stop instead.
    pub(crate) fn save(&mut self, memo: &Memo) -> Step<bool> {
        self.enter(CALL_COST, false, || format!("save {memo}"))?;
        self.rules.before_boundary(&mut self.loaded.attempt);
        let mut saved = self.loaded.attempt.clone();
        let decided = saved
            .save(&self.disk.record, self.wants)
            .map_err(|failure| Break::End(Ending::Failed(failure)))?;
        let writes = decided == Save::Stop && self.rules.drops(Rule::SaveStop);
        if !writes {
            self.loaded.attempt = saved;
        }
        match decided {
            Save::Stop if !writes => {
                self.tell()?;
                return Ok(true);
            }
            Save::Suspend => return Err(Break::Drop),
            Save::Stop | Save::Write => {}
        }
        self.raise();
        let state = memo.to_string().into_bytes().into();
        self.write(Event::Saved { state })?;
        self.loaded.attempt.saved(&self.disk.record);
        if writes {
            self.loaded
                .attempt
                .pause(&self.disk.record, Wants::default());
            self.tell()?;
        }
        Ok(writes)
    }

    pub(crate) fn poll(&mut self) -> Step<bool> {
        self.enter(CALL_COST, false, || "stop-requested".into())?;
        let loaded = &mut self.loaded;
        let told = loaded.attempt.is_told() || loaded.polled;
        let stop = self.rules.poll(&mut loaded.attempt, &self.disk.record);
        if stop && !told {
            loaded.polled = true;
            self.tell()?;
        }
        Ok(stop)
    }

    pub(crate) fn load(&mut self) -> Step<Option<Memo>> {
        self.enter(CALL_COST, false, || "load".into())?;
        let Some(id) = self.rules.load(&self.disk.record) else {
            return Ok(None);
        };
        let Some(state) = self.disk.state(id) else {
            return Err(Break::Bad(format!("the state of {id} is gone")));
        };
        Ok(Some(Memo::parse(&text(state))))
    }

    /// Something that the guest can't know beforehand.
    pub(crate) fn guess(&mut self, count: usize) -> Step<usize> {
        self.enter(CALL_COST, false, || "guess".into())?;
        let guess = self.chooser.choose(count);
        self.script.guesses.push(guess);
        Ok(guess)
    }

    /// Whether the task is at its end.
    pub(crate) fn ended(&self) -> bool {
        matches!(self.disk.record.state, State::Finished { .. })
    }
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}
