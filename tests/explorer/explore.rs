//! Walks through runs: all of them up to a number of faults, or many at random.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::choose::{Chooser, Random};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::guests::{self, Guest};
use crate::host::Host;
use crate::life::accepted;
use crate::rules::Rules;
use crate::world::Break;

/// When a search is over.
#[derive(Clone, Copy)]
pub(crate) enum Search<'e> {
    /// When all was walked through.
    All,
    /// When this is broken.
    Until(&'e str),
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) runs: u64,
    /// The log of the shortest run for each guest and invariant.
    pub(crate) broken: BTreeMap<String, Vec<String>>,
}

impl Found {
    /// The counterexamples, shortest first.
    pub(crate) fn report(&self) -> String {
        let mut text = format!("{} broken in {} runs\n", self.broken.len(), self.runs);
        let mut broken: Vec<_> = self.broken.iter().collect();
        broken.sort_by_key(|(_, log)| log.len());
        for (what, log) in broken.into_iter().take(5) {
            let _ = writeln!(text, "--- {what}\n{}", log.join("\n"));
        }
        text
    }
}

/// One guest under one set of faults.
#[derive(Clone, Copy)]
struct Job {
    guest: &'static Guest,
    rules: Rules,
    faults: &'static [Fault],
    budget: u32,
}

impl Job {
    /// One run; the chooser that took its choices, and what it broke.
    fn run(&self, start: &Disk, chooser: Chooser, log: bool) -> (Host, Option<String>) {
        let mut host = Host::new(self.rules, self.guest, start.clone(), chooser);
        (host.faults, host.budget) = (self.faults, self.budget);
        host.log = log.then(Vec::new);
        let broken = match host.run() {
            Ok(()) => None,
            Err(Break::Bad(message)) => Some(message),
            Err(_) => Some("an attempt's end came from outside of it".into()),
        };
        (host, broken)
    }

    /// The log of the run that makes these choices.
    fn log(&self, start: &Disk, choices: Vec<usize>, message: &str) -> Vec<String> {
        let (host, _) = self.run(start, Chooser::replay(choices), true);
        let mut log = host.log.unwrap_or_default();
        log.push(format!("!! {message}"));
        log
    }
}

/// Runs that many threads walk through.
struct Walk<'e> {
    search: Search<'e>,
    runs: AtomicU64,
    over: AtomicBool,
    broken: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Walk<'_> {
    fn new(search: Search<'_>) -> Walk<'_> {
        Walk {
            search,
            runs: AtomicU64::new(0),
            over: AtomicBool::new(false),
            broken: Mutex::default(),
        }
    }

    fn note(&self, job: &Job, start: &Disk, (choices, message): (Vec<usize>, &str)) {
        if let Search::Until(expect) = self.search
            && message.contains(expect)
        {
            self.over.store(true, Ordering::Relaxed);
        }
        let kind: String = message.chars().take(30).collect();
        let kind = format!("{}: {kind}", job.guest.name);
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let shorter = |log: &Vec<String>| log.len() > choices.len();
        if broken.get(&kind).is_none_or(shorter) {
            let log = job.log(start, choices, message);
            if broken.get(&kind).is_none_or(|old| log.len() < old.len()) {
                broken.insert(kind, log);
            }
        }
    }

    /// Takes one job after the other, on every core.
    fn on_all_cores(jobs: &[Job], work: impl Fn(&Job, &Disk) + Sync) {
        let next = AtomicUsize::new(0);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let start = accepted();
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        work(job, &start);
                    }
                });
            }
        });
    }

    fn exhaust(&self, job: &Job, start: &Disk) {
        let mut chooser = Some(Chooser::default());
        while let Some(next) = chooser
            .take()
            .filter(|_| !self.over.load(Ordering::Relaxed))
        {
            let (host, broken) = job.run(start, next, false);
            self.runs.fetch_add(1, Ordering::Relaxed);
            if let Some(message) = broken {
                self.note(job, start, (host.chooser.taken(), &message));
            }
            chooser = host.chooser.next();
        }
    }

    fn found(self) -> Found {
        let broken = self.broken.into_inner();
        Found {
            runs: self.runs.into_inner(),
            broken: broken.unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Walks through every run of the guests, or of only one, under each set of faults, with each number of them.
pub(crate) fn exhaust(
    (rules, only): (Rules, Option<&str>),
    sets: &[&'static [Fault]],
    budgets: &[u32],
    search: Search<'_>,
) -> Found {
    let walk = Walk::new(search);
    let mut jobs = Vec::new();
    for budget in budgets.iter().copied() {
        let guests = guests::ALL.iter();
        for guest in guests.filter(|guest| only.is_none_or(|only| guest.name == only)) {
            jobs.extend(sets.iter().map(|faults| Job {
                guest,
                rules,
                faults,
                budget,
            }));
        }
    }
    Walk::on_all_cores(&jobs, |job, start| walk.exhaust(job, start));
    walk.found()
}

/// The log of a run of the guest that breaks what `expect` says, with so many faults.
pub(crate) fn shortest(
    (rules, guest): (Rules, &str),
    sets: &[&'static [Fault]],
    faults: u32,
    expect: &str,
) -> Option<Vec<String>> {
    let found = exhaust((rules, Some(guest)), sets, &[faults], Search::Until(expect));
    let mut logs = found.broken.into_values();
    logs.find(|log| log.last().is_some_and(|last| last.contains(expect)))
}

/// So many runs of each guest with so many of these faults at random.
pub(crate) fn wander(faults: &'static [Fault], budget: u32, runs: u64, seed: u64) -> Found {
    let walk = Walk::new(Search::All);
    let jobs = guests::ALL.iter().map(|guest| Job {
        guest,
        rules: Rules::default(),
        faults,
        budget,
    });
    let jobs: Vec<_> = jobs.collect();
    Walk::on_all_cores(&jobs, |job, start| {
        let name = job.guest.name.bytes().fold(seed, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let mut random = Random::new(name);
        for _ in 0..runs {
            let (host, broken) = job.run(start, Chooser::random(random.clone()), false);
            walk.runs.fetch_add(1, Ordering::Relaxed);
            if let Some(message) = broken {
                walk.note(job, start, (host.chooser.taken(), &message));
            }
            random = host.chooser.into_random().unwrap_or(random);
        }
    });
    walk.found()
}
