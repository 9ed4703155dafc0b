//! The one thread that writes.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::account::Accounts;
use super::disk::Disk;
use super::feed::Source;
use super::group::{Draft, Step};
use super::keys::{self, Key};
use super::log::{self, Buffer, Tallies};
use super::notes::{self, Owners};
use super::shared::{Ender, Shared};
use super::{Error, NewTask, Options, Refused, Submitted, audit, codec, fork, probe, stage, sweep};
use crate::audit::Entry;
use crate::clock::{Stopwatch, Timestamp};
use crate::id::TaskKey;
use crate::task::{Change, Record};

/// Whom an answer goes to.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// What the writer is asked for.
pub(super) enum Request {
    Submit(Box<NewTask>, Reply<Submitted>),
    Change(TaskKey, Box<Change>, Reply<Arc<Record>>),
    /// Answered with nothing where the parent has changed since its rows were read.
    Fork(Box<fork::Copied>, Reply<Option<Arc<Record>>>),
    /// Removes a record. Answered with whether there is or was one.
    Forget(TaskKey, Timestamp, Reply<bool>),
    /// Removes keys of a task that are of no more use.
    Remove(TaskKey, Vec<Key>, Reply<usize>),
    /// Removes keys that nobody writes anew. Answered with their number.
    Drop(Vec<Key>, Reply<usize>),
    /// Changes a note, as of that time.
    Note(
        Box<(notes::Place, notes::Op, Timestamp)>,
        Reply<notes::Noted>,
    ),
    /// Removes the notes that these entries speak of. Answered with their number.
    ExpireNotes(Vec<Key>, Reply<usize>),
    /// Adds an entry to the audit, and syncs it.
    Audit(Box<Entry>, Reply<()>),
    /// There is something in the log or beside it, or was held of it for long enough.
    Logged,
    Close(CloseReply),
}

/// Whom to tell that the store is closed.
pub(super) type CloseReply = oneshot::Sender<Result<(), Error>>;

type Answer = Box<dyn FnOnce(Result<(), Error>)>;

/// The writer's own state.
pub(super) struct Writer {
    disk: Arc<Disk>,
    shared: Arc<Shared>,
    options: Options,
    tallies: Tallies,
    newest_stored: Timestamp,
    settled: Accounts,
    numbers: audit::Numbers,
    owners: Owners,
    /// Runs while something waits to be written that may wait for a while.
    chores: Option<Stopwatch>,
    groups: u64,
    ender: Ender,
}

impl Writer {
    pub(super) fn new(
        (disk, shared): (Arc<Disk>, Arc<Shared>),
        source: Source,
        options: Options,
        (newest_stored, settled, numbers): (Timestamp, Accounts, audit::Numbers),
    ) -> Self {
        let ender = Ender {
            shared: shared.clone(),
            source,
        };
        Self {
            disk,
            shared,
            options,
            tallies: Tallies::default(),
            newest_stored,
            settled,
            numbers,
            owners: Owners::default(),
            chores: None,
            groups: 0,
            ender,
        }
    }

    /// Writes until it is asked to close, nobody can ask any more, or the store has failed.
    ///
    /// What is left in `requests` then is dropped, which answers it: last of all, however this
    /// ends, so that whoever waits finds a failure recorded.
    pub(super) fn run(self, mut requests: mpsc::Receiver<Request>) {
        let mut writer = self;
        if let Err(error) = writer.serve(&mut requests) {
            writer.shared.fail(&error);
        }
    }

    fn serve(&mut self, requests: &mut mpsc::Receiver<Request>) -> Result<(), Error> {
        while let Some(first) = receive(requests, self.wait_max()) {
            if let Some(reply) = self.group(first, requests)? {
                let finished = self.finish();
                let _ = reply.send(finished.clone());
                return finished;
            }
        }
        self.finish()
    }

    /// How long the writer may wait for a request before it looks at what is held.
    fn wait_max(&self) -> Option<Duration> {
        let chores = self
            .chores
            .map(|since| CHORES.saturating_sub(since.elapsed()));
        let waits = [chores, self.tallies.wait_max()];
        waits.into_iter().flatten().min()
    }

    /// Writes what is left of the log, with what was held of it, and syncs everything.
    fn finish(&mut self) -> Result<(), Error> {
        let (disk, shared) = (self.disk.clone(), self.shared.clone());
        let mut draft = Draft::new(&disk, &shared);
        self.stage_log(&mut draft)?;
        log::stage_held(&mut draft, &mut self.tallies, true)?;
        log::stage_heads(&mut draft, &mut self.tallies)?;
        self.stage_chores(&mut draft, true)?;
        self.numbers.stage_last(&mut draft)?;
        self.commit(draft, Vec::new())?;
        self.disk.sync()
    }

