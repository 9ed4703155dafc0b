//! What is durable of a task beside its journal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Outcome, Policy, State, Status, Usage};
use crate::clock::Timestamp;
use crate::id::{CheckpointId, Digest, Principal, TaskId, TaskKey};
use crate::limit::Limits;

/// The part of a task between two checkpoints of its tool, numbered by the checkpoints before it.
pub type Stretch = u32;

/// What a task was accepted with. It never changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// Its owner; the tenant is the owner's.
    pub owner: Principal,
    /// The component that it runs.
    pub component: Digest,
    /// The tool of that component.
    pub tool: Arc<str>,
    /// The digest of its arguments.
    pub arguments: Digest,
    /// The idempotency key that it was accepted under.
    pub key: Option<Arc<str>>,
    /// Its limits.
    pub limits: Limits,
    /// The folders that it was granted, as the configuration or the command line wrote them.
    pub grants: Vec<Arc<str>>,
    /// How much of it is kept.
    pub policy: Policy,
    /// When it was accepted.
    pub created: Timestamp,
    /// The task that it was forked from, and where.
    pub forked_from: Option<(TaskId, Option<CheckpointId>)>,
    /// The name that its owner chose for it, unique among the owner's tasks while it is kept.
    pub name: Option<Arc<str>>,
}

impl Spec {
    /// The component of a task that ran no component: a request that the host itself has answered,
    /// whose tool is the method's name. It is a text, and not the digest of any bytes that anybody
    /// could find.
    pub const HOST: Digest = Digest(*b"stepwell.host/answered-at-once/1");

    /// Whether it is the host's own answer, and so never ran anything.
    pub fn is_of_host(&self) -> bool {
        self.component == Self::HOST
    }
}

/// Who saved a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The tool: it begins a stretch.
    Tool,
    /// The task's owner: it changes nothing for the tool.
    Client,
}

/// Where a checkpoint lies. Its state is kept apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// The place in the journal at which it was saved, which names it too.
    pub id: CheckpointId,
    /// Who saved it.
    pub origin: Origin,
    /// The stretch that goes on from it.
    pub stretch: Stretch,
    /// The tool's checkpoint at the start of that stretch, none in the first.
    pub start: Option<CheckpointId>,
    /// Rows of that stretch that lie before it.
    pub steps: u64,
    /// Bytes of the outputs of those.
    pub journal: u64,
    /// Rows of all stretches before that one.
    pub steps_before: u64,
    /// When it was saved.
    pub at: Timestamp,
    /// How many bytes its state has.
    pub bytes: u64,
}

impl Mark {
    /// Where every task begins: a place that it can always be restored to.
    pub const BEGINNING: Self = Self {
        id: CheckpointId(0),
        origin: Origin::Tool,
        stretch: 0,
        start: None,
        steps: 0,
        journal: 0,
        steps_before: 0,
        at: Timestamp(0),
        bytes: 0,
    };

    /// The place in the journal: everything up to and with it was done before.
    pub fn place(&self) -> u64 {
        self.id.0
    }

    /// The steps that were done before it, in all stretches.
    pub fn steps_done(&self) -> u64 {
        self.steps_before + self.steps
    }
}

/// A checkpoint with its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Where it lies.
    pub mark: Mark,
    /// The tool's bytes, or a client's JSON text.
    pub state: Arc<[u8]>,
}

/// What a restore has forgotten: everything journalled after `after`, up to and with `upto`.
///
/// A restore writes one of these instead of removing rows, so its commit is as small whatever it
/// forgets; the rows are removed later, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hole {
    /// The last place that is kept.
    pub after: u64,
    /// The last place that is forgotten.
    pub upto: u64,
}

