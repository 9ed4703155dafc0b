//! The store against a model of it in memory, under random operations and reopenings.
//!
//! The model is plain maps and [`task::apply`]; it keeps every row that was ever written, and knows
//! which are alive from the record alone. Whatever the store answers, and whatever it gives back
//! after it was opened again, has to be what the model says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test says what is wrong by panicking"
)]

#[path = "common/scratch.rs"]
mod scratch;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use scratch::scratch;
use stepwell::audit::{self, Act, Changed};
use stepwell::clock::Timestamp;
use stepwell::id::{CheckpointId, Digest, Principal, TaskId, TaskKey, TenantId};
use stepwell::limit::Limits;
use stepwell::store::{Filter, NewTask, Options, Refused, Store, Submitted};
use stepwell::task::{
    self, Actor, Cancel, Change, Checkpoint, Effect, Ending, Entry, Event, Failure, Fenced,
    Journal, Kind, Mode, Once, Policy, Question, Reason, Record, Row, RowKind, Source, Spec,
    Status, StepKey, ToolError, Usage, Wait, WaitOver,
};

/// What is done to the store. Numbers choose among what there is then.
#[derive(Clone, Debug)]
enum Op {
    Submit {
        tenant: bool,
        key: Option<u8>,
        name: Option<u8>,
        arguments: u8,
        answered: bool,
    },
    Change {
        task: Index,
        what: What,
        stale: bool,
    },
    Fork {
        task: Index,
        at: Option<Index>,
    },
    Line {
        task: Index,
        text: u8,
    },
    Progress {
        task: Index,
        done: u8,
    },
    Sweep {
        task: Index,
    },
    Remove {
        task: Index,
        late: bool,
    },
    Reopen,
}

#[derive(Clone, Debug)]
enum What {
    Admitted,
    OnceBegun(u8),
    Done { name: u8, long: bool, once: bool },
    Saved,
    ClientSaved,
    Sleeps,
    Asks,
    Suspended(bool),
    Crashed,
    Ended(u8),
    Stop(bool),
    Pause,
    Resume,
    Due,
    Answered,
    Restored(Index),
}

fn op() -> impl Strategy<Value = Op> {
    let task = any::<Index>;
    let change = (task(), what(), prop::bool::weighted(0.1));
    prop_oneof![
        3 => submit(),
        30 => change.prop_map(|(task, what, stale)| Op::Change { task, what, stale }),
        2 => (task(), prop::option::of(any::<Index>())).prop_map(|(task, at)| Op::Fork { task, at }),
        2 => (task(), any::<u8>()).prop_map(|(task, text)| Op::Line { task, text }),
        2 => (task(), 0..9_u8).prop_map(|(task, done)| Op::Progress { task, done }),
        2 => task().prop_map(|task| Op::Sweep { task }),
        1 => (task(), any::<bool>()).prop_map(|(task, late)| Op::Remove { task, late }),
        1 => Just(Op::Reopen),
    ]
}

fn submit() -> impl Strategy<Value = Op> {
    let (key, name) = (prop::option::of(0..2_u8), prop::option::of(0..3_u8));
    let submit = (any::<bool>(), key, name, 0..2_u8, prop::bool::weighted(0.2));
    submit.prop_map(|(tenant, key, name, arguments, answered)| Op::Submit {
        tenant,
        key,
        name,
        arguments,
        answered,
    })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        8 => Just(What::Admitted),
        3 => (0..3_u8).prop_map(What::OnceBegun),
        10 => (0..4_u8, any::<bool>(), any::<bool>())
            .prop_map(|(name, long, once)| What::Done { name, long, once }),
        3 => Just(What::Saved),
        3 => Just(What::ClientSaved),
        1 => Just(What::Sleeps),
        1 => Just(What::Asks),
        3 => any::<bool>().prop_map(What::Suspended),
        1 => Just(What::Crashed),
        1 => (0..3_u8).prop_map(What::Ended),
        1 => prop::bool::weighted(0.2).prop_map(What::Stop),
        2 => Just(What::Pause),
        3 => Just(What::Resume),
        1 => Just(What::Due),
        1 => Just(What::Answered),
        5 => any::<Index>().prop_map(What::Restored),
    ]
}

