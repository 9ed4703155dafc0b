//! Guests without a [`Runtime`](stepwell::runtime::Runtime): attempts of the sandbox, as tasks of a
//! tokio runtime with a thread for each core.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use stepwell::limit::Limits;
use stepwell::sandbox::{
    Answer, Asked, Call, Component, Durable, End, Ending, Entry, Info, Loaded, Meter, Options,
    Reply, Sandbox, StopRequest,
};
use stepwell::task::{Source, Usage};

use crate::crowd::{FUEL, SMALL_MEMORY};

/// Room for the guests that spin, and for as many short calls as pile up beside them.
const SLOTS: usize = 1_000;

/// A sandbox, a component in it, and the runtime that runs its attempts.
pub(crate) struct Plain {
    pub(crate) runtime: tokio::runtime::Runtime,
    sandbox: Sandbox,
    component: Component,
}

type Attempt = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

impl Plain {
    pub(crate) fn new(component: &[u8]) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(&Options {
            slots: SLOTS,
            ..Options::default()
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            component: sandbox.load(&sandbox.compile(component)?)?,
            sandbox,
            runtime,
        })
    }

    /// What makes attempts at a tool, each of which fails where the tool does.
    pub(crate) fn short(
        &self,
        tool: &'static str,
        arguments: &'static str,
    ) -> impl Fn() -> Attempt + Clone + Send + use<> {
        let (sandbox, component) = (self.sandbox.clone(), self.component.clone());
        move || {
            let limits = Limits {
                fuel: FUEL,
                memory: SMALL_MEMORY,
                ..Limits::default()
            };
            let meter = Arc::new(Meter::new(&limits, &Usage::default()));
            let call = Call {
                tool: tool.to_owned(),
                arguments: arguments.to_owned(),
                limits,
                grants: Vec::new(),
            };
            let attempt = sandbox.attempt(&component, call, meter, Box::new(Nothing));
            Box::pin(async move {
                match attempt.await {
                    Ending::Returned(_) => Ok(()),
                    ended => anyhow::bail!("{ended:?}"),
                }
            })
        }
    }
}

/// A durable side that nobody asks for anything.
struct Nothing;

fn lost<T: Send + 'static>() -> Answer<'static, T> {
    Box::pin(ready(Err(End::Lost)))
}

impl Durable for Nothing {
    fn begin(&mut self, _: String, _: Vec<u8>, _: bool) -> Answer<'_, Result<Entry, StopRequest>> {
        lost()
    }

    fn complete<'a>(&'a mut self, _: &'a str, _: Vec<u8>) -> Answer<'a, ()> {
        lost()
    }

    fn abandon(&mut self, _: &str) {}

    fn load(&mut self) -> Answer<'_, Option<Loaded>> {
        lost()
    }

    fn save(&mut self, _: Vec<u8>) -> Answer<'_, Result<String, StopRequest>> {
        lost()
    }

    fn report(&mut self, _: f64, _: Option<f64>, _: String) {}

    fn write(&mut self, _: Source, _: String) {}

    fn sleep(&mut self, _: String, _: u64) -> Answer<'_, Result<(), StopRequest>> {
        lost()
    }

    fn ask(&mut self, _: Vec<Asked>) -> Answer<'_, Result<Vec<Reply>, StopRequest>> {
        lost()
    }

    fn current(&self) -> Info {
        Info {
            id: String::new(),
            attempt: 1,
            traceparent: None,
        }
    }

    fn time_left(&self) -> u64 {
        u64::MAX
    }

    fn stop_requested(&mut self) -> Answer<'_, Option<StopRequest>> {
        lost()
    }
}