/// A task, as it stands in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its id.
    pub id: TaskId,
    /// What it was accepted with.
    pub spec: Arc<Spec>,
    /// Where it is in its life.
    pub state: State,
    /// The number of the newest attempt, and so the fence: what an older one writes is refused.
    pub attempt: u32,
    /// Attempts in a row that ended with the process and had written nothing.
    pub barren: u32,
    /// Attempts that were retries.
    pub retries: u32,
    /// The stretch that it is in.
    pub stretch: Stretch,
    /// The tool's checkpoint at the start of this stretch.
    pub start: Option<CheckpointId>,
    /// The client's checkpoint that it was restored to last, whose state is shown to the tool
    /// until its next checkpoint.
    pub client: Option<CheckpointId>,
    /// The number of the newest change; a change of the journal has it as its place.
    pub seq: u64,
    /// How often it was restored.
    pub generation: u32,
    /// The task whose id its steps' keys are made from: its own, or that of the task it goes on
    /// with.
    pub base: TaskId,
    /// Rows of the current stretch.
    pub steps: u64,
    /// Bytes of the outputs of those.
    pub journal: u64,
    /// `once` records, of all stretches.
    pub once_steps: u64,
    /// Steps done before the current stretch.
    pub steps_before: u64,
    /// Names of the rows and `once` records that attempts wrote after they were told to stop, the
    /// first few of them: a task whose clean-up has begun can be neither restored nor forked.
    pub clean_up: Arc<[Arc<str>]>,
    /// How many tasks were forked from it since it ended.
    pub forks: u32,
    /// What it has used.
    pub usage: Usage,
    /// When it last changed.
    pub updated: Timestamp,
    /// The checkpoints that are kept, oldest first.
    pub marks: Arc<[Mark]>,
    /// What restores have forgotten, oldest first.
    pub holes: Arc<[Hole]>,
}

impl Record {
    /// A task that was just accepted.
    pub fn accepted(id: TaskId, spec: Spec) -> Self {
        let updated = spec.created;
        Self {
            id,
            spec: Arc::new(spec),
            state: State::Queued {
                not_before: None,
                stop: None,
            },
            attempt: 0,
            barren: 0,
            retries: 0,
            stretch: 0,
            start: None,
            client: None,
            seq: 0,
            generation: 0,
            base: id,
            steps: 0,
            journal: 0,
            once_steps: 0,
            steps_before: 0,
            clean_up: Arc::default(),
            forks: 0,
            usage: Usage::default(),
            updated,
            marks: Arc::default(),
            holes: Arc::default(),
        }
    }

    /// A task that was answered when it was accepted: it is at its end, and nothing ever ran.
    pub fn answered(id: TaskId, spec: Spec) -> Self {
        let accepted = Self::accepted(id, spec);
        Self {
            state: State::Finished {
                outcome: Outcome::Completed,
                stop: None,
                at: accepted.updated,
                doubts: Arc::default(),
            },
            ..accepted
        }
    }

    /// Its key in the store.
    pub fn key(&self) -> TaskKey {
        TaskKey {
            tenant: self.spec.owner.tenant.clone(),
            id: self.id,
        }
    }

    /// The word for its state.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// When it is asked to stop at the latest.
    pub fn deadline(&self) -> Timestamp {
        Timestamp(
            self.spec
                .created
                .0
                .saturating_add(self.spec.limits.deadline),
        )
    }

    /// When its record may be removed.
    pub fn expires(&self) -> Timestamp {
        Timestamp(self.spec.created.0.saturating_add(self.spec.limits.ttl))
    }

    /// Whether what was journalled at `place` is still true: no restore has forgotten it.
    pub fn is_alive(&self, place: u64) -> bool {
        !self
            .holes
            .iter()
            .any(|hole| hole.after < place && place <= hole.upto)
    }

    /// Whether rows of `stretch` are kept: the task is in it, or a kept client's checkpoint lies in
    /// it. Those of any other may be removed.
    pub fn needs_rows_of(&self, stretch: Stretch) -> bool {
        let mut marks = self.marks.iter();
        let client = |mark: &Mark| mark.origin == Origin::Client && mark.stretch == stretch;
        stretch == self.stretch || marks.any(client)
    }

    /// The checkpoint `id`; [`Mark::BEGINNING`] is always there.
    pub fn mark(&self, id: CheckpointId) -> Option<Mark> {
        let beginning = (id == Mark::BEGINNING.id).then_some(Mark::BEGINNING);
        beginning.or_else(|| self.marks.iter().find(|mark| mark.id == id).copied())
    }

    /// Whether a stop would have anything to tidy up: without a row, a `once` record or a
    /// checkpoint the tool has done nothing that lasts.
    pub fn has_work(&self) -> bool {
        self.steps > 0 || self.once_steps > 0 || self.stretch > 0
    }
}