type Bytes = Option<Arc<[u8]>>;

/// A task as the model has it.
struct Modelled {
    record: Record,
    arguments: Arc<[u8]>,
    output: Bytes,
    /// Every row that was ever written.
    rows: Vec<(Row, Arc<[u8]>)>,
    once: BTreeMap<(StepKey, Digest), (Once, Bytes)>,
    checkpoints: BTreeMap<CheckpointId, Checkpoint>,
    /// Without progress, of which what is merged is not said.
    entries: Vec<Entry>,
    most: Option<f64>,
}

impl Modelled {
    fn new(record: Record, arguments: Arc<[u8]>) -> Self {
        let to = record.status();
        Self {
            record,
            arguments,
            output: None,
            rows: Vec::new(),
            once: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            entries: vec![Entry::Status { from: None, to }],
            most: None,
        }
    }

    fn take(&mut self, applied: task::Applied) {
        self.record = applied.record;
        for effect in applied.effects {
            match effect {
                Effect::Row { row, output } => self.rows.push((row, output)),
                Effect::Once { once, output } => {
                    self.once
                        .insert((once.at.clone(), once.input), (once, output));
                }
                Effect::Checkpoint(it) => drop(self.checkpoints.insert(it.mark.id, it)),
                Effect::ForgetCheckpoint(id) => drop(self.checkpoints.remove(&id)),
                Effect::Output(output) => self.output = Some(output),
                Effect::Emit(entry) => self.entries.push(entry),
            }
        }
    }

    fn alive(&self) -> Vec<&(Row, Arc<[u8]>)> {
        let record = &self.record;
        let is_here = |row: &Row| row.at.stretch == record.stretch && record.is_alive(row.place);
        self.rows.iter().filter(|(row, _)| is_here(row)).collect()
    }
}

/// A world: the store, the model, and the time, which is a count of operations.
struct World {
    dir: tempfile::TempDir,
    store: Option<Store>,
    tasks: BTreeMap<TaskKey, Modelled>,
    keys: BTreeMap<(TenantId, u8), TaskKey>,
    names: BTreeMap<(TenantId, u8), TaskKey>,
    /// What the audit says: of which task, and what it was and is.
    audit: Vec<(TaskKey, Option<Status>, Status)>,
    fuel: BTreeMap<TenantId, u64>,
    /// Whether anything was logged since the store was opened.
    is_logged: bool,
    seen: BTreeMap<(TaskKey, u64), Entry>,
    now: u64,
}

/// Removal needs a time; ttl's least is an hour and a millisecond.
const LATE: u64 = 100 * 24 * 3_600_000;

