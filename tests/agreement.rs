//! The real runtime agrees with the rules: a guest of WebAssembly on a real store, with crashes,
//! drains, stops, pauses, restores and forks, comes to exactly what the pure functions of
//! `stepwell::task` come to in the explorer's host.
//!
//! The explorer draws a run of a guest with faults at random, and it is known then what happens
//! where. The same is done to the guest's twin on the runtime, held at the same operations; the
//! record, the world and everything that the guest did are compared. Many tasks go on together, in
//! one runtime that crashes for all of them at once.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

#[path = "explorer/choose.rs"]
#[allow(dead_code, reason = "the explorer walks, this plays")]
mod choose;
#[path = "explorer/disk.rs"]
mod disk;
#[path = "explorer/fault.rs"]
#[allow(dead_code, reason = "not all faults can be played")]
mod fault;
#[path = "explorer/guests.rs"]
mod guests;
#[path = "explorer/host.rs"]
mod host;
#[path = "explorer/life.rs"]
mod life;
#[path = "../sdk/src/names.rs"]
mod names;
#[path = "explorer/rules.rs"]
#[allow(dead_code, reason = "no rule is dropped here")]
mod rules;
#[path = "explorer/script.rs"]
mod script;
#[path = "explorer/sdk.rs"]
mod sdk;
#[path = "explorer/service.rs"]
mod service;
#[path = "explorer/table.rs"]
mod table;
#[path = "explorer/wait.rs"]
mod wait;
#[path = "explorer/world.rs"]
mod world;

#[path = "agreement/batch.rs"]
mod batch;
#[path = "agreement/compare.rs"]
mod compare;
#[path = "agreement/draw.rs"]
mod draw;
#[path = "agreement/player.rs"]
mod player;

use std::collections::BTreeMap;

use batch::Batch;
use draw::{Case, FAULTS, draw};
use script::Act;

#[tokio::test]
async fn the_runtime_agrees_with_the_rules() {
    let seed = number("AGREEMENT_SEED", 7);
    let runs = number("AGREEMENT_RUNS", 2_048);
    let cases = draw(seed, runs);
    let counts = count(&cases);
    let missing = FAULTS
        .iter()
        .find(|fault| !counts.keys().any(|(it, _)| *it == format!("{fault:?}")));
    tell(seed, runs, &counts);
    assert!(missing.is_none() || runs < 1_000, "never: {missing:?}");
    let mut disagreements = Vec::new();
    for batch in Batch::all(cases) {
        disagreements.extend(batch.play().await);
    }
    let few: Vec<_> = disagreements.iter().take(3).cloned().collect();
    assert!(
        disagreements.is_empty(),
        "seed {seed}: {} of {runs} sequences come to something else on the runtime\n{}",
        disagreements.len(),
        few.join("\n")
    );
}

type Counts = BTreeMap<(String, &'static str), usize>;

/// How often each fault happens, by the state of the task, and how often each end comes.
fn count(cases: &[Case]) -> Counts {
    let mut counts = BTreeMap::new();
    for cue in cases.iter().flat_map(|case| &case.model.script.cues) {
        if let Act::Fault(fault, _) = cue.act {
            let place = (format!("{fault:?}"), cue.status.as_str());
            *counts.entry(place).or_insert(0) += 1;
        }
    }
    for case in cases {
        let end = compare::end(&case.model.disk.record);
        *counts.entry((end, "at the end")).or_insert(0) += 1;
    }
    counts
}

#[expect(clippy::print_stdout, reason = "what to run again, and what it brings")]
fn tell(seed: u64, runs: u64, counts: &Counts) {
    println!("AGREEMENT_SEED={seed} AGREEMENT_RUNS={runs}");
    for ((what, place), count) in counts {
        println!("{count:6} {what}, {place}");
    }
}

/// A number from the environment, for another run or a longer one.
fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}
