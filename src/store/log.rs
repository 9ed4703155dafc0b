//! Numbers of events, and the entries that wait to be written without a sync of their own.
//!
//! Lines are bounded by whoever logs them. Progress is not: it is an event once in an [`INTERVAL`],
//! and what comes in between is held here, in memory, where the next takes its place. A row that
//! is written over and over would fill the engine's journal as much as events do. What is held is
//! written when the interval is over, before the task ends, and before the store is closed.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::time::Duration;

use super::account::{Account, Delta};
use super::codec::{self, Head, StoredEvent, StoredProgress, decode, encode};
use super::group::{Draft, Step};
use super::{Error, keys};
use crate::clock::{Stopwatch, Timestamp};
use crate::id::TaskKey;
use crate::task::{Entry, Record, Source};

/// The numbers that are reserved at once. A reservation that no change carries costs a sync.
const BLOCK: u64 = 256;

/// The time of a task in which its progress is one event, however often it is reported.
const INTERVAL: Duration = Duration::from_millis(100);

/// An entry to be added to a task's events.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) attempt: u32,
    pub(super) at: Timestamp,
    pub(super) entry: Entry,
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Buffer {
    tasks: HashMap<TaskKey, Waiting>,
    lines: usize,
}

/// What waits of one task.
#[derive(Default)]
pub(super) struct Waiting {
    lines: Vec<Logged>,
    dropped: u64,
    progress: Option<Logged>,
}

impl Buffer {
    /// Adds an entry. Returns whether nothing waited before.
    pub(super) fn add(&mut self, task: &TaskKey, logged: Logged, lines_max: usize) -> bool {
        let is_first = self.tasks.is_empty();
        let waiting = self.tasks.entry(task.clone()).or_default();
        match (done(&logged.entry), &waiting.progress) {
            (Some(done_now), Some(earlier)) if done(&earlier.entry) > Some(done_now) => {}
            (Some(done), _) if done.is_finite() => waiting.progress = Some(logged),
            (Some(_), _) => {}
            (None, _) if self.lines < lines_max => {
                self.lines += 1;
                waiting.lines.push(logged);
            }
            (None, _) => waiting.dropped += 1,
        }
        is_first
    }

    /// Takes out what waits, so that whoever logs is held up no longer than that.
    pub(super) fn take(&mut self) -> HashMap<TaskKey, Waiting> {
        self.lines = 0;
        std::mem::take(&mut self.tasks)
    }
}

fn done(entry: &Entry) -> Option<f64> {
    match entry {
        Entry::Progress { done, .. } => Some(*done),
        _ => None,
    }
}

/// The event numbers of a live task, and its progress.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    next: u64,
    /// The first number that is not reserved.
    end: u64,
    /// The most progress that was seen, read from the disk when it is first needed.
    most: Option<f64>,
    is_most_known: bool,
    /// When progress is an event again.
    due: Timestamp,
    held: Option<Held>,
    /// What the task is charged for.
    pub(super) account: Account,
    /// Whether its head does not say so yet: of a line alone none is written.
    pub(super) is_ahead: bool,
}

/// The most progress, where it is not an event yet.
#[derive(Clone, Debug)]
struct Held {
    logged: Logged,
    /// Since when progress is held: the times in entries stand still where nothing is logged.
    since: Stopwatch,
}

impl Tally {
    /// Of a task whose events from `end` on have no numbers yet.
    pub(super) fn from_end(end: u64) -> Self {
        Self {
            next: end,
            end,
            most: None,
            is_most_known: false,
            due: Timestamp(0),
            held: None,
            account: Account::default(),
            is_ahead: false,
        }
    }

    /// Of a new task.
    pub(super) fn new() -> Self {
        Self {
            is_most_known: true,
            ..Self::from_end(1)
        }
    }

    /// Makes room for `count` events. Returns whether more numbers had to be reserved: then the
    /// head has to be on the disk before anybody sees the events.
    pub(super) fn reserve(&mut self, count: u64) -> bool {
        let has_room = self.next + count <= self.end;
        if !has_room {
            self.end = self.next + count + BLOCK;
        }
        !has_room
    }

    /// As [`Tally::reserve`], where the head is synced anyway: reserves ahead of need.
    pub(super) fn reserve_ahead(&mut self, count: u64) {
        if self.next + count + BLOCK / 2 > self.end {
            self.end = self.next + count + BLOCK;
        }
    }

    /// Lets go of what was reserved: there are no more events to come but `count`.
    pub(super) fn reserve_last(&mut self, count: u64) {
        self.end = self.next + count;
    }

