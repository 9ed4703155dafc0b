//! The baseline of everything durable: the engine under Stepwell's store, and nothing else.
//!
//! It has the keyspaces of Stepwell's store with the same options, and one thread that writes, with
//! a `SyncData` batch for what it is asked for, and answers when that is on the disk. Without the
//! thread it would be no baseline for a service: whoever has many callers has to gather what they
//! write. What it writes are the very rows that Stepwell wrote for the same thing (see `rows`);
//! what it does not do is all that makes them: no state machine, no encoding, no guest.

use std::path::Path;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use stepwell::id::TaskId;
use stepwell::store;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::disk;

/// Requests that wait for the writer; past it, asking waits.
const WAITING_MAX: usize = 64;

/// The keyspaces that the rows of a step or a task are in, in the order of [`NAMES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    Heads,
    Facts,
    Blobs,
    Steps,
    Events,
    Index,
}

/// All keyspaces of Stepwell's store; the last three are there and stay empty.
const NAMES: [&str; 9] = [
    "heads",
    "facts",
    "blobs",
    "steps",
    "events",
    "index",
    "meta",
    "once",
    "checkpoints",
];

/// A key, and what is written there; nothing where it is removed.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) space: Space,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    /// Where in the key the task's id is.
    pub(crate) id_at: usize,
}

impl Row {
    /// The same row of another task.
    pub(crate) fn of(&self, task: TaskId) -> Self {
        let mut row = self.clone();
        let id = row.key.iter_mut().skip(self.id_at);
        id.zip(task.as_bytes()).for_each(|(to, from)| *to = *from);
        row
    }

    /// What Stepwell's store counts as its bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// The engine, opened as Stepwell opens it.
pub(crate) struct Engine {
    database: Database,
    spaces: Vec<Keyspace>,
}

impl Engine {
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let options = store::Options::default();
        let database = Database::builder(dir)
            .cache_size(options.cache_bytes)
            .max_journaling_size(options.journal_bytes_max)
            .worker_threads(2)
            .open()?;
        let created = |name: &str| {
            let created =
                KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes);
            let separated = KvSeparationOptions::default().separation_threshold(4_096);
            created.with_kv_separation(
                ["blobs", "checkpoints"]
                    .contains(&name)
                    .then_some(separated),
            )
        };
        let open = |name: &&str| database.keyspace(name, || created(name));
        let spaces = NAMES.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { database, spaces })
    }

    /// All rows of `task` in `space`, in order.
    pub(crate) fn rows(&self, space: Space, task: TaskId) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for guard in self.space(space)?.iter() {
            let (key, value) = guard.into_inner()?;
            let id_at = key.windows(16).position(|part| part == task.as_bytes());
            if let Some(id_at) = id_at {
                rows.push(Row {
                    space,
                    key: key.to_vec(),
                    value: Some(value.to_vec()),
                    id_at,
                });
            }
        }
        Ok(rows)
    }

    fn commit(&self, rows: impl IntoIterator<Item = Row>) -> anyhow::Result<()> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for row in rows {
            let space = self.space(row.space)?;
            match row.value {
                Some(value) => batch.insert(space, row.key, value),
                None => batch.remove(space, row.key),
            }
        }
        Ok(batch.commit()?)
    }

    fn space(&self, space: Space) -> anyhow::Result<&Keyspace> {
        self.spaces.get(space as usize).context("no such keyspace")
    }
}

struct Ask {
    rows: Vec<Row>,
    answer: oneshot::Sender<()>,
}

/// The engine with its one writer.
pub(crate) struct Bare {
    asks: Option<Sender<Ask>>,
    writer: Option<JoinHandle<anyhow::Result<()>>>,
    _folder: TempDir,
}

impl Bare {
    /// Where up to `grouped_max` requests that wait are committed together.
    pub(crate) fn start(grouped_max: usize) -> anyhow::Result<Self> {
        let folder = disk::folder()?;
        let engine = Engine::open(folder.path())?;
        let (asks, asked) = crossbeam_channel::bounded(WAITING_MAX);
        let write = move || write(&engine, &asked, grouped_max);
        Ok(Self {
            asks: Some(asks),
            writer: Some(thread::Builder::new().name("bare".into()).spawn(write)?),
            _folder: folder,
        })
    }

    /// Asks for these rows. The answer comes when they are on the disk; none, where that failed.
    pub(crate) fn ask(&self, rows: Vec<Row>) -> anyhow::Result<oneshot::Receiver<()>> {
        let (answer, answered) = oneshot::channel();
        let asks = self.asks.as_ref().context("the bare store is closed")?;
        asks.send(Ask { rows, answer })
            .context("the bare store has failed")?;
        Ok(answered)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.asks.take());
        // Whoever asked has noticed a failure already.
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

fn write(engine: &Engine, asked: &Receiver<Ask>, grouped_max: usize) -> anyhow::Result<()> {
    while let Ok(first) = asked.recv() {
        let mut rows = first.rows;
        let mut answers = vec![first.answer];
        while answers.len() < grouped_max
            && let Ok(ask) = asked.try_recv()
        {
            rows.extend(ask.rows);
            answers.push(ask.answer);
        }
        engine.commit(rows)?;
        for answer in answers {
            // Whoever asked may have gone.
            let _ = answer.send(());
        }
    }
    Ok(())
}
