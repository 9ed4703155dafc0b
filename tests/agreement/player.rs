//! Plays one drawn run on the runtime: it brings the task to each place where something happened
//! in the explorer, and does there what happened.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use stepwell::clock::Timestamp;
use stepwell::id::{CheckpointId, TaskKey};
use stepwell::runtime::{Answer, Cancellation, Error, Runtime};
use stepwell::task::{CannotFork, Illegal, Question, Record, State, Status, Wait};
use tokio::task::{JoinHandle, yield_now};

use crate::common::me;
use crate::draw::Event;
use crate::fault::Fault;
use crate::host::Host;
use crate::script::{Act, Cue};

/// How long nothing may come: only to keep a disagreement from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many lines there are in a counter that has no choice left.
const NO_CHOICE: usize = 64;

/// Where tasks are played.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) world: PathBuf,
    /// Whether the runtime is about to end, so that a guest that has left does not come back.
    pub(crate) leaving: bool,
}

impl Stage {
    /// The folder of a task.
    pub(crate) fn folder(&self, task: &TaskKey) -> PathBuf {
        self.world.join(task.id.to_string())
    }
}

/// What a task does not go on without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blocked {
    Ended,
    /// The time.
    Until(Timestamp),
    /// Something that happens to the whole house.
    Event(Event),
    /// The next start.
    Left,
}

/// One task, and what is still to happen to it.
pub(crate) struct Player {
    /// The number of the case in its batch, and of the fork if it is one.
    pub(crate) case: usize,
    pub(crate) fork: Option<usize>,
    pub(crate) key: TaskKey,
    cues: VecDeque<Cue>,
    forks: VecDeque<VecDeque<Cue>>,
    forked: usize,
    /// The attempt that left last because the runtime was about to end.
    leaving: Option<u32>,
    pausing: Option<(u32, JoinHandle<()>)>,
    /// The questions that it asked, as they are known outside.
    pub(crate) questions: BTreeSet<String>,
    /// Forks that have begun.
    pub(crate) born: Vec<Self>,
}

impl Player {
    /// Plays `model` with the task `key`, which waits for its folder.
    pub(crate) fn new(stage: &Stage, case: usize, key: TaskKey, model: &Host) -> Self {
        let cues_of = |host: &Host| host.script.cues.iter().copied().collect();
        let player = Self {
            case,
            fork: None,
            key,
            cues: cues_of(model),
            forks: model.forks.iter().map(cues_of).collect(),
            forked: 0,
            leaving: None,
            pausing: None,
            questions: BTreeSet::new(),
            born: Vec::new(),
        };
        player.furnish(stage, None);
        player
    }

    /// Makes the task's folder, for a fork with the world of its parent. Then the guest goes on.
    fn furnish(&self, stage: &Stage, parent: Option<&Path>) {
        let folder = stage.folder(&self.key);
        std::fs::create_dir(&folder).expect("a folder for the task");
        if let Some(parent) = parent {
            // A parent that did nothing has no log.
            let _ = std::fs::copy(parent.join("world.log"), folder.join("world.log"));
            for counter in ["flakes", "choices"] {
                let lines = "0\n".repeat(NO_CHOICE);
                std::fs::write(folder.join(counter), lines).expect("a counter");
            }
        }
        let running = self.cues.iter().filter(|cue| cue.status == Status::Running);
        let holds: Vec<_> = running
            .map(|cue| format!("{} {}\n", cue.attempt, cue.call))
            .collect();
        let draft = folder.join("holds.new");
        std::fs::write(&draft, holds.concat()).expect("a file for the guest");
        std::fs::rename(draft, folder.join("holds")).expect("a file for the guest");
    }

    /// Plays on until the task is blocked.
    pub(crate) async fn go_on(&mut self, stage: &Stage) -> Result<Blocked, String> {
        let played = tokio::time::timeout(PATIENCE, self.play(stage)).await;
        played.unwrap_or_else(|_| Err(format!("nothing comes, before {:?}", self.cues.front())))
    }