    /// Commits `first` and what else has come in, and answers all of it. Returns whom to tell when
    /// the store is closed, if that was asked for.
    fn group(
        &mut self,
        first: Request,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<Option<CloseReply>, Error> {
        let (disk, shared) = (self.disk.clone(), self.shared.clone());
        let mut draft = Draft::new(&disk, &shared);
        let mut answers = Vec::new();
        let close = match self.fill(&mut draft, &mut answers, first, requests) {
            Ok(close) => close,
            Err(error) => return Err(self.fail(&error, answers)),
        };
        self.commit(draft, answers)?;
        Ok(close)
    }

    /// Stages `first` and what else has come in.
    fn fill(
        &mut self,
        draft: &mut Draft<'_>,
        answers: &mut Vec<Answer>,
        first: Request,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<Option<CloseReply>, Error> {
        let mut next = Some(first);
        while let Some(request) = next {
            // Before each request, so that what was logged before it comes before its events.
            self.stage_log(draft)?;
            match request {
                Request::Logged => {}
                Request::Close(reply) => return Ok(Some(reply)),
                request => answers.push(self.stage(draft, request)?),
            }
            let is_full = answers.len() >= self.options.group_max
                || draft.bytes >= self.options.group_bytes_max;
            next = if is_full {
                None
            } else {
                requests.try_recv().ok()
            };
        }
        Ok(None)
    }

    /// Records the failure first, then tells whoever waits.
    fn fail(&self, error: &Error, answers: Vec<Answer>) -> Error {
        let failure = self.shared.fail(error);
        for answer in answers {
            answer(Err(failure.clone()));
        }
        failure
    }

    fn stage_log(&mut self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let entries = self.shared.with_audit(|audit| audit.take(false));
        draft.audit.extend(entries);
        let waiting = self.shared.with_log(Buffer::take);
        log::stage(draft, &mut self.tallies, waiting)
    }

    /// Stages what is asked for. An error is the store's: what is wrong with the request itself is
    /// its answer.
    fn stage(&mut self, draft: &mut Draft<'_>, request: Request) -> Result<Answer, Error> {
        let (tallies, owners) = (&mut self.tallies, &mut self.owners);
        Ok(match request {
            Request::Submit(new, reply) => {
                answer(draft, reply, stage::submit(draft, (tallies, owners), *new))?
            }
            Request::Change(task, change, reply) => {
                answer(draft, reply, stage::change(draft, tallies, &task, &change))?
            }
            Request::Fork(copied, reply) => {
                answer(draft, reply, fork::stage(draft, tallies, *copied))?
            }
            Request::Forget(task, now, reply) => answer(
                draft,
                reply,
                sweep::stage_forget(draft, owners, (&task, now)),
            )?,
            Request::Remove(task, keys, reply) => answer(
                draft,
                reply,
                sweep::stage_remove(draft, tallies, (&task, keys)),
            )?,
            Request::Drop(keys, reply) => answer(draft, reply, Ok(dropped(keys)))?,
            Request::Note(note, reply) => answer(draft, reply, notes::stage(draft, owners, *note))?,
            Request::ExpireNotes(entries, reply) => {
                answer(draft, reply, notes::stage_expiry(draft, owners, entries))?
            }
            Request::Audit(entry, reply) => answer(draft, reply, Ok((audited(*entry), ())))?,
            Request::Logged | Request::Close(_) => Box::new(drop),
        })
    }

    fn commit(&mut self, mut draft: Draft<'_>, answers: Vec<Answer>) -> Result<(), Error> {
        let newest = self.stage_newest(&mut draft)?;
        self.stage_chores(&mut draft, false)?;
        let committed = if draft.writes.is_empty() {
            Ok(())
        } else {
            self.write(&mut draft, answers.len())
        };
        if let Err(error) = committed {
            return Err(self.fail(&error, answers));
        }
        for (task, record) in &draft.records {
            if record.as_ref().is_none_or(|it| it.state.is_terminal()) {
                self.tallies.end(task);
            }
        }
        let mut accounts = self.shared.accounts();
        for (tenant, delta) in &draft.charged {
            accounts.add(tenant, delta);
        }
        drop(accounts);
        self.owners.tidy();
        self.shared.set_next_number(self.numbers.next());
        self.shared.publish(draft.records, newest);
        for answer in answers {
            answer(Ok(()));
        }
        self.ender.source.push(draft.commits);
        Ok(())
    }

    fn write(&mut self, draft: &mut Draft<'_>, requests: usize) -> Result<(), Error> {
        self.groups += 1;
        let mut group = probe::Group {
            number: self.groups,
            requests,
            bytes: draft.bytes,
            synced: draft.durable,
        };
        let stopwatch = Stopwatch::start();
        self.shared.set_committing(Some(stopwatch));
        let probe = self.options.probe.as_deref();
        if let Some(probe) = probe {
            let before = probe.before_commit(self.disk.dir(), &group);
            before.map_err(|error| Error::Failed {
                cause: error.to_string().into(),
            })?;
        }
        let writes = std::mem::take(&mut draft.writes);
        group.synced = self.disk.commit(writes, group.synced)?;
        self.shared.set_committing(None);
        if let Some(probe) = probe {
            probe.after_commit(self.disk.dir(), &group, stopwatch.elapsed());
        }
        Ok(())
    }

    /// Stages what goes along with whatever is written, and by itself where it waited for long
    /// enough: entries of the audit, and the accounts of tenants.
    fn stage_chores(&mut self, draft: &mut Draft<'_>, is_last: bool) -> Result<(), Error> {
        let entries = self.shared.with_audit(|audit| audit.take(is_last));
        draft.audit.extend(entries);
        let has_waited = self.chores.is_some_and(|since| since.elapsed() >= CHORES);
        let is_due = is_last || has_waited || !draft.writes.is_empty() || !draft.audit.is_empty();
        if is_due {
            draft.settled.extend(self.shared.charges().take());
            self.chores = None;
        }
        let is_holding = self.shared.with_audit(|audit| audit.is_holding());
        if is_holding || !self.shared.charges().is_empty() {
            self.chores.get_or_insert_with(Stopwatch::start);
        }
        self.settled.stage(draft)?;
        self.numbers.stage(draft)
    }

    /// Stages the newest instant where it would be lost otherwise: those of live tasks are read from
    /// their records when the store is opened.
    fn stage_newest(&mut self, draft: &mut Draft<'_>) -> Result<Timestamp, Error> {
        let records = draft.records.values().flatten();
        let newest = records.map(|record| record.updated).max();
        let newest = newest.unwrap_or_default().max(self.shared.newest());
        let mut records = draft.records.values();
        let ends = records.any(|record| record.as_ref().is_none_or(|it| it.state.is_terminal()));
        if ends && newest > self.newest_stored {
            let mut step = Step::default();
            step.put(keys::newest(), codec::encode(&newest, &[])?);
            draft.add(step);
            self.newest_stored = newest;
        }
        Ok(newest)
    }
}

/// How long that waits which may wait for a while.
const CHORES: Duration = Duration::from_secs(1);

fn dropped(keys: Vec<Key>) -> (Step, usize) {
    let (mut step, count) = (Step::default(), keys.len());
    keys.into_iter().for_each(|key| step.remove(key));
    (step, count)
}

fn audited(entry: Entry) -> Step {
    Step {
        audit: vec![entry],
        durable: true,
        ..Step::default()
    }
}

/// The next request; [`Request::Logged`], if there is none within that time; nothing, if there is
/// none to come.
fn receive(requests: &mut mpsc::Receiver<Request>, within: Option<Duration>) -> Option<Request> {
    let Some(within) = within else {
        return requests.blocking_recv();
    };
    // The channel has no wait with an end, and this thread has no runtime that would have one.
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let stopwatch = Stopwatch::start();
    loop {
        if let Poll::Ready(request) = requests.poll_recv(&mut Context::from_waker(&waker)) {
            return request;
        }
        let left = within.saturating_sub(stopwatch.elapsed());
        if left.is_zero() {
            return Some(Request::Logged);
        }
        thread::park_timeout(left);
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Adds what was staged to the group, and says how it is answered once that is committed: a
/// refusal too, since it may rest on what the group brings.
fn answer<T: 'static>(
    draft: &mut Draft<'_>,
    reply: Reply<T>,
    staged: Result<(Step, T), Refused>,
) -> Result<Answer, Error> {
    let result = match staged {
        Ok((step, value)) => {
            draft.add(step);
            Ok(value)
        }
        // The disk can't be read: then the writer does not go on either.
        Err(Refused::Store(error @ Error::Failed { .. })) => {
            let _ = reply.send(Err(error.clone().into()));
            return Err(error);
        }
        Err(refused) => Err(refused),
    };
    Ok(Box::new(move |committed| {
        // Whoever asked may have gone.
        let _ = reply.send(committed.map_err(Refused::from).and(result));
    }))
}
