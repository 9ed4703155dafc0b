//! The explorer: it runs 16 guests against the state machine of a task and the rules of its
//! boundaries, with every short run of faults, and tries to break them. It is ported from the
//! model that decided those rules.
//!
//! Every operation is one commit or none, so the points before each operation, before the
//! terminal record, and while the task is queued, waiting or paused are all the points at which
//! the world can interfere; between a decision and its write a stop may be recorded too.

mod choose;
mod disk;
mod explore;
mod fault;
mod guests;
mod host;
mod life;
#[path = "../../sdk/src/names.rs"]
mod names;
mod rules;
#[allow(dead_code, reason = "it is read by whoever plays a run again")]
mod script;
mod sdk;
mod service;
mod table;
mod wait;
mod world;

use explore::{Search, exhaust, shortest, wander};
use fault::Fault;
use rules::{Rule, Rules};

/// What happens together.
const SETS: [&[Fault]; 5] = [
    &[Fault::Crash, Fault::Cancel, Fault::Drain],
    &[Fault::Crash, Fault::Deadline, Fault::Pause],
    &[
        Fault::Checkpoint,
        Fault::Restore,
        Fault::Cancel,
        Fault::Crash,
    ],
    &[Fault::Crash, Fault::Cancel, Fault::Fork, Fault::Pause],
    &[
        Fault::Deadline,
        Fault::Cancel,
        Fault::Force,
        Fault::Crash,
        Fault::Immediate,
    ],
];

/// What happens to decisions that are not written yet, and to tasks that are not loaded.
const LATE_SETS: [&[Fault]; 2] = [
    &[
        Fault::LateCancel,
        Fault::LateDeadline,
        Fault::Crash,
        Fault::Pause,
    ],
    &[Fault::Rest, Fault::Cancel, Fault::Deadline, Fault::Restore],
];

const EVERY_FAULT: &[Fault] = &[
    Fault::Crash,
    Fault::Cancel,
    Fault::Deadline,
    Fault::Drain,
    Fault::Pause,
    Fault::Checkpoint,
    Fault::Restore,
    Fault::Fork,
    Fault::Immediate,
    Fault::Force,
    Fault::LateCancel,
    Fault::LateDeadline,
    Fault::Rest,
];

#[test]
fn no_run_of_two_faults_breaks_an_invariant() {
    let found = exhaust((Rules::default(), None), &SETS, &[0, 1, 2], Search::All);
    assert!(found.broken.is_empty(), "{}", found.report());
    assert!(found.runs >= 250_000, "only {} runs", found.runs);
}

#[test]
fn nor_does_a_stop_between_a_decision_and_its_write() {
    let found = exhaust((Rules::default(), None), &LATE_SETS, &[1, 2], Search::All);
    assert!(found.broken.is_empty(), "{}", found.report());
    assert!(found.runs >= 50_000, "only {} runs", found.runs);
}

#[test]
fn nor_do_five_faults_at_random() {
    let seed = number("EXPLORER_SEED", 7);
    let found = wander(EVERY_FAULT, 5, number("EXPLORER_RUNS", 4_000), seed);
    assert!(found.broken.is_empty(), "seed {seed}: {}", found.report());
}

/// A number from the environment, for a longer run than every build can afford.
fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What each rule is for: with so many faults, this guest breaks that without it.
const FOUND: &[(Rule, u32, &str, &str)] = &[
    (Rule::Hold, 2, "saga_saves", "told to stop, left behind"),
    (
        Rule::Mark,
        2,
        "saga_saves",
        "once effect again without in-doubt",
    ),
    (Rule::Ahead, 2, "saga_saves", "told to stop, left behind"),
    (
        Rule::PollTold,
        1,
        "saga_polls",
        "stop delivered twice in one attempt",
    ),
    (Rule::PollLate, 2, "saga_polls", "told to stop, left behind"),
    (Rule::SdkInput, 1, "skip", "r1 has two keys"),
    (
        Rule::Beside,
        2,
        "saga_saves",
        "completed, but never happened",
    ),
    (
        Rule::RowsKept,
        2,
        "chunks",
        "steps before the checkpoint are not done any more",
    ),
    (Rule::UsageEnd, 0, "saga_waits", "usage decreases"),
    (
        Rule::TidyPaused,
        2,
        "saga",
        "ended as if it had not started",
    ),
    (Rule::HowAll, 1, "linear", "no word for this end"),
    (Rule::ForkGuard, 2, "saga", "completed on an undone effect"),
    (Rule::AskGen, 1, "waits", "question key used again outside"),
    (
        Rule::HowTruth,
        2,
        "saga_any_order",
        "completed on an undone effect",
    ),
    (Rule::ForkKey, 2, "retry", "two effects of"),
    (
        Rule::DropLater,
        3,
        "linear",
        "steps before the checkpoint are not done any more",
    ),
];

/// Rules that others cover within two faults: dropped alone, they break nothing.
const COVERED: &[(Rule, &str)] = &[
    (
        Rule::SaveStop,
        "a checkpoint that is saved with the stop holds what is to be undone",
    ),
    (
        Rule::SdkOpen,
        "an abandoned number is not given to another input either",
    ),
    (
        Rule::KeyInput,
        "another input of a name has another stretch, number or restore",
    ),
    (
        Rule::RaiseLate,
        "a meter that is raised early is larger, never smaller",
    ),
];

#[test]
fn every_rule_is_needed() {
    for rule in Rule::ALL {
        let covered = COVERED.iter().any(|(covered, _)| covered == rule);
        let found = FOUND.iter().any(|(found, ..)| found == rule);
        assert!(covered != found, "{rule:?}");
    }
    for (rule, faults, guest, expect) in FOUND {
        let rules = Rules {
            dropped: Some(*rule),
        };
        let broken = shortest((rules, guest), &SETS, *faults, expect);
        assert!(
            broken.is_some(),
            "without {rule:?} {guest} breaks nothing: {expect}"
        );
        let fewer: Vec<_> = (0..*faults).collect();
        let fewer = exhaust((rules, Some(guest)), &SETS, &fewer, Search::All);
        assert!(
            fewer.broken.is_empty(),
            "{rule:?} is broken by fewer: {}",
            fewer.report()
        );
    }
}

#[test]
fn some_rules_are_covered_by_others() {
    for (rule, why) in COVERED {
        let rules = Rules {
            dropped: Some(*rule),
        };
        let found = exhaust((rules, None), &SETS, &[0, 1], Search::All);
        assert!(
            found.broken.is_empty(),
            "{rule:?}, as {why}: {}",
            found.report()
        );
    }
}