    async fn play(&mut self, stage: &Stage) -> Result<Blocked, String> {
        while let Some(cue) = self.cues.front().copied() {
            let loaded = cue.status == Status::Running && self.leaving == Some(cue.attempt);
            if stage.leaving && !loaded {
                return Ok(Blocked::Left);
            }
            let record = self.reach(stage, &cue).await?;
            if let Some(event) = Event::of(&cue) {
                return Ok(Blocked::Event(event));
            }
            if let (Act::Come, Some(until)) = (cue.act, until(&record)) {
                return Ok(Blocked::Until(until));
            }
            self.carry_out(stage, &cue, &record).await?;
            self.pass(stage);
        }
        if stage.leaving {
            return Ok(Blocked::Left);
        }
        let ended = stage.runtime.wait(&self.key).await;
        self.give_up_pausing();
        ended
            .map(|_| Blocked::Ended)
            .map_err(|error| error.to_string())
    }

    /// Leaves the first cue behind: a guest that was held goes on.
    pub(crate) fn pass(&mut self, stage: &Stage) {
        let Some(cue) = self.cues.pop_front() else {
            return;
        };
        let event = Event::of(&cue);
        if event == Some(Event::Drain) {
            self.leaving = Some(cue.attempt);
        }
        if cue.status == Status::Running && event != Some(Event::Crash) {
            let go = format!("go.{}.{}", cue.attempt, cue.call);
            std::fs::write(stage.folder(&self.key).join(go), "").expect("a file for the guest");
        }
    }

    /// Whether nothing more is to happen to it.
    pub(crate) fn is_over(&self) -> bool {
        self.cues.is_empty()
    }

    /// Nobody waits for a pause any more: the runtime is gone, or the guest.
    pub(crate) fn give_up_pausing(&mut self) {
        if let Some((_, pausing)) = self.pausing.take() {
            pausing.abort();
        }
    }

    /// Brings the task to where it was in the explorer: by then as much has been written.
    async fn reach(&mut self, stage: &Stage, cue: &Cue) -> Result<std::sync::Arc<Record>, String> {
        let running = cue.status == Status::Running;
        let at = format!("at.{}.{}", cue.attempt, cue.call);
        let at = stage.folder(&self.key).join(at);
        let watch = stage.runtime.watch(&self.key).await;
        let watch = watch.map_err(|error| error.to_string())?;
        let record = loop {
            let record = watch.borrow().clone();
            let reached = record.as_ref().is_some_and(|it| match running {
                true => it.seq > cue.seq || at.exists(),
                false => it.seq >= cue.seq,
            });
            match record {
                Some(record) if reached || record.state.is_terminal() => break record,
                _ => yield_now().await,
            }
        };
        let newest = stage.runtime.record(&self.key).await;
        let record = newest.unwrap_or(record);
        if self
            .pausing
            .as_ref()
            .is_some_and(|(attempt, _)| !running || *attempt < cue.attempt)
        {
            self.give_up_pausing();
        }
        let (status, seq, attempt) = (record.status(), record.seq, record.attempt);
        if (status, seq, attempt) == (cue.status, cue.seq, cue.attempt) {
            let asked = record.state.wait().into_iter().flat_map(questions);
            self.questions
                .extend(asked.map(|question| question.key.to_string()));
            return Ok(record);
        }
        Err(format!(
            "it is {status} with change {seq} of attempt {attempt} before {cue:?}"
        ))
    }

