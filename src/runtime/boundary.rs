//! The guest's side of an attempt: the contract's host calls, made durable.
//!
//! Each call asks the rules of `task` what to do, makes durable what they say, and answers. What
//! the guest is told here is on disk.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer as OwnersAnswer;
use super::link::{Link, failed};
use super::watches::Progress;
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Digest, TaskKey};
use crate::limit::MESSAGE_BYTES_MAX;
use crate::sandbox::{Answer, Asked, Durable, End, Entry, Info, Loaded, Reply, StopRequest};
use crate::store::{self, Store};
use crate::task::{
    Attempt, Begin, Checkpoint, Entry as Logged, Event, Failure, Kind, Once, Record, Row, RowKind,
    Save, Source, StepKey, Wait, Waited,
};
use crate::text;
use crate::tool;

/// The longest sleep for which a guest stays loaded.
pub(super) const STAY_MAX: Duration = Duration::from_secs(1);

/// The durable side of one attempt.
pub(super) struct Boundary {
    link: Arc<Link>,
    /// Outputs that came with the journal; the rest is read when a replay needs it.
    outputs: HashMap<StepKey, Arc<[u8]>>,
    done: f64,
    spans: HashMap<String, tracing::Span>,
}

impl Boundary {
    pub(super) fn new(link: Arc<Link>, outputs: HashMap<StepKey, Arc<[u8]>>) -> Self {
        Self {
            link,
            outputs,
            done: 0.0,
            spans: HashMap::new(),
        }
    }

    async fn enter(
        &mut self,
        name: String,
        input: Vec<u8>,
        once: bool,
    ) -> Result<Result<Entry, StopRequest>, End> {
        self.link.check_fuel().await?;
        let (label, input) = (Arc::from(name.as_str()), Digest::of(&input));
        let rule = |attempt: &mut Attempt, record: &_, wants| {
            attempt.begin(record, wants, (&label, input), once)
        };
        let (decision, record) = self.link.decide_at_boundary(rule)?;
        let entry = match decision.map_err(failed)? {
            Begin::Replay(at) => return Ok(Ok(Entry::Replay(self.output(&at).await?))),
            Begin::Stop => return Ok(Err(self.told(&record))),
            Begin::Suspend => return Err(self.suspend().await),
            Begin::InDoubt { once } => {
                let key = once.key.clone();
                let earlier = match once.completed {
                    true => self.once_output(once).await?,
                    false => None,
                };
                Entry::InDoubt { key, earlier }
            }
            Begin::Run { key, write } => {
                self.link.raise();
                if let Some(once) = write {
                    self.link.commit(Event::OnceBegun(once.clone())).await?;
                    self.link.decide(|attempt, _, _| attempt.began_once(once));
                }
                Entry::Run { key }
            }
        };
        let span = tracing::debug_span!("task.step", step = %text::clean_line(&name, 256));
        self.spans.insert(name, span);
        Ok(Ok(entry))
    }

    async fn finish(&mut self, name: &str, output: Vec<u8>) -> Result<(), End> {
        let rule = |attempt: &mut Attempt, record: &_, _| attempt.complete(record, name);
        let (row, once) = self.link.decide(rule).0.map_err(failed)?;
        let event = Event::Done {
            row: row.clone(),
            output: output.into(),
            once,
        };
        self.link.commit(event).await?;
        self.link.decide(|attempt, _, _| attempt.completed(row));
        self.spans.remove(name);
        Ok(())
    }

    async fn start(&mut self) -> Result<Option<Loaded>, End> {
        let record = self.link.record();
        let newest = record.client.or(record.start);
        let Some(id) = newest else { return Ok(None) };
        let mut loaded = Loaded {
            id: id.to_string(),
            state: None,
            client: None,
        };
        if let Some(start) = record.start {
            let saved = self.saved(start).await?;
            loaded.state = saved.map(|checkpoint| checkpoint.state);
        }
        if let Some(client) = record.client {
            let saved = self.saved(client).await?;
            let text = saved.map(|saved| String::from_utf8_lossy(&saved.state).into_owned());
            loaded.client = text.map(Arc::from);
        }
        Ok(Some(loaded))
    }

    async fn checkpoint(&mut self, state: Vec<u8>) -> Result<Result<String, StopRequest>, End> {
        self.link.check_fuel().await?;
        let (decision, record) = self.link.decide_at_boundary(Attempt::save)?;
        match decision.map_err(failed)? {
            Save::Stop => return Ok(Err(self.told(&record))),
            Save::Suspend => return Err(self.suspend().await),
            Save::Write => {}
        }
        let record = self
            .link
            .commit(Event::Saved {
                state: state.into(),
            })
            .await?;
        self.link.decide(|attempt, record, _| attempt.saved(record));
        self.outputs.clear();
        Ok(Ok(record
            .start
            .map(|id| id.to_string())
            .unwrap_or_default()))
    }

