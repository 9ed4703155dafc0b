//! Draws runs of the explorer's guests that can be played on the runtime too.

use stepwell::task::{Failure, How, Kind, Outcome, State, Status};

use crate::choose::{Chooser, Random};
use crate::fault::Fault;
use crate::guests;
use crate::host::Host;
use crate::life::accepted;
use crate::rules::Rules;
use crate::script::{Act, Cue};

/// What can be played.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::Crash,
    Fault::Drain,
    Fault::Cancel,
    Fault::Deadline,
    Fault::Pause,
    Fault::Checkpoint,
    Fault::Restore,
    Fault::Fork,
    Fault::Immediate,
    Fault::Rest,
];

/// How often a fault happens where one can: of a hundred.
const PERCENT: [usize; 4] = [6, 12, 25, 45];

const FAULTS_MAX: usize = 5;

/// The names of the twins, in the order of the explorer's guests.
const TWINS: [&str; 16] = [
    "linear",
    "once2",
    "chunks",
    "retry",
    "skip",
    "saga",
    "sagaR",
    "sagaN",
    "sagaC",
    "sagaP",
    "sagaW",
    "overlap",
    "rowsTwo",
    "waits",
    "jump",
    "jumpNoInput",
];

/// Something that happens to a whole house.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Event {
    Crash,
    Drain,
    Deadline,
}

impl Event {
    pub(crate) fn of(cue: &Cue) -> Option<Self> {
        match cue.act {
            Act::Fault(Fault::Crash, _) => Some(Self::Crash),
            Act::Fault(Fault::Drain, _) => Some(Self::Drain),
            Act::Fault(Fault::Deadline, _) => Some(Self::Deadline),
            _ => None,
        }
    }
}

/// A run that was drawn, as it went in the explorer.
pub(crate) struct Case {
    /// The guest's name on the runtime.
    pub(crate) twin: &'static str,
    pub(crate) model: Host,
    /// What happens in it that happens to the whole house.
    pub(crate) events: Vec<Event>,
}

/// So many runs, the guests in turn, each with at least one fault; in every second run of a guest
/// there is one while the task is not loaded.
pub(crate) fn draw(seed: u64, count: u64) -> Vec<Case> {
    let start = accepted();
    let mut random = Random::new(seed);
    let mut cases = Vec::new();
    let mut guests = guests::ALL.iter().zip(TWINS).cycle();
    while (cases.len() as u64) < count {
        let Some((guest, twin)) = guests.next() else {
            break;
        };
        let case = loop {
            let percent = PERCENT[random.below(PERCENT.len())];
            let chooser = Chooser::random(Random::with((random.next(), percent)));
            let mut model = Host::new(Rules::default(), guest, start.clone(), chooser);
            model.faults = FAULTS;
            model.budget = u32::try_from(1 + random.below(FAULTS_MAX)).unwrap_or(1);
            model.log = Some(Vec::new());
            assert!(model.run().is_ok(), "the rules are broken: {:?}", model.log);
            let idle = cases.len() / guests::ALL.len() % 2 == 1;
            if is_playable(&model) && (!idle || model.script.cues.iter().any(is_idle_fault)) {
                let events = model.script.cues.iter().filter_map(Event::of).collect();
                break Case {
                    twin,
                    model,
                    events,
                };
            }
        };
        cases.push(case);
    }
    cases
}

fn is_fault(cue: &Cue) -> bool {
    matches!(cue.act, Act::Fault(..))
}

fn is_idle_fault(cue: &Cue) -> bool {
    is_fault(cue) && cue.status != Status::Running && !cue.status.is_terminal()
}

/// Whether the runtime can be brought to do the same, and every fault be put where it was.
fn is_playable(model: &Host) -> bool {
    let cues = &model.script.cues;
    let naps = model.script.naps || model.forks.iter().any(|fork| fork.script.naps);
    cues.iter().any(is_fault)
        && !naps
        && !is_quarantined(model)
        && cues.iter().all(is_possible)
        && cues
            .iter()
            .enumerate()
            .all(|(place, cue)| leaves(model, cue, &cues[place + 1..]))
}

/// Whether three attempts in a row took the process with them: then no task of this component runs
/// any more.
fn is_quarantined(model: &Host) -> bool {
    let is_host = |failure: &Failure| failure.kind == Kind::Host;
    match &model.disk.record.state {
        State::Finished { outcome, .. } => match outcome {
            Outcome::Failed { failure, how } => {
                is_host(failure)
                    || matches!(how, Some(How::Failed { failure, .. }) if is_host(failure))
            }
            Outcome::Cancelled {
                how: How::Failed { failure, .. },
            } => is_host(failure),
            Outcome::Cancelled { .. } | Outcome::Completed => false,
        },
        _ => true,
    }
}

/// Whether it can happen at all, and the task can be held for it.
fn is_possible(cue: &Cue) -> bool {
    let (running, queued) = (cue.status == Status::Running, cue.status == Status::Queued);
    match cue.act {
        // A queued task runs at once, but for a retry that backs off.
        Act::Fault(..) if queued && !cue.backs_off => false,
        // The time that passes is over for a wait, too.
        Act::Fault(Fault::Deadline, _) => !queued && cue.status != Status::WaitingTimer,
        // What is to stop is not paused any more.
        Act::Fault(Fault::Pause | Fault::Restore, _) => !(running && cue.stop),
        Act::Restore(_) => cue.status == Status::Paused,
        Act::Fault(..) | Act::Resume | Act::Come => true,
    }
}

/// Whether the guest leaves, once the process is about to end, before anything else happens to the
/// house; and is not paused on its way into a retry, when it might be too late for that.
fn leaves(model: &Host, cue: &Cue, later: &[Cue]) -> bool {
    if Event::of(cue) != Some(Event::Drain) {
        return true;
    }
    let same = |other: &&Cue| other.attempt == cue.attempt && other.status == Status::Running;
    let pauses = |other: &Cue| matches!(other.act, Act::Fault(Fault::Pause | Fault::Restore, _));
    let all = model.script.cues.iter().filter(same);
    let retries = model.guest.name == "retry" && all.into_iter().any(pauses);
    !retries
        && later
            .iter()
            .filter(same)
            .all(|later| Event::of(later).is_none())
}