    async fn carry_out(&mut self, stage: &Stage, cue: &Cue, record: &Record) -> Result<(), String> {
        let (runtime, key) = (&stage.runtime, &self.key);
        let running = cue.status == Status::Running;
        match cue.act {
            Act::Fault(Fault::Pause | Fault::Restore, _) if running => {
                return self.pause(stage, cue.attempt).await;
            }
            Act::Fault(Fault::Cancel, _) => runtime
                .cancel(key, Cancellation::graceful(me()))
                .await
                .map(drop),
            Act::Fault(Fault::Immediate, _) => runtime
                .cancel(key, Cancellation::immediate(me()))
                .await
                .map(drop),
            Act::Fault(Fault::Rest, _) => runtime.pause(key, &me()).await.map(drop),
            Act::Fault(Fault::Checkpoint, _) => {
                let state = json!({"next": cue.seq});
                runtime.checkpoint(key, &me(), &state).await.map(drop)
            }
            Act::Fault(Fault::Restore, to) => self.restore(stage, to).await,
            Act::Restore(to) => self.restore(stage, Some(to)).await,
            Act::Resume => runtime.resume(key, &me()).await.map(drop),
            Act::Fault(Fault::Fork, _) => self.fork(stage).await,
            Act::Come => self.answer(stage, record).await,
            Act::Fault(fault, _) => return Err(format!("{fault:?} can't be played")),
        }
        .map_err(|error| format!("{error}, at {cue:?}"))?;
        // Whoever watches is shown what was written, and the guest that is loaded before it.
        let watch = runtime.watch(&self.key).await;
        watch.map(drop).map_err(|error| error.to_string())
    }

    /// Asks the guest to leave, which it does at a boundary to come.
    async fn pause(&mut self, stage: &Stage, attempt: u32) -> Result<(), String> {
        if self.pausing.is_some() {
            return Ok(());
        }
        let (runtime, key) = (stage.runtime.clone(), self.key.clone());
        let mut pausing = Box::pin(async move {
            // Where the task ends first, it is refused.
            let _ = runtime.pause(&key, &me()).await;
        });
        // It is refused first, as the task is running, and then asks the guest. What is refused
        // after it is answered after it.
        for _ in 0..3 {
            let polled = poll_fn(|context| Poll::Ready(pausing.as_mut().poll(context))).await;
            let resumed = stage.runtime.resume(&self.key, &me()).await;
            if polled.is_ready() || resumed.is_ok() {
                return Err("a running task was paused or resumed at once".into());
            }
        }
        self.pausing = Some((attempt, tokio::spawn(pausing)));
        Ok(())
    }

    /// Goes back to a checkpoint, unless the task's clean-up has begun: then nothing is written.
    async fn restore(&self, stage: &Stage, to: Option<CheckpointId>) -> Result<(), Error> {
        let to = to.unwrap_or(CheckpointId(0));
        match stage.runtime.restore(&self.key, &me(), to).await {
            Ok(_) | Err(Error::Illegal(Illegal::CleanUp(_) | Illegal::NoCheckpoint(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn fork(&mut self, stage: &Stage) -> Result<(), Error> {
        let child = match stage.runtime.fork(&self.key, &me(), None, None).await {
            Ok(child) => child,
            Err(
                Error::Illegal(Illegal::CleanUp(_))
                | Error::CannotFork(CannotFork::Illegal(Illegal::CleanUp(_))),
            ) => return Ok(()),
            Err(error) => return Err(error),
        };
        let fork = Self {
            case: self.case,
            fork: Some(self.forked),
            key: child.key(),
            cues: self.forks.pop_front().unwrap_or_default(),
            forks: VecDeque::new(),
            forked: 0,
            leaving: None,
            pausing: None,
            questions: BTreeSet::new(),
            born: Vec::new(),
        };
        self.forked += 1;
        fork.furnish(stage, Some(&stage.folder(&self.key)));
        self.born.push(fork);
        Ok(())
    }

    async fn answer(&self, stage: &Stage, record: &Record) -> Result<(), Error> {
        for question in record.state.wait().into_iter().flat_map(questions) {
            let answer = Answer::Accept(json!({"answer": "this"}));
            stage
                .runtime
                .answer(&self.key, &me(), &question.key, &answer)
                .await?;
        }
        Ok(())
    }
}

fn questions(wait: &Wait) -> &[Question] {
    match wait {
        Wait::Input { questions } => questions,
        Wait::Timer { .. } => &[],
    }
}

/// The instant that a task waits for.
fn until(record: &Record) -> Option<Timestamp> {
    match &record.state {
        State::Waiting(Wait::Timer { until, .. }) => Some(*until),
        State::Queued { not_before, .. } => *not_before,
        _ => None,
    }
}