    /// The end of what is reserved.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The next number.
    pub(super) fn take(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Holds the most progress, if there is more of it.
    fn hold(&mut self, most: Option<Logged>) {
        if let Some(logged) = most {
            let since = self.held.take().map(|held| held.since);
            let since = since.unwrap_or_else(Stopwatch::start);
            self.held = Some(Held { logged, since });
        }
    }

    /// Takes out progress that has to be an event now. At the latest that is when it was held for
    /// an interval.
    fn take_due(&mut self) -> Option<Logged> {
        let is_due = |held: &mut Held| held.logged.at >= self.due || held.is_over();
        let held = self.held.take_if(is_due)?;
        // Counted from what was due: what came late makes no room for another one.
        self.due = self.due.max(held.logged.at).plus(INTERVAL);
        Some(held.logged)
    }

    /// Takes out progress that was never an event: of a task that ends.
    pub(super) fn take_held(&mut self) -> Option<Logged> {
        self.held.take().map(|held| held.logged)
    }
}

impl Held {
    fn is_over(&self) -> bool {
        self.since.elapsed() >= INTERVAL
    }
}

/// The tallies of the live tasks that had events since the store was opened.
#[derive(Default)]
pub(super) struct Tallies {
    of: HashMap<TaskKey, Tally>,
    /// Runs while progress may be held.
    holding: Option<Stopwatch>,
}

impl Tallies {
    /// How long the writer may wait before it looks at what is held; for ever, if nothing is.
    pub(super) fn wait_max(&self) -> Option<Duration> {
        let held = self.holding.map(|since| since.elapsed());
        held.map(|held| INTERVAL.saturating_sub(held))
    }

    /// The tally of `task`: of one that is not known yet, from the end of what its head has
    /// reserved, since nobody can tell how much of that was used.
    pub(super) fn of(&mut self, draft: &Draft<'_>, task: &TaskKey) -> Result<&mut Tally, Error> {
        match self.of.entry(task.clone()) {
            Occupied(entry) => Ok(entry.into_mut()),
            Vacant(entry) => {
                let key = keys::head(task);
                let head = draft.get(&key)?;
                let head = head.ok_or_else(|| codec::incomplete(task, "head"))?;
                let head: Head = decode(&key, &head)?;
                let tally = Tally {
                    account: head.account,
                    ..Tally::from_end(head.events_end)
                };
                Ok(entry.insert(tally))
            }
        }
    }

    /// The tally of a task that is new.
    pub(super) fn begin(&mut self, task: &TaskKey) -> &mut Tally {
        self.of
            .entry(task.clone())
            .insert_entry(Tally::new())
            .into_mut()
    }