    async fn nap(&mut self, name: String, millis: u64) -> Result<Result<(), StopRequest>, End> {
        self.link.check_fuel().await?;
        let names = [(Arc::from(name.as_str()), Digest::of(b""))];
        let until = Timestamp(self.link.shared.clock.now().0.saturating_add(millis));
        let mut pulse = self.link.pulse();
        loop {
            pulse.mark_unchanged();
            let rule = |attempt: &mut Attempt, record: &_, wants| {
                attempt.wait(record, wants, RowKind::Sleep, &names)
            };
            let (decision, record) = self.link.decide_at_boundary(rule)?;
            let is_stopped = match decision.map_err(failed)? {
                Waited::Over(_) => return Ok(Ok(())),
                Waited::Stop => return Ok(Err(self.told(&record))),
                Waited::Suspend => return Err(self.suspend().await),
                Waited::Told => true,
                Waited::Wait(_) if Duration::from_millis(millis) > STAY_MAX => {
                    let [(name, _)] = names;
                    return Err(self.wait(Wait::Timer { name, until }).await);
                }
                Waited::Wait(_) => false,
            };
            tokio::select! {
                () = self.link.shared.sleeper.until(until) => {
                    // After a stop nothing of a sleep is journalled: it may be slept again.
                    return if is_stopped { Ok(Ok(())) } else { self.slept(&names).await };
                }
                _ = pulse.changed(), if !is_stopped => {}
                // A stop that was held back is told now.
                () = self.link.shared.sleeper.until_some(self.link.told_at()) => {}
            }
        }
    }

    async fn slept(
        &mut self,
        [(name, input)]: &[(Arc<str>, Digest); 1],
    ) -> Result<Result<(), StopRequest>, End> {
        let at = StepKey {
            stretch: self.link.record().stretch,
            name: name.clone(),
        };
        let kind = RowKind::Sleep;
        let row = Row {
            at,
            kind,
            input: *input,
            place: 0,
            clean_up: false,
        };
        let event = Event::Done {
            row: row.clone(),
            output: Arc::default(),
            once: None,
        };
        self.link.commit(event).await?;
        self.link.decide(|attempt, _, _| attempt.completed(row));
        Ok(Ok(()))
    }

    async fn question(
        &mut self,
        asked: Vec<Asked>,
    ) -> Result<Result<Vec<Reply>, StopRequest>, End> {
        self.link.check_fuel().await?;
        let names: Vec<_> = asked
            .iter()
            .map(|asked| (Arc::from(&*asked.name), Digest::of(asked.schema.as_bytes())))
            .collect();
        for asked in &asked {
            check_question(asked).map_err(failed)?;
        }
        let rule = |attempt: &mut Attempt, record: &_, wants| {
            attempt.wait(record, wants, RowKind::Answer, &names)
        };
        let (decision, record) = self.link.decide_at_boundary(rule)?;
        match decision.map_err(failed)? {
            Waited::Over(rows) => Ok(Ok(self.replies(rows).await?)),
            Waited::Told => Ok(Ok(vec![Reply::Unavailable; asked.len()])),
            Waited::Stop => Ok(Err(self.told(&record))),
            Waited::Suspend => Err(self.suspend().await),
            Waited::Wait(open) => {
                let asked = asked.into_iter().map(|asked| {
                    let message = text::clean(&asked.message, MESSAGE_BYTES_MAX);
                    (
                        Arc::from(asked.name),
                        Arc::from(message),
                        Arc::from(asked.schema),
                    )
                });
                let questions = Attempt::questions(&record, &open, asked);
                Err(self.wait(Wait::Input { questions }).await)
            }
        }
    }

    async fn replies(&mut self, rows: Vec<StepKey>) -> Result<Vec<Reply>, End> {
        let mut replies = Vec::with_capacity(rows.len());
        for at in rows {
            let output = self.output(&at).await?;
            replies.push(OwnersAnswer::reply(&output).unwrap_or(Reply::Unavailable));
        }
        Ok(replies)
    }

    /// Whether the guest is to come to its end. For steps that take long it is the only place where
    /// fuel that runs out is noticed.
    async fn poll(&mut self) -> Result<Option<StopRequest>, End> {
        self.link.check_fuel().await?;
        let rule =
            |attempt: &mut Attempt, record: &Record, _| attempt.stop_requested(record).cloned();
        let (stop, _) = self.link.decide_at_boundary(rule)?;
        Ok(stop.map(|stop| self.link.request(&stop)))
    }

    /// Records what the guest waits for, and takes it away.
    async fn wait(&mut self, wait: Wait) -> End {
        match self.link.commit(Event::Waits(wait)).await {
            Ok(_) => End::Suspended,
            Err(end) => end,
        }
    }

    /// Takes the guest away because somebody asked for it.
    async fn suspend(&mut self) -> End {
        let (pause, _) = self.link.decide(|_, _, wants| wants.pause);
        match self.link.commit(Event::Suspended { pause }).await {
            Ok(_) => End::Suspended,
            Err(end) => end,
        }
    }

