//! What guests call: the host's operations, and what the SDK for tools makes of them. It numbers
//! repeated names with the SDK's own code, and resolves doubts.

use std::fmt;
use std::sync::Arc;

use crate::host::Host;
use crate::names::{Name, Names};
use crate::world::{Service, Step, need};

/// How a guest comes to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ret {
    Ok,
    Stopped,
    Transient,
    Failed(&'static str),
}

/// What entering a step came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entered {
    Run,
    Replay(String),
    Doubt(Option<String>),
    Stop,
}

/// What a whole step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Done {
    Ok,
    Error,
    Stop,
}

/// What a guest saves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Memo {
    Next(usize),
    Done(Vec<String>),
}

impl Memo {
    pub(crate) fn parse(text: &str) -> Self {
        match text.strip_prefix("next=") {
            Some(number) => Self::Next(number.parse().unwrap_or(0)),
            None => Self::Done(text.split_terminator(',').map(str::to_owned).collect()),
        }
    }
}

impl fmt::Display for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next(number) => write!(f, "next={number}"),
            Self::Done(done) => done.iter().try_for_each(|what| write!(f, "{what},")),
        }
    }
}

/// A step that was entered.
pub(crate) struct Opened {
    entered: Entered,
    name: Name,
    at: Arc<str>,
    what: String,
}

impl Opened {
    pub(crate) fn stops(&self) -> bool {
        self.entered == Entered::Stop
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

/// The SDK of one attempt.
pub(crate) struct Sdk<'h> {
    host: &'h mut Host,
    names: Names,
}

impl<'h> Sdk<'h> {
    pub(crate) fn new(host: &'h mut Host) -> Self {
        let names = Names::default();
        Self { host, names }
    }

    /// Enters the step that has the effect `what`.
    pub(crate) fn open(&mut self, base: &str, what: &str, once: bool) -> Step<Opened> {
        let name = self.host.rules.name(&mut self.names, base, what);
        let at: Arc<str> = name.to_string().into();
        let input = if self.host.guest.inputs { what } else { "" };
        let entered = self.host.begin(&at, input, once)?;
        match &entered {
            Entered::Replay(output) => {
                self.names.used(&name);
                need(*output == answer(what), || {
                    format!("silent old answer: {what} got {output}")
                })?;
            }
            Entered::Stop => self.names.abandoned(&name),
            Entered::Run | Entered::Doubt(_) => {}
        }
        let what = what.to_owned();
        Ok(Opened {
            entered,
            name,
            at,
            what,
        })
    }

    /// Does the work of a step that was entered.
    pub(crate) fn work(&mut self, opened: Opened, service: Service) -> Step<Done> {
        let Opened {
            entered,
            name,
            at,
            what,
        } = opened;
        let output = match entered {
            Entered::Stop => return Ok(Done::Stop),
            Entered::Replay(_) => return Ok(Done::Ok),
            Entered::Run => None,
            Entered::Doubt(Some(output)) => {
                need(output == answer(&what), || {
                    format!("doubt of another step: {what} got {output}")
                })?;
                Some(output)
            }
            Entered::Doubt(None) => self.host.query(&at, &what, service)?,
        };
        let output = match output {
            Some(output) => Some(output),
            None => self.host.effect(&at, &what, service)?,
        };
        let Some(output) = output else {
            self.host.abandon(&at)?;
            self.names.abandoned(&name);
            return Ok(Done::Error);
        };
        self.host.complete(&at, &output, &what)?;
        self.names.used(&name);
        Ok(Done::Ok)
    }

    /// A step that can be run again, of a service that takes a key once.
    pub(crate) fn step(&mut self, base: &str, what: &str) -> Step<Done> {
        let opened = self.open(base, what, false)?;
        self.work(opened, Service::Dedup)
    }

    /// A step that is done once.
    pub(crate) fn once(&mut self, base: &str, what: &str, service: Service) -> Step<Done> {
        let opened = self.open(base, what, true)?;
        self.work(opened, service)
    }

    /// Whether the tool was told to stop instead.
    pub(crate) fn save(&mut self, memo: &Memo) -> Step<bool> {
        let stop = self.host.save(memo)?;
        self.names.start_anew();
        Ok(stop)
    }

    pub(crate) fn load(&mut self) -> Step<Option<Memo>> {
        self.names.start_anew();
        self.host.load()
    }

    /// Whether the tool was told to stop instead.
    pub(crate) fn sleep(&mut self, name: &str) -> Step<bool> {
        self.host.wait(name, false)
    }

    /// Whether the tool was told to stop instead.
    pub(crate) fn ask(&mut self, name: &str) -> Step<bool> {
        self.host.wait(name, true)
    }

    /// Whether the tool should come to an end.
    pub(crate) fn poll(&mut self) -> Step<bool> {
        self.host.poll()
    }

    /// What differs from attempt to attempt.
    pub(crate) fn choose(&mut self, count: usize) -> Step<usize> {
        self.host.guess(count)
    }
}

/// What the services outside answer when they did `what`.
pub(crate) fn answer(what: &str) -> String {
    format!("out:{what}")
}
