//! A durable side that keeps everything in memory, and does as a test says.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use stepwell::id::Digest;
use stepwell::limit::Limits;
use stepwell::sandbox::{
    Answer, Asked, Call, Component, Durable, End, Ending, Entry, Info, Loaded, Meter, Options,
    Reply, Sandbox, StopRequest,
};
use stepwell::task::{Source, Usage};

/// What a durable side was told.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) lines: Vec<(Source, String)>,
    pub(crate) steps: HashMap<String, Vec<u8>>,
    pub(crate) abandoned: Vec<String>,
    pub(crate) reports: Vec<(f64, String)>,
    /// The meter's usage at each `begin`.
    pub(crate) usage: Vec<Usage>,
}

/// A durable side.
pub(crate) struct Fake {
    pub(crate) seen: Arc<Mutex<Seen>>,
    /// What a `begin` of a step of this name ends with.
    pub(crate) end: Option<(String, End)>,
    /// What the meter is raised to at the first `begin`.
    pub(crate) recorded: Option<Usage>,
    pub(crate) meter: Arc<Meter>,
}

impl Fake {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self {
            seen: Arc::default(),
            end: None,
            recorded: None,
            meter,
        }
    }
}

impl Durable for Fake {
    fn begin(
        &mut self,
        name: String,
        _: Vec<u8>,
        _: bool,
    ) -> Answer<'_, Result<Entry, StopRequest>> {
        if let Some(recorded) = self.recorded.take() {
            self.meter.raise(&recorded);
        }
        let mut seen = self.seen.lock().unwrap();
        seen.usage.push(self.meter.usage());
        if let Some((at, end)) = &self.end
            && *at == name
        {
            return Box::pin(ready(Err(end.clone())));
        }
        let entry = match seen.steps.get(&name) {
            Some(output) => Entry::Replay(output.as_slice().into()),
            None => Entry::Run { key: "key".into() },
        };
        Box::pin(ready(Ok(Ok(entry))))
    }

    fn complete<'a>(&'a mut self, name: &'a str, output: Vec<u8>) -> Answer<'a, ()> {
        self.seen.lock().unwrap().steps.insert(name.into(), output);
        Box::pin(ready(Ok(())))
    }

    fn abandon(&mut self, name: &str) {
        self.seen.lock().unwrap().abandoned.push(name.into());
    }

    fn load(&mut self) -> Answer<'_, Option<Loaded>> {
        Box::pin(ready(Ok(None)))
    }

    fn save(&mut self, _: Vec<u8>) -> Answer<'_, Result<String, StopRequest>> {
        Box::pin(ready(Ok(Ok("cp-1".into()))))
    }

    fn report(&mut self, done: f64, _: Option<f64>, message: String) {
        self.seen.lock().unwrap().reports.push((done, message));
    }

    fn write(&mut self, source: Source, line: String) {
        self.seen.lock().unwrap().lines.push((source, line));
    }

    fn sleep(&mut self, _: String, _: u64) -> Answer<'_, Result<(), StopRequest>> {
        Box::pin(ready(Err(End::Suspended)))
    }

    fn ask(&mut self, questions: Vec<Asked>) -> Answer<'_, Result<Vec<Reply>, StopRequest>> {
        let replies = questions.iter().map(|_| Reply::Decline).collect();
        Box::pin(ready(Ok(Ok(replies))))
    }

    fn current(&self) -> Info {
        Info {
            id: "task".into(),
            attempt: 1,
            traceparent: None,
        }
    }

    fn time_left(&self) -> u64 {
        1_000
    }

    fn stop_requested(&mut self) -> Answer<'_, Option<StopRequest>> {
        Box::pin(ready(Ok(None)))
    }
}

/// One attempt of a test: what it ended with, and what was seen of it.
pub(crate) struct Ran {
    pub(crate) ending: Ending,
    pub(crate) usage: Usage,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// What a test sets up for an attempt.
pub(crate) struct Run<'a> {
    pub(crate) component: &'a [u8],
    pub(crate) tool: &'a str,
    pub(crate) arguments: &'a str,
    pub(crate) limits: Limits,
    pub(crate) end: Option<(String, End)>,
    pub(crate) recorded: Option<Usage>,
    pub(crate) grants: Vec<stepwell::sandbox::Grant>,
}

impl<'a> Run<'a> {
    pub(crate) fn of(component: &'a [u8], tool: &'a str, arguments: &'a str) -> Self {
        Self {
            component,
            tool,
            arguments,
            limits: Limits::default(),
            end: None,
            recorded: None,
            grants: Vec::new(),
        }
    }

    pub(crate) async fn run(self) -> Ran {
        let sandbox = sandbox();
        let component = loaded(self.component);
        let meter = Arc::new(Meter::new(&self.limits, &self.recorded.unwrap_or_default()));
        let mut durable = Fake::new(meter.clone());
        (durable.end, durable.recorded) = (self.end, self.recorded);
        let seen = durable.seen.clone();
        let call = Call {
            tool: self.tool.into(),
            arguments: self.arguments.into(),
            limits: self.limits,
            grants: self.grants,
        };
        let attempt = sandbox.attempt(&component, call, meter.clone(), Box::new(durable));
        let ending = tokio::time::timeout(std::time::Duration::from_secs(120), attempt).await;
        Ran {
            ending: ending.unwrap(),
            usage: meter.usage(),
            seen,
        }
    }
}

/// The component, compiled once.
fn loaded(bytes: &[u8]) -> Component {
    static LOADED: Mutex<BTreeMap<Digest, Component>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let component = loaded.entry(Digest::of(bytes)).or_insert_with(|| {
        let compiled = sandbox().compile(bytes).unwrap();
        sandbox().load(&compiled).unwrap()
    });
    component.clone()
}

/// One for all tests, as there is one in a process.
pub(crate) fn sandbox() -> Sandbox {
    static SANDBOX: std::sync::OnceLock<Sandbox> = std::sync::OnceLock::new();
    let options = Options {
        slots: 32,
        ..Options::default()
    };
    SANDBOX
        .get_or_init(|| Sandbox::new(&options).unwrap())
        .clone()
}
