//! The committed records, in the order of their commits, for whoever acts on them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Error;
use crate::task::{Record, Status};

/// A record that was committed.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The task as it is now.
    pub record: Arc<Record>,
    /// The word for what it was before; nothing if it was accepted just now.
    pub from: Option<Status>,
}

/// A stream of [`Commit`]s, in order: of all that change more than a task's journal and usage.
///
/// The writer never waits for its reader. A reader that falls behind by more than
/// [`super::Options::feed_max`] is given, for a task that it has not yet read of, the newer record
/// in the older one's place, with the older one's `from`: it misses states that were over anyway,
/// and what waits for it is bounded by the number of tasks. So act on what the record says, not
/// on every step that led there.
pub struct Feed(Arc<Queue>);

/// The end of the feed that the writer holds.
pub(super) struct Source(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    more: Notify,
    bound: usize,
}

#[derive(Default)]
struct State {
    commits: VecDeque<Commit>,
    /// Set when there is no more to come: why.
    end: Option<Result<(), Error>>,
    abandoned: bool,
}

/// A feed that merges past `bound`.
pub(super) fn feed(bound: usize) -> (Source, Feed) {
    let queue = Arc::new(Queue {
        state: Mutex::default(),
        more: Notify::new(),
        bound,
    });
    (Source(queue.clone()), Feed(queue))
}

impl Feed {
    /// The next commit; nothing once the store is closed and all was read. A store that failed
    /// says so here, after all that was committed before, every time it is asked.
    pub async fn next(&mut self) -> Result<Option<Commit>, Error> {
        loop {
            if let Some(next) = self.0.take() {
                return next;
            }
            self.0.more.notified().await;
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        state.commits = VecDeque::new();
    }
}

impl Source {
    /// Adds commits.
    pub(super) fn push(&self, commits: impl IntoIterator<Item = Commit>) {
        let mut state = self.0.lock();
        if state.abandoned {
            return;
        }
        for commit in commits {
            state.push(commit, self.0.bound);
        }
        drop(state);
        self.0.more.notify_one();
    }

    /// Says that there is no more to come. Only the first end counts.
    pub(super) fn end(&self, end: Result<(), Error>) {
        self.0.lock().end.get_or_insert(end);
        self.0.more.notify_one();
    }
}

impl State {
    fn push(&mut self, commit: Commit, bound: usize) {
        if self.commits.len() >= bound {
            let same = |earlier: &&mut Commit| earlier.record.id == commit.record.id;
            if let Some(earlier) = self.commits.iter_mut().rev().find(same) {
                earlier.record = commit.record;
                return;
            }
        }
        self.commits.push_back(commit);
    }
}

impl Queue {
    /// What the reader gets now; nothing if it has to wait.
    fn take(&self) -> Option<Result<Option<Commit>, Error>> {
        let mut state = self.lock();
        match (state.commits.pop_front(), &state.end) {
            (Some(commit), _) => Some(Ok(Some(commit))),
            (None, Some(end)) => Some(end.clone().map(|()| None)),
            (None, None) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::tests::record;

    fn commit(record: &Record, seq: u64) -> Commit {
        let from = Some(Status::Queued);
        let record = Arc::new(Record {
            seq,
            ..record.clone()
        });
        Commit { record, from }
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_newest_of_each_task() {
        let (source, mut feed) = feed(2);
        let (one, two) = (record(), record());
        source.push([commit(&one, 1), commit(&two, 1)]);
        source.push([commit(&one, 2), commit(&one, 3)]);
        source.end(Ok(()));
        let first = feed.next().await.unwrap().unwrap();
        assert_eq!((first.record.id, first.record.seq), (one.id, 3));
        let second = feed.next().await.unwrap().unwrap();
        assert_eq!((second.record.id, second.record.seq), (two.id, 1));
        assert!(feed.next().await.unwrap().is_none());
    }
}
