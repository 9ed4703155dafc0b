//! The runtime, as the rest of this crate sees it: one small trait, implemented by the
//! contract's imports in a component and by a fake in the tests of this crate.

use crate::contract::stepwell::tool::{
    checkpoints, elicitation, log, progress, steps, task, timers,
};

pub(crate) use checkpoints::Checkpoint;
pub(crate) use elicitation::{Answer, Question};
pub(crate) use log::Level;
pub(crate) use steps::{Effect, Stop};
pub(crate) use task::{Budget, Info};

/// One method for each import of the contract.
pub(crate) trait Host {
    fn begin(&self, name: &str, input: &[u8], effect: Effect) -> Result<Entry, Stop>;
    fn save(&self, state: &[u8]) -> Result<String, Stop>;
    fn load(&self) -> Option<Checkpoint>;
    fn sleep(&self, name: &str, milliseconds: u64) -> Result<(), Stop>;
    fn ask(&self, questions: &[Question]) -> Result<Vec<Answer>, Stop>;
    fn progress(&self, done: f64, total: Option<f64>, message: &str);
    fn log(&self, level: Level, message: &str);
    fn current(&self) -> Info;
    fn remaining(&self) -> Budget;
    fn stop_requested(&self) -> Option<Stop>;
}

/// How the runtime lets a step in.
pub(crate) enum Entry {
    Run(Box<dyn AtWork>),
    Replay(Vec<u8>),
    InDoubt {
        step: Box<dyn AtWork>,
        earlier: Option<Vec<u8>>,
    },
}

/// A step at work. Dropping it leaves it undone.
pub(crate) trait AtWork {
    fn key(&self) -> String;
    fn complete(self: Box<Self>, output: &[u8]);
}

/// The contract's imports.
pub(crate) struct Imports;

impl Host for Imports {
    fn begin(&self, name: &str, input: &[u8], effect: Effect) -> Result<Entry, Stop> {
        Ok(match steps::begin(name, input, effect)? {
            steps::Entry::Run(step) => Entry::Run(Box::new(step)),
            steps::Entry::Replay(output) => Entry::Replay(output),
            steps::Entry::InDoubt(doubt) => Entry::InDoubt {
                step: Box::new(doubt.step),
                earlier: doubt.earlier,
            },
        })
    }

    fn save(&self, state: &[u8]) -> Result<String, Stop> {
        checkpoints::save(state)
    }

    fn load(&self) -> Option<Checkpoint> {
        checkpoints::load()
    }

    fn sleep(&self, name: &str, milliseconds: u64) -> Result<(), Stop> {
        timers::sleep(name, milliseconds)
    }

    fn ask(&self, questions: &[Question]) -> Result<Vec<Answer>, Stop> {
        elicitation::ask(questions)
    }

    fn progress(&self, done: f64, total: Option<f64>, message: &str) {
        progress::report(done, total, message);
    }

    fn log(&self, level: Level, message: &str) {
        log::write(level, message);
    }

    fn current(&self) -> Info {
        task::current()
    }

    fn remaining(&self) -> Budget {
        task::remaining()
    }

    fn stop_requested(&self) -> Option<Stop> {
        task::stop_requested()
    }
}

impl AtWork for steps::Step {
    fn key(&self) -> String {
        self.key()
    }

    fn complete(self: Box<Self>, output: &[u8]) {
        Self::complete(*self, output);
    }
}
