//! `model`: the guests of the design's executable model of a task, on the real runtime.

mod gate;
mod guests;

use serde_json::Value;

use crate::contract::exports::stepwell::tool::tools::{Error, Output};
use crate::contract::stepwell::tool::checkpoints;
use crate::contract::stepwell::tool::elicitation::{self, Question};
use crate::contract::stepwell::tool::steps::{self, Effect, Entry, Step};
use crate::contract::stepwell::tool::{task, timers};
use crate::names::{Name, Names};
use crate::world::{Service, World};
use crate::{Result, failed, failure, invalid, number, text};
use gate::Gate;

pub(crate) fn run(arguments: &Value) -> Result<Output> {
    let name = arguments
        .get("guest")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (_, guest) = guests::GUESTS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| invalid(format!("the model has no guest `{name}`")))?;
    let gate = Gate::of(arguments)?;
    let mut sdk = Sdk {
        world: World::of(arguments, gate.folder()),
        gate,
        names: Names::default(),
        has_inputs: name != "jumpNoInput",
        sleep: number(arguments, "sleep_ms").unwrap_or(2000),
    };
    let end = guest(&mut sdk)?;
    sdk.gate.pass("")?;
    match end {
        End::Ok => Ok(text("ok".to_owned())),
        End::Stopped => Err(Error::Stopped),
        End::Transient => Err(Error::Transient(failure("transient"))),
        End::ToldAgain => Err(failed("told again")),
    }
}

/// How a guest of the model ends.
enum End {
    Ok,
    Stopped,
    Transient,
    ToldAgain,
}

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Ok,
    Replay,
    Stop,
    Error,
}

/// The model's SDK: numbers names, resolves doubts.
struct Sdk {
    world: World,
    gate: Gate,
    names: Names,
    has_inputs: bool,
    sleep: u64,
}

/// A step as it was found.
struct Opened {
    entry: Option<Entry>,
    name: Name,
    what: String,
}

impl Sdk {
    fn open(&mut self, base: &str, what: &str, effect: Effect) -> Result<Opened> {
        let name = self.names.give(base, what.as_bytes());
        let input = if self.has_inputs {
            what.as_bytes()
        } else {
            &[]
        };
        self.gate.pass(&format!("begin {name}"))?;
        let entry = steps::begin(&name.to_string(), input, effect).ok();
        self.gate.told(entry.is_none())?;
        match &entry {
            Some(Entry::Replay(output)) => {
                self.names.used(&name);
                let output = String::from_utf8_lossy(output);
                if output != format!("out:{what}") {
                    return Err(failed(format!("silent old answer: {what} got {output}")));
                }
            }
            None => self.names.abandoned(&name),
            Some(Entry::Run(_) | Entry::InDoubt(_)) => {}
        }
        Ok(Opened {
            entry,
            name,
            what: what.to_owned(),
        })
    }

    fn work(&mut self, opened: Opened, service: Service) -> Result<Done> {
        let Opened { entry, name, what } = opened;
        let (step, known) = match entry {
            None => return Ok(Done::Stop),
            Some(Entry::Replay(_)) => return Ok(Done::Replay),
            Some(Entry::Run(step)) => (step, None),
            Some(Entry::InDoubt(doubt)) => {
                let earlier = doubt
                    .earlier
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let known = match earlier {
                    Some(earlier) if earlier != format!("out:{what}") => {
                        return Err(failed(format!(
                            "doubt of another step: {what} got {earlier}"
                        )));
                    }
                    Some(earlier) => Some(earlier),
                    None => {
                        self.gate.pass(&format!("query {what}"))?;
                        self.world.query(&what, &doubt.step.key(), service)?
                    }
                };
                (doubt.step, known)
            }
        };
        let output = match known {
            Some(output) => Some(output),
            None => {
                self.gate.pass(&format!("effect {what}"))?;
                self.world.effect(&what, &step.key(), service)?
            }
        };
        match output {
            Some(output) => {
                self.gate.pass(&format!("complete {name}"))?;
                Step::complete(step, output.as_bytes());
                self.names.used(&name);
                Ok(Done::Ok)
            }
            None => {
                self.gate.pass(&format!("abandon {name}"))?;
                Step::abandon(step);
                self.names.abandoned(&name);
                Ok(Done::Error)
            }
        }
    }

    fn step(&mut self, base: &str, what: &str) -> Result<Done> {
        let opened = self.open(base, what, Effect::Repeatable)?;
        self.work(opened, Service::Dedup)
    }

    fn once(&mut self, base: &str, what: &str, service: Service) -> Result<Done> {
        let opened = self.open(base, what, Effect::Once)?;
        self.work(opened, service)
    }

    /// Whether the state was saved, rather than the tool asked to stop.
    fn save(&mut self, state: &Value) -> Result<bool> {
        self.gate.pass("save")?;
        let saved = checkpoints::save(state.to_string().as_bytes()).is_ok();
        self.gate.told(!saved)?;
        if saved {
            self.names.start_anew();
        }
        Ok(saved)
    }

    fn load(&mut self) -> Result<Option<Value>> {
        self.gate.pass("load")?;
        let state = checkpoints::load().and_then(|loaded| loaded.state);
        Ok(state.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Whether the tool slept, rather than being asked to stop.
    fn sleep(&mut self, name: &str) -> Result<bool> {
        self.gate.pass(&format!("wait {name}"))?;
        let slept = timers::sleep(name, self.sleep).is_ok();
        self.gate.told(!slept)?;
        Ok(slept)
    }

    /// Whether there is an answer, rather than a stop.
    fn ask(&mut self, name: &str) -> Result<bool> {
        self.gate.pass(&format!("wait {name}"))?;
        let schema = r#"{"type":"object","properties":{"answer":{"type":"string"}}}"#;
        let answered = elicitation::ask(&[Question {
            name: name.to_owned(),
            message: "What now?".to_owned(),
            schema: schema.to_owned(),
        }])
        .is_ok();
        self.gate.told(!answered)?;
        Ok(answered)
    }

    fn is_stop_requested(&mut self) -> Result<bool> {
        self.gate.pass("stop-requested")?;
        let is_requested = task::stop_requested().is_some();
        if is_requested && !self.gate.is_told {
            self.gate.told(true)?;
        }
        Ok(is_requested)
    }

    /// What differs from attempt to attempt.
    fn choose(&mut self) -> Result<u64> {
        self.gate.pass("guess")?;
        self.world.choose()
    }
}