    fn told(&self, record: &crate::task::Record) -> StopRequest {
        // A boundary stops only where a stop is recorded.
        let default = StopRequest {
            reason: crate::task::Reason::Cancelled,
            grace: 0,
        };
        record
            .state
            .stop()
            .map_or(default, |stop| self.link.request(stop))
    }

    /// The output of a row, for a replay: each is handed out once as a rule, so it is not kept.
    async fn output(&mut self, at: &StepKey) -> Result<Arc<[u8]>, End> {
        if let Some(output) = self.outputs.remove(at) {
            return Ok(output);
        }
        let at = at.clone();
        let read = self.read(move |store, task| async move { store.row_output(&task, &at).await });
        Ok(read.await?.unwrap_or_default())
    }

    async fn once_output(&self, once: Once) -> Result<Option<Arc<[u8]>>, End> {
        self.read(|store, task| async move { store.once_output(&task, &once).await })
            .await
    }

    async fn saved(&self, id: CheckpointId) -> Result<Option<Checkpoint>, End> {
        self.read(move |store, task| async move { store.checkpoint(&task, id).await })
            .await
    }

    /// Reads on the threads that serve: where guests are polled it would wait for the files of
    /// other guests, and those who serve for it, since the store reads only so much at once.
    async fn read<T, F>(&self, read: impl FnOnce(Store, TaskKey) -> F) -> Result<T, End>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, store::Error>> + Send + 'static,
    {
        let shared = &self.link.shared;
        let reading = read(shared.store.clone(), self.link.key.clone());
        let reading = shared.serving.spawn(reading);
        // It is never cancelled, so it panicked, or the process is about to end.
        let read = reading.await.map_err(|_| End::Lost)?;
        read.map_err(|error| {
            tracing::error!(task = %self.link.key, %error, "the journal can't be read");
            failed(Failure::new(Kind::Host, "the journal can't be read"))
        })
    }
}

impl Durable for Boundary {
    fn begin(
        &mut self,
        name: String,
        input: Vec<u8>,
        once: bool,
    ) -> Answer<'_, Result<Entry, StopRequest>> {
        Box::pin(self.enter(name, input, once))
    }

    fn complete<'a>(&'a mut self, name: &'a str, output: Vec<u8>) -> Answer<'a, ()> {
        Box::pin(self.finish(name, output))
    }

    fn abandon(&mut self, name: &str) {
        self.spans.remove(name);
        self.link.decide(|attempt, _, _| attempt.abandon(name));
    }

    fn load(&mut self) -> Answer<'_, Option<Loaded>> {
        Box::pin(self.start())
    }

    fn save(&mut self, state: Vec<u8>) -> Answer<'_, Result<String, StopRequest>> {
        Box::pin(self.checkpoint(state))
    }

    fn report(&mut self, done: f64, total: Option<f64>, message: String) {
        let entry = progress(&mut self.done, (done, total), &message);
        if let Logged::Progress {
            done,
            total,
            message,
        } = &entry
        {
            let progress = Progress {
                done: *done,
                total: *total,
                message: message.clone(),
            };
            self.link.shared.watches.report(&self.link.key, progress);
        }
        self.log(entry);
    }

    fn write(&mut self, source: Source, line: String) {
        self.log(Logged::Line {
            source,
            text: line.into(),
        });
    }

    fn sleep(&mut self, name: String, millis: u64) -> Answer<'_, Result<(), StopRequest>> {
        Box::pin(self.nap(name, millis))
    }

    fn ask(&mut self, questions: Vec<Asked>) -> Answer<'_, Result<Vec<Reply>, StopRequest>> {
        Box::pin(self.question(questions))
    }

    fn current(&self) -> Info {
        let attempt = self.link.record().attempt;
        Info {
            id: self.link.key.id.to_string(),
            attempt,
            traceparent: None,
        }
    }

    fn time_left(&self) -> u64 {
        self.link.time_left()
    }

    fn stop_requested(&mut self) -> Answer<'_, Option<StopRequest>> {
        Box::pin(self.poll())
    }
}

impl Boundary {
    fn log(&self, entry: Logged) {
        let (attempt, at) = (self.link.record().attempt, self.link.shared.clock.now());
        self.link
            .shared
            .store
            .log(&self.link.key, attempt, at, entry);
    }
}

/// A report of progress that never goes back behind `seen`, the most before it.
pub(super) fn progress(seen: &mut f64, (done, total): (f64, Option<f64>), message: &str) -> Logged {
    if done.is_finite() {
        *seen = seen.max(done);
    }
    Logged::Progress {
        done: *seen,
        total: total.filter(|total| total.is_finite()),
        message: text::clean_line(message, MESSAGE_BYTES_MAX).into(),
    }
}

fn check_question(asked: &Asked) -> Result<(), Failure> {
    tool::check_question(&asked.schema).map_err(|error| {
        let message = format!("question `{}`: {error}", asked.name);
        Failure::new(Kind::Misuse, text::clean_line(&message, MESSAGE_BYTES_MAX))
    })
}