impl World {
    fn new() -> Self {
        let mut world = Self {
            dir: scratch(),
            store: None,
            tasks: BTreeMap::new(),
            keys: BTreeMap::new(),
            names: BTreeMap::new(),
            audit: Vec::new(),
            fuel: BTreeMap::new(),
            is_logged: false,
            seen: BTreeMap::new(),
            now: 1_000,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        self.store = None;
        let options = Options {
            // The least that the engine takes without trouble, so that tables are written too.
            memtable_bytes: 64 << 10,
            outputs_max: 40,
            ..Options::default()
        };
        self.store = Some(Store::open(self.dir.path(), options).unwrap().0);
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn choose(&self, task: Index) -> Option<TaskKey> {
        let live = self
            .tasks
            .iter()
            .filter(|(_, it)| !it.record.state.is_terminal());
        let live: Vec<_> = live.map(|(key, _)| key).collect();
        // Those that have ended are chosen now and then.
        let all: Vec<_> = self.tasks.keys().collect();
        let from = if live.is_empty() || task.index(8) == 0 {
            &all
        } else {
            &live
        };
        (!from.is_empty())
            .then(|| task.get(from))
            .map(|key| (*key).clone())
    }

    async fn run(&mut self, op: Op) {
        self.now += 1;
        match op {
            Op::Submit {
                tenant,
                key,
                name,
                arguments,
                answered,
            } => {
                self.submit(tenant, (key, name), (arguments, answered))
                    .await;
            }
            Op::Change { task, what, stale } => {
                if let Some(task) = self.choose(task) {
                    self.change(&task, &what, stale).await;
                }
            }
            Op::Fork { task, at } => {
                if let Some(task) = self.choose(task) {
                    self.fork(&task, at).await;
                }
            }
            Op::Line { task, text } => {
                let source = Source::Stdout;
                let text = text.to_string().into();
                self.log(task, Entry::Line { source, text });
            }
            Op::Progress { task, done } => {
                let (done, message) = (f64::from(done), "".into());
                let total = None;
                self.log(
                    task,
                    Entry::Progress {
                        done,
                        total,
                        message,
                    },
                );
            }
            Op::Sweep { task } => {
                if let Some(task) = self.choose(task) {
                    self.store().sweep(&task).await.unwrap();
                    self.check_task(&task).await;
                }
            }
            Op::Remove { task, late } => {
                if let Some(task) = self.choose(task) {
                    self.remove(&task, late).await;
                }
            }
            Op::Reopen => {
                self.reopen().await;
            }
        }
    }

    async fn reopen(&mut self) {
        self.check_all().await;
        let used = tenants().map(|tenant| self.store().used(&tenant, Timestamp(self.now)));
        self.open();
        let again = tenants().map(|tenant| self.store().used(&tenant, Timestamp(self.now)));
        // What was logged last may have been on its way when it was first asked.
        let is_logged = std::mem::take(&mut self.is_logged);
        assert!(used == again || is_logged, "{used:?} {again:?}");
        self.check_all().await;
    }

    /// Ends and removes everything: then nobody is charged for anything but what was used.
    async fn remove_all(&mut self) {
        for task in self.tasks.keys().cloned().collect::<Vec<_>>() {
            if !self.tasks[&task].record.state.is_terminal() {
                self.change(&task, &What::Stop(true), false).await;
            }
            self.remove(&task, true).await;
        }
        self.reopen().await;
        for tenant in tenants() {
            assert_eq!(self.store().used(&tenant, Timestamp(self.now)).stored, 0);
        }
    }

    async fn check_audit(&self) {
        let (mut entries, mut after) = (Vec::new(), 0);
        loop {
            let page = self.store().audit_after(after, 7, None).await.unwrap();
            assert!(
                page.entries
                    .windows(2)
                    .all(|two| two[0].number < two[1].number)
            );
            entries.extend(page.entries.into_iter().map(|it| it.entry));
            after = page.after;
            if !page.is_more {
                break;
            }
        }
        let of = |entry: audit::Entry| {
            let Act::Changed(Changed { task, from, to, .. }) = entry.act else {
                panic!("{entry:?}")
            };
            let tenant = entry.tenant.unwrap();
            (TaskKey { tenant, id: task }, from, to)
        };
        let entries: Vec<_> = entries.into_iter().map(of).collect();
        assert_eq!(entries, self.audit);
    }

    async fn submit(
        &mut self,
        tenant: bool,
        (key, name): (Option<u8>, Option<u8>),
        (arguments, answered): (u8, bool),
    ) {
        let tenant: TenantId = if tenant { "a" } else { "ab" }
            .to_owned()
            .try_into()
            .unwrap();
        let bytes: Arc<[u8]> = vec![arguments; 2_000].into();
        let spec = Spec {
            key: key.map(|key| key.to_string().into()),
            arguments: Digest::of(&bytes),
            name: name.map(|name| name.to_string().into()),
            component: if answered {
                Spec::HOST
            } else {
                Digest::of(b"component")
            },
            ..spec(&tenant, self.now)
        };
        let id = TaskId::random();
        let arguments = bytes.clone();
        let new = NewTask {
            id,
            spec: spec.clone(),
            arguments,
            answered: answered.then(|| bytes.clone()),
        };
        let result = self.store().submit(new).await;
        let holder = key.and_then(|key| self.keys.get(&(tenant.clone(), key)));
        match holder.map(|holder| (holder, &self.tasks[holder].record)) {
            Some((_, record)) if record.spec.arguments == spec.arguments => {
                assert!(matches!(result, Ok(Submitted::Existing(it)) if *it == *record));
            }
            Some((holder, _)) => {
                assert!(matches!(result, Err(Refused::KeyReused { task }) if task == *holder));
            }
            None if name.is_some_and(|name| self.names.contains_key(&(tenant.clone(), name))) => {
                let holder = &self.names[&(tenant, name.unwrap())];
                assert!(matches!(result, Err(Refused::NameTaken(task)) if task == *holder));
            }
            None => {
                let record = if answered {
                    Record::answered(id, spec)
                } else {
                    Record::accepted(id, spec)
                };
                assert!(matches!(result, Ok(Submitted::New(it)) if *it == record));
                let task = record.key();
                self.names
                    .extend(name.map(|name| ((tenant.clone(), name), task.clone())));
                self.audit.push((task.clone(), None, record.status()));
                self.keys
                    .extend(key.map(|key| ((tenant, key), task.clone())));
                let output = answered.then(|| bytes.clone());
                let modelled = Modelled {
                    output,
                    ..Modelled::new(record, bytes)
                };
                self.tasks.insert(task, modelled);
            }
        }
    }

    async fn change(&mut self, task: &TaskKey, what: &What, stale: bool) {
        let modelled = self.tasks.get_mut(task).unwrap();
        let change = change_of(modelled, what, stale, Timestamp(self.now));
        let expected = task::apply(&modelled.record, &change);
        let is_asked = matches!(
            change.event,
            Event::Stop { .. }
                | Event::WaitOver(WaitOver::Answered { .. })
                | Event::ClientSaved { .. }
                | Event::Restored { .. }
        );
        let result = self.store.as_ref().unwrap().change(task, change).await;
        match expected {
            Ok(applied) => {
                let (from, to) = (&modelled.record, &applied.record);
                if is_asked || from.status() != to.status() {
                    let entry = (task.clone(), Some(from.status()), to.status());
                    self.audit.push(entry);
                }
                *self.fuel.entry(task.tenant.clone()).or_default() +=
                    to.usage.fuel - from.usage.fuel;
                modelled.take(applied);
                assert_eq!(*result.unwrap(), modelled.record);
            }
            Err(illegal) => {
                assert!(
                    matches!(result, Err(Refused::Illegal(it)) if it == illegal),
                    "{what:?}"
                );
            }
        }
    }

    async fn fork(&mut self, task: &TaskKey, at: Option<Index>) {
        let at = at.map(|at| place_of(&self.tasks[task].record, at));
        let id = TaskId::random();
        let spec = spec(&task.tenant, self.now);
        let result = self.store().fork(task, id, spec.clone(), at).await;
        let parent = self.tasks.get_mut(task).unwrap();
        let child = match task::fork(&parent.record, id, spec.clone(), at) {
            Ok(child) => child,
            Err(cannot) => {
                assert!(matches!(result, Err(Refused::CannotFork(it)) if it == cannot));
                return;
            }
        };
        assert_eq!(*result.unwrap(), child);
        let forked = Change {
            by: Actor::Principal(Arc::new(spec.owner)),
            ..Change::by_host(Timestamp(self.now), Event::Forked { child: id })
        };
        parent.take(task::apply(&parent.record, &forked).unwrap());
        let status = parent.record.status();
        self.audit.push((task.clone(), Some(status), status));
        self.audit.push((child.key(), None, child.status()));
        let kept = |id: &CheckpointId| child.marks.iter().any(|mark| mark.id == *id);
        let checkpoints = parent.checkpoints.clone().into_iter();
        let rows = parent
            .rows
            .iter()
            .filter(|(row, _)| child.is_alive(row.place));
        let modelled = Modelled {
            rows: rows.cloned().collect(),
            once: parent.once.clone(),
            checkpoints: checkpoints.filter(|(id, _)| kept(id)).collect(),
            ..Modelled::new(child.clone(), parent.arguments.clone())
        };
        self.tasks.insert(child.key(), modelled);
        self.check_task(&child.key()).await;
    }

    fn log(&mut self, task: Index, entry: Entry) {
        let Some(task) = self.choose(task) else {
            return;
        };
        self.store()
            .log(&task, 1, Timestamp(self.now), entry.clone());
        let modelled = self.tasks.get_mut(&task).unwrap();
        if modelled.record.state.is_terminal() {
            return;
        }
        self.is_logged = true;
        match entry {
            Entry::Progress { done, .. } => {
                modelled.most = Some(modelled.most.map_or(done, |most| most.max(done)));
            }
            line => modelled.entries.push(line),
        }
    }

    async fn remove(&mut self, task: &TaskKey, late: bool) {
        let now = Timestamp(self.now + if late { LATE } else { 0 });
        let record = &self.tasks[task].record;
        let expected = record.state.is_terminal() && record.expires() <= now;
        let expired = self.store().expired(now, 1_000).await.unwrap();
        assert_eq!(expired.contains(task), expected);
        assert_eq!(self.store().remove(task, now).await.unwrap(), expected);
        if !expected {
            return;
        }
        self.tasks.remove(task);
        self.keys.retain(|_, holder| holder != task);
        self.names.retain(|_, holder| holder != task);
        let store = self.store();
        assert!(store.get(task).await.unwrap().is_none());
        assert!(store.events(task, 0, 10).await.unwrap().is_empty());
        assert!(store.arguments(task).await.unwrap().is_none());
    }

    async fn check_all(&mut self) {
        for task in self.tasks.keys().cloned().collect::<Vec<_>>() {
            self.check_task(&task).await;
        }
        let is_live = |it: &&Modelled| !it.record.state.is_terminal();
        let live: Vec<_> = self
            .tasks
            .values()
            .filter(is_live)
            .map(|it| it.record.id)
            .collect();
        let mut stored: Vec<_> = self.store().live().iter().map(|it| it.key()).collect();
        stored.sort_unstable();
        assert_eq!(stored.iter().map(|key| key.id).collect::<Vec<_>>(), live);
        for tenant in ["a", "ab"] {
            for statuses in [None, Some(vec![Status::Queued, Status::Failed])] {
                self.check_list(&tenant.to_owned().try_into().unwrap(), statuses)
                    .await;
            }
        }
        for tenant in tenants() {
            let used = self.store().used(&tenant, Timestamp(self.now));
            assert_eq!(used.fuel, self.fuel.get(&tenant).copied().unwrap_or(0));
        }
        self.check_audit().await;
        for ((tenant, name), task) in &self.names {
            let owner = spec(tenant, 0).owner;
            let named = self.store().named(&owner, &name.to_string()).await;
            assert_eq!(named.unwrap().as_ref(), Some(task));
        }
        let newest = self.tasks.values().map(|it| it.record.updated).max();
        assert!(newest <= Some(self.store().newest()) || newest.is_none());
    }

    async fn check_list(&self, tenant: &TenantId, statuses: Option<Vec<Status>>) {
        let wanted = |record: &&Record| {
            let status = record.status();
            let is_wanted = statuses.as_ref().is_none_or(|them| them.contains(&status));
            is_wanted && record.spec.owner.tenant == *tenant
        };
        let records = self.tasks.values().map(|it| &it.record).filter(wanted);
        let mut expected: Vec<_> = records.collect();
        expected.sort_by_key(|record| (u64::MAX - record.spec.created.0, record.id));
        let (mut listed, mut after) = (Vec::new(), None);
        let owner = None;
        let filter = Filter { statuses, owner };
        loop {
            let page = self
                .store()
                .list(tenant, filter.clone(), after, 2)
                .await
                .unwrap();
            listed.extend(page.records);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(listed.iter().map(|it| &**it).eq(expected));
    }

    async fn check_task(&mut self, task: &TaskKey) {
        let (store, modelled) = (self.store.as_ref().unwrap(), &self.tasks[task]);
        let record = store.get(task).await.unwrap().unwrap();
        assert_eq!(*record, modelled.record);
        let arguments = store.arguments(task).await.unwrap();
        assert_eq!(arguments.as_deref(), Some(&*modelled.arguments));
        assert_eq!(store.output(task).await.unwrap(), modelled.output);
        for mark in &*record.marks {
            let checkpoint = store.checkpoint(task, mark.id).await.unwrap();
            assert_eq!(checkpoint.as_ref(), modelled.checkpoints.get(&mark.id));
        }
        assert_eq!(record.marks.len(), modelled.checkpoints.len());
        check_journal(store, &record, modelled).await;
        let events = store.events(task, 0, 1_024).await.unwrap();
        let most = modelled.most.map(|_| ());
        if most.is_some() && store.progress(task).await.unwrap().is_some() {
            let progress = store.progress(task).await.unwrap().unwrap();
            assert!(
                matches!(progress.entry, Entry::Progress { done, .. } if Some(done) <= modelled.most)
            );
        }
        assert!(events.windows(2).all(|two| two[0].number < two[1].number));
        let newest_seen = self
            .seen
            .range((task.clone(), 0)..=(task.clone(), u64::MAX))
            .next_back();
        let newest_seen = newest_seen.map_or(0, |((_, number), _)| *number);
        for event in &events {
            let key = (task.clone(), event.number);
            match self.seen.get(&key) {
                Some(entry) => assert_eq!(*entry, event.entry, "a number means something else"),
                None => assert!(
                    event.number > newest_seen,
                    "a number was skipped and then used"
                ),
            }
            self.seen.insert(key, event.entry.clone());
        }
        let is_told = |entry: &&Entry| !matches!(entry, Entry::Progress { .. });
        let entries: Vec<_> = events
            .iter()
            .map(|event| &event.entry)
            .filter(is_told)
            .collect();
        // Lines that were logged last may still be on their way.
        let missing = modelled.entries.get(entries.len()..).unwrap_or_default();
        assert!(
            missing
                .iter()
                .all(|entry| matches!(entry, Entry::Line { .. })),
            "{missing:?}"
        );
        assert!(
            entries
                .into_iter()
                .eq(&modelled.entries[..modelled.entries.len() - missing.len()])
        );
    }
}

async fn check_journal(store: &Store, record: &Arc<Record>, modelled: &Modelled) {
    let task = record.key();
    let journal = store.journal(record).await.unwrap();
    let rows = modelled.alive().into_iter().map(|(row, _)| row.clone());
    let once = modelled.once.values().map(|(once, _)| once.clone());
    let expected = Journal::new(record, rows, once);
    assert_eq!(format!("{:?}", journal.journal), format!("{expected:?}"));
    for (row, output) in modelled.alive() {
        let read = store.row_output(&task, &row.at).await.unwrap();
        assert_eq!(read.as_ref(), Some(output));
        let held = journal.outputs.get(&row.at);
        assert!(held.is_none_or(|held| held == output));
    }
    for ((at, input), (once, output)) in &modelled.once {
        assert_eq!(store.once_output(&task, once).await.unwrap(), *output);
        let held = journal.once_outputs.get(&(at.clone(), *input));
        assert!(held.is_none_or(|held| Some(held) == output.as_ref()));
    }
}

fn spec(tenant: &TenantId, now: u64) -> Spec {
    Spec {
        owner: Principal {
            tenant: tenant.clone(),
            ..Principal::local()
        },
        component: Digest::of(b"component"),
        tool: "tool".into(),
        arguments: Digest::of(b""),
        key: None,
        limits: Limits::default(),
        grants: Vec::new(),
        policy: Policy::Auto,
        created: Timestamp(now),
        forked_from: None,
        name: None,
    }
}

fn tenants() -> [TenantId; 2] {
    ["a", "ab"].map(|tenant| tenant.to_owned().try_into().unwrap())
}

fn place_of(record: &Record, at: Index) -> CheckpointId {
    let marks: Vec<_> = record.marks.iter().map(|mark| mark.id).collect();
    // One that there is not, now and then; and the beginning.
    let all = [&marks[..], &[CheckpointId(0), CheckpointId(77_777)]].concat();
    all[at.index(all.len())]
}

fn name_in(record: &Record, name: u8) -> StepKey {
    StepKey {
        stretch: record.stretch,
        name: name.to_string().into(),
    }
}

fn once_of(record: &Record, name: u8, completed: bool) -> Once {
    Once {
        at: name_in(record, name),
        input: Digest::of(&[name]),
        key: "key".into(),
        generation: record.generation,
        place: 0,
        clean_up: false,
        completed,
    }
}

fn change_of(modelled: &Modelled, what: &What, stale: bool, at: Timestamp) -> Change {
    let record = &modelled.record;
    let attempt = Fenced {
        attempt: record.attempt.saturating_sub(stale.into()),
        usage: Usage {
            fuel: at.0,
            ..Usage::default()
        },
        grace_used: 0,
        told: false,
    };
    let event = event_of(modelled, what, at);
    let by_tool = matches!(
        event,
        Event::OnceBegun(_)
            | Event::Done { .. }
            | Event::Saved { .. }
            | Event::Waits(_)
            | Event::Suspended { .. }
            | Event::Ended { .. }
    );
    Change {
        attempt: by_tool.then_some(attempt),
        ..Change::by_host(at, event)
    }
}

#[expect(clippy::too_many_lines, reason = "an arm for each kind of event")]
fn event_of(modelled: &Modelled, what: &What, at: Timestamp) -> Event {
    let record = &modelled.record;
    match what {
        What::Admitted => Event::Admitted,
        What::OnceBegun(name) => Event::OnceBegun(once_of(record, *name, false)),
        What::Done { name, long, once } => {
            let key = name_in(record, *name);
            // A name is completed once in a stretch: that is the attempt's rule, not the store's.
            let is_done = modelled.alive().iter().any(|(row, _)| row.at == key);
            let name = if is_done {
                u8::try_from(at.0 % 200).unwrap() + 10
            } else {
                *name
            };
            let row = Row {
                at: name_in(record, name),
                kind: RowKind::Step,
                input: Digest::of(&[name]),
                place: 0,
                clean_up: false,
            };
            let output = vec![at.0 as u8; if *long { 1_500 } else { 15 }];
            let once = once.then(|| once_of(record, name, true));
            let output = output.into();
            if modelled.alive().iter().any(|(other, _)| other.at == row.at) {
                return Event::Admitted;
            }
            Event::Done { row, output, once }
        }
        What::Saved => Event::Saved {
            state: vec![at.0 as u8; 8].into(),
        },
        What::ClientSaved => Event::ClientSaved {
            state: vec![at.0 as u8; 5_000].into(),
        },
        What::Sleeps => Event::Waits(Wait::Timer {
            name: format!("nap{}", at.0).into(),
            until: Timestamp(at.0 + 3),
        }),
        What::Asks => Event::Waits(Wait::Input {
            questions: vec![Question {
                name: format!("q{}", at.0).into(),
                key: "q".into(),
                message: "?".into(),
                schema: "{}".into(),
            }],
        }),
        What::Suspended(pause) => Event::Suspended { pause: *pause },
        What::Crashed => Event::Crashed,
        What::Ended(how) => Event::Ended {
            ending: match how {
                0 => Ending::Returned,
                1 => Ending::Failed(Failure::new(Kind::Trap, "unreachable")),
                _ => Ending::Error(ToolError::Transient(Failure::new(Kind::ToolError, "busy"))),
            },
            output: (*how == 0).then(|| vec![at.0 as u8; 9].into()),
        },
        What::Stop(immediate) => Event::Stop {
            reason: Reason::Cancelled,
            grace: 1_000,
            cancel: Some(Cancel {
                by: Actor::Host,
                at,
                why: None,
                grace: 1_000,
                mode: if *immediate {
                    Mode::Immediate
                } else {
                    Mode::Graceful
                },
            }),
        },
        What::Pause => Event::Pause,
        What::Resume => Event::Resume,
        What::Due => Event::WaitOver(WaitOver::Due),
        What::Answered => Event::WaitOver(WaitOver::Answered {
            key: "q".into(),
            answer: b"yes"[..].into(),
        }),
        What::Restored(at) => Event::Restored {
            checkpoint: place_of(record, *at),
            go_on: false,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_is_what_the_model_says(ops in prop::collection::vec(op(), 1..250)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            world.submit(true, (None, None), (0, false)).await;
            for op in ops {
                world.run(op).await;
            }
            world.reopen().await;
            world.remove_all().await;
        });
    }
}