    /// Forgets the tally of a task that has ended.
    pub(super) fn end(&mut self, task: &TaskKey) {
        self.of.remove(task);
    }
}

/// Stages what waits, of the tasks that are live. What can't be added to one task is lost, as a
/// line may be; an error is a failure of the store.
pub(super) fn stage(
    draft: &mut Draft<'_>,
    tallies: &mut Tallies,
    waiting: HashMap<TaskKey, Waiting>,
) -> Result<(), Error> {
    for (task, waiting) in waiting {
        let Some(record) = draft.live(&task) else {
            continue;
        };
        let step = match tallies.of(draft, &task) {
            Ok(tally) => {
                let step = staged(draft, (&task, &record), tally, waiting);
                if tally.held.is_some() {
                    tallies.holding.get_or_insert_with(Stopwatch::start);
                }
                step
            }
            Err(error) => Err(error),
        };
        add(draft, &task, step)?;
    }
    if tallies.wait_max().is_some_and(|wait| wait.is_zero()) {
        stage_held(draft, tallies, false)?;
    }
    Ok(())
}

/// Stages the progress that was held for an interval, or all of it.
pub(super) fn stage_held(
    draft: &mut Draft<'_>,
    tallies: &mut Tallies,
    is_last: bool,
) -> Result<(), Error> {
    let mut is_holding = false;
    for (task, tally) in &mut tallies.of {
        if tally.held.is_none() {
            continue;
        }
        let Some(record) = draft.live(task) else {
            continue;
        };
        if is_last {
            tally.due = Timestamp(0);
        }
        let step = staged(draft, (task, &record), tally, Waiting::default());
        is_holding |= tally.held.is_some();
        add(draft, task, step)?;
    }
    tallies.holding = is_holding.then(Stopwatch::start);
    Ok(())
}

fn add(draft: &mut Draft<'_>, task: &TaskKey, step: Result<Step, Error>) -> Result<(), Error> {
    match step {
        Ok(step) => draft.add(step),
        Err(error @ Error::Failed { .. }) => return Err(error),
        Err(error) => tracing::error!(task = %task, %error, "lines were lost"),
    }
    Ok(())
}

fn staged(
    draft: &Draft<'_>,
    (task, record): (&TaskKey, &Record),
    tally: &mut Tally,
    waiting: Waiting,
) -> Result<Step, Error> {
    let mut step = Step::default();
    let note = (waiting.dropped > 0).then(|| dropped(record, waiting.dropped, &waiting.lines));
    let most = match waiting.progress {
        Some(progress) if is_most(draft, task, tally, &progress)? => Some(progress),
        _ => None,
    };
    tally.hold(most);
    let progress = tally.take_due();
    let count = waiting.lines.len() + usize::from(note.is_some()) + usize::from(progress.is_some());
    let needs_head = tally.reserve(count as u64);
    for logged in waiting.lines.into_iter().chain(note) {
        let event = event(logged);
        step.put(keys::event(task, tally.take()), encode(&event, &[])?);
    }
    if let Some(logged) = progress {
        put_progress(&mut step, task, tally, logged)?;
    }
    let stored = std::mem::take(&mut step.grown);
    let delta = Delta {
        stored,
        ..Delta::default()
    };
    tally.account.add(&delta);
    step.charged.push((task.tenant.clone(), delta));
    tally.is_ahead |= stored != 0 && !needs_head;
    if needs_head {
        step.put(keys::head(task), encode(&Head::of(record, tally), &[])?);
        step.durable = true;
    }
    Ok(step)
}

/// Stages the heads that do not say yet what their tasks are charged for, of lines since then. Where
/// the process ends without that, they say a little less, until the task is gone.
pub(super) fn stage_heads(draft: &mut Draft<'_>, tallies: &mut Tallies) -> Result<(), Error> {
    let mut step = Step::default();
    for (task, tally) in tallies.of.iter().filter(|(_, tally)| tally.is_ahead) {
        if let Some(record) = draft.live(task) {
            step.put(keys::head(task), encode(&Head::of(&record, tally), &[])?);
        }
    }
    draft.add(step);
    Ok(())
}

/// Stages progress as an event, for which a number is reserved, and as the most of the task.
pub(super) fn put_progress(
    step: &mut Step,
    task: &TaskKey,
    tally: &mut Tally,
    logged: Logged,
) -> Result<(), Error> {
    let event = event(logged);
    let number = tally.take();
    step.put(keys::event(task, number), encode(&event, &[])?);
    let most = StoredProgress { number, event };
    step.put_free(keys::event(task, 0), encode(&most, &[])?);
    Ok(())
}

/// Whether `logged` is no less progress than was ever seen; then it is the most now.
fn is_most(
    draft: &Draft<'_>,
    task: &TaskKey,
    tally: &mut Tally,
    logged: &Logged,
) -> Result<bool, Error> {
    if !tally.is_most_known {
        let key = keys::event(task, 0);
        let stored = draft.get(&key)?;
        let stored: Option<StoredProgress> =
            stored.map(|bytes| decode(&key, &bytes)).transpose()?;
        tally.most = stored.and_then(|stored| done(&stored.event.entry));
        tally.is_most_known = true;
    }
    let now = done(&logged.entry);
    let is_most = now >= tally.most;
    if is_most {
        tally.most = now;
    }
    Ok(is_most)
}

fn event(logged: Logged) -> StoredEvent {
    StoredEvent {
        at: logged.at,
        attempt: logged.attempt,
        entry: logged.entry,
    }
}

/// The line that says that others are missing.
fn dropped(record: &Record, count: u64, lines: &[Logged]) -> Logged {
    let (attempt, at) = lines
        .last()
        .map_or((record.attempt, record.updated), |last| {
            (last.attempt, last.at)
        });
    let text = format!("{count} lines were dropped here: the disk could not keep up");
    let entry = Entry::Line {
        source: Source::Warning,
        text: text.into(),
    };
    Logged { attempt, at, entry }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::tests::record;

    fn line() -> Logged {
        progress_or_line(None)
    }

    fn progress_or_line(done: Option<f64>) -> Logged {
        let line = Entry::Line {
            source: Source::Stdout,
            text: "line".into(),
        };
        let progress = |done| Entry::Progress {
            done,
            total: None,
            message: "".into(),
        };
        Logged {
            attempt: 1,
            at: Timestamp(1),
            entry: done.map_or(line, progress),
        }
    }

    #[test]
    fn what_waits_is_bounded_and_the_most_progress_stays() {
        let mut buffer = Buffer::default();
        let task = record().key();
        assert!(buffer.add(&task, line(), 2));
        for _ in 0..4 {
            assert!(!buffer.add(&task, line(), 2));
        }
        for done in [1.0, 3.0, 2.0, f64::NAN] {
            buffer.add(&task, progress_or_line(Some(done)), 2);
        }
        let waiting = buffer.take().remove(&task).unwrap();
        assert_eq!((waiting.lines.len(), waiting.dropped), (2, 3));
        assert_eq!(done(&waiting.progress.unwrap().entry), Some(3.0));
        assert!(buffer.add(&task, line(), 2));
    }

    #[test]
    fn numbers_are_reserved_before_they_are_taken() {
        let mut tally = Tally::new();
        assert!(tally.reserve(2));
        let end = tally.end();
        assert_eq!((tally.take(), tally.take()), (1, 2));
        assert!(!tally.reserve(1));
        assert_eq!(tally.end(), end);
        let again = Tally::from_end(end);
        assert_eq!(again.next, end);
    }

    #[test]
    fn progress_is_an_event_once_in_an_interval() {
        let mut tally = Tally::new();
        let mut told = Vec::new();
        for at in 0..1_000 {
            let logged = Logged {
                at: Timestamp(5_000 + at),
                ..progress_or_line(Some(f64::from(u32::try_from(at).unwrap())))
            };
            tally.hold(Some(logged));
            told.extend(tally.take_due().map(|logged| logged.at.0 - 5_000));
        }
        assert_eq!(told, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
        let last = tally.take_held().unwrap();
        assert_eq!(done(&last.entry), Some(999.0));
        assert!(tally.take_due().is_none());
    }
}
