//! A runtime for the tests of this crate: it keeps a journal over several attempts, asks
//! to stop where it is told to, and forgets what was at work between attempts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::Task;
use crate::contract::stepwell::tool::types::StopReason;
use crate::host::{
    Answer, AtWork, Budget, Checkpoint, Effect, Entry, Host, Info, Level, Question, Stop,
};

#[derive(Clone, Default)]
pub(crate) struct Fake(Rc<RefCell<Record>>);

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) rows: BTreeMap<String, (Vec<u8>, Vec<u8>)>,
    pub(crate) once: BTreeSet<String>,
    pub(crate) earlier: BTreeMap<String, Vec<u8>>,
    pub(crate) state: Option<Vec<u8>>,
    pub(crate) client: Option<String>,
    /// Every name that reached the runtime, in order.
    pub(crate) seen: Vec<String>,
    /// The fresh boundary after which the tool is asked to stop.
    pub(crate) stop_after: Option<usize>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) progress: Vec<(f64, Option<f64>)>,
}

struct FakeStep {
    record: Rc<RefCell<Record>>,
    name: String,
    input: Vec<u8>,
}

impl Fake {
    /// The task of another attempt.
    pub(crate) fn task(&self) -> Task {
        self.record().seen.clear();
        Task::new(Box::new(self.clone()))
    }

    pub(crate) fn record(&self) -> std::cell::RefMut<'_, Record> {
        self.0.borrow_mut()
    }

    fn fresh(&self) -> Result<(), Stop> {
        let mut record = self.record();
        match record.stop_after {
            Some(0) => {
                record.stop_after = None;
                Err(Stop {
                    reason: StopReason::Cancelled,
                    grace: 1000,
                })
            }
            Some(left) => {
                record.stop_after = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Host for Fake {
    fn begin(&self, name: &str, input: &[u8], effect: Effect) -> Result<Entry, Stop> {
        self.record().seen.push(name.to_owned());
        if let Some((expected, output)) = self.record().rows.get(name) {
            assert_eq!(expected, input, "step-changed {name}");
            return Ok(Entry::Replay(output.clone()));
        }
        let step = Box::new(FakeStep {
            record: Rc::clone(&self.0),
            name: name.to_owned(),
            input: input.to_vec(),
        });
        if self.record().once.contains(name) {
            let earlier = self.record().earlier.get(name).cloned();
            return Ok(Entry::InDoubt { step, earlier });
        }
        self.fresh()?;
        if effect == Effect::Once {
            self.record().once.insert(name.to_owned());
        }
        Ok(Entry::Run(step))
    }

    fn save(&self, state: &[u8]) -> Result<String, Stop> {
        self.fresh()?;
        let mut record = self.record();
        record.rows.clear();
        record.state = Some(state.to_vec());
        Ok("checkpoint".to_owned())
    }

    fn load(&self) -> Option<Checkpoint> {
        let record = self.record();
        let (state, client) = (record.state.clone(), record.client.clone());
        (state.is_some() || client.is_some()).then(|| Checkpoint {
            id: "checkpoint".to_owned(),
            state,
            client,
        })
    }

    fn sleep(&self, name: &str, _milliseconds: u64) -> Result<(), Stop> {
        self.record().seen.push(name.to_owned());
        self.fresh()
    }

    fn ask(&self, questions: &[Question]) -> Result<Vec<Answer>, Stop> {
        self.record()
            .seen
            .extend(questions.iter().map(|question| question.name.clone()));
        self.fresh()?;
        Ok(self.record().answers.clone())
    }

    fn progress(&self, done: f64, total: Option<f64>, _message: &str) {
        self.record().progress.push((done, total));
    }

    fn log(&self, _level: Level, _message: &str) {}

    fn current(&self) -> Info {
        Info {
            id: "task".to_owned(),
            attempt: 1,
            traceparent: None,
        }
    }

    fn remaining(&self) -> Budget {
        Budget {
            fuel: 1,
            memory: 2,
            time: 3000,
        }
    }

    fn stop_requested(&self) -> Option<Stop> {
        self.fresh().err()
    }
}

impl AtWork for FakeStep {
    fn key(&self) -> String {
        format!("key of {}", self.name)
    }

    fn complete(self: Box<Self>, output: &[u8]) {
        let row = (self.input.clone(), output.to_vec());
        let before = self.record.borrow_mut().rows.insert(self.name.clone(), row);
        assert!(before.is_none(), "completed twice: {}", self.name);
    }
}
