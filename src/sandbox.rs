//! The sandbox: wasmtime, behind a door that knows nothing of it.
//!
//! One [`Sandbox`] per process holds the engine. A component's bytes are compiled once
//! ([`Sandbox::compile`]), loaded once ([`Sandbox::load`], which refuses what needs an import that
//! nobody provides), and then run any number of times ([`Sandbox::attempt`]): each attempt has a
//! fresh instance, a [`Meter`], and a [`Durable`] which stands for the task. It does not know what
//! a task's record looks like, nor MCP, nor the store.
//!
//! Attempts are polled in the context of a tokio runtime with time enabled, by any executor.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::clock::Clock;
use crate::limit::Limits;
use crate::task::{Failure, ToolError};
use crate::text::clean_line;
use crate::tool;
use epoch::Epoch;
use guest::Guest;

mod artifact;
mod attempt;
mod bindings;
mod clocks;
mod describe;
mod durable;
mod engine;
mod epoch;
mod failure;
mod guest;
mod host;
mod inspect;
mod limiter;
mod link;
mod log;
mod meter;
mod output;
mod pace;

pub use artifact::{Key, Verified};
pub use durable::{Answer, Asked, Durable, End, Entry, Info, Loaded, Reply, StopRequest};
pub use meter::Meter;

/// How the sandbox is laid out.
#[derive(Clone)]
pub struct Options {
    /// The most guests that are loaded at once.
    pub slots: usize,
    /// How long a guest runs before it lets others run.
    pub tick: Duration,
    /// The clock that guests see, in whole milliseconds.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slots: 256,
            tick: Duration::from_millis(5),
            clock: Clock::system(),
        }
    }
}

/// Why the sandbox can't be set up, or a component can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine allows fewer memory maps than so many loaded guests may need. Without them an
    /// allocation anywhere in the process could fail, so nothing was started.
    #[error(
        "{slots} loaded guests may need {needed} memory maps, but vm.max_map_count is {allowed}: \
         set it with `sysctl -w vm.max_map_count={needed}`, or load at most {slots_max} guests"
    )]
    MapCount {
        /// The guests that were asked for.
        slots: usize,
        /// The maps that they may need.
        needed: u64,
        /// What the machine allows.
        allowed: u64,
        /// The guests that can be loaded as it is.
        slots_max: usize,
    },
    /// The engine could not be set up.
    #[error("the WebAssembly engine can't be set up: {0}")]
    Engine(String),
    /// The bytes are not a WebAssembly component.
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(&'static str),
    /// The bytes begin as a component, but are not a valid one.
    #[error("not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// The component is built for WASI 0.3, which is not provided.
    #[error("the component needs WASI 0.3 (`{0}`); build it for WASI 0.2")]
    Wasi03(String),
    /// The component needs an import that is not provided, or has another type.
    #[error("the component imports `{import}`, {problem}")]
    Import {
        /// Which.
        import: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The component is no tool: an export is missing, or has another type.
    #[error("the component does not export `stepwell:tool/tools`: {0}")]
    Export(String),
    /// The component needs more memories, tables or instances, or larger ones, than any guest is
    /// given.
    #[error("the component needs more than any guest is given: {0}")]
    TooLarge(String),
    /// The compiled form can't be loaded. Compile the component again.
    #[error("the compiled form can't be loaded: {0}")]
    Compiled(String),
}

/// One call of a tool, and what it may use.
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// A JSON text.
    pub arguments: String,
    /// All limits; the sandbox enforces those of fuel, memory, tables, instances, handles, output,
    /// log and host calls.
    pub limits: Limits,
    /// The folders that the guest may use.
    pub grants: Vec<Grant>,
}

/// A folder that a guest may use.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The folder, opened once: what its path means later makes no difference.
    pub folder: Arc<cap_std::fs::Dir>,
    /// Where the guest finds it.
    pub path: String,
    /// Whether the guest may change what is in it.
    pub writable: bool,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The tool returned a result, within the limit of its size.
    Returned(tool::Output),
    /// The tool returned an error.
    Error(ToolError),
    /// It was ended by a limit, a trap or misuse.
    Failed(Failure),
    /// A call of [`Durable`] ended it.
    Ended(End),
}

/// The engine and all that is shared by attempts. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    epoch: Epoch,
    linker: Linker<Guest>,
    version: String,
    slots: usize,
    clock: Clock,
    /// Places for components that describe themselves.
    describing: Semaphore,
}

/// A component, loaded and linked. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    tool: bindings::ToolPre<Guest>,
    is_durable: bool,
}

impl Sandbox {
    /// Sets the engine up.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let (engine, version) = engine::engine(options)?;
        let epoch = Epoch::start(engine.weak(), options.tick)?;
        let linker = link::linker(&engine).map_err(|error| Error::Engine(format!("{error:#}")))?;
        Ok(Self(Arc::new(Inner {
            engine,
            epoch,
            linker,
            version,
            slots: options.slots,
            clock: options.clock.clone(),
            describing: Semaphore::new(engine::DESCRIBE_SLOTS as usize),
        })))
    }

    /// The most guests that are loaded at once. Admit no more: an attempt past it ends
    /// `failed(host)`.
    pub fn slots(&self) -> usize {
        self.0.slots
    }

    /// What a compiled form depends on: of another version, it must be compiled again.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Makes every running guest let others run now, rather than at the next tick; at most every
    /// 20 us, and then when that is over.
    pub fn preempt(&self) {
        self.0.epoch.advance(&self.0.engine);
    }

    /// Compiles a component. It takes a core for seconds: not to be called on a thread that
    /// serves.
    pub fn compile(&self, component: &[u8]) -> Result<Verified, Error> {
        inspect::inspect(component)?;
        let compiled = self.0.engine.precompile_component(component);
        let compiled = compiled.map_err(|error| Error::Invalid(one_line(&error)))?;
        Ok(Verified::compiled(compiled))
    }

    /// Loads a compiled component and links it. Names the import where one is not provided.
    pub fn load(&self, compiled: &Verified) -> Result<Component, Error> {
        let compiled = compiled.component(&self.0.engine);
        let compiled = compiled.map_err(|error| match one_line(&error) {
            // wasmtime has no type for it.
            text if text.contains(" pooling allocator") => Error::TooLarge(text),
            text => Error::Compiled(text),
        })?;
        let linked = link::link(&self.0.linker, &compiled)?;
        let tool = bindings::ToolPre::new(linked);
        Ok(Component {
            tool: tool.map_err(|error| Error::Export(one_line(&error)))?,
            is_durable: link::is_durable(&compiled),
        })
    }

    /// Asks a component for its tools, with little fuel and no capability. Names and texts are
    /// cleaned and bounded, schemas parsed.
    pub async fn describe(&self, component: &Component) -> Result<Vec<tool::Definition>, Failure> {
        // The semaphore is never closed; were it, the pool would still have its own bound.
        let _place = self.0.describing.acquire().await;
        describe::describe(&self.0.engine, &self.0.clock, component).await
    }

    /// Runs one attempt to its end. Drop the future to cut the guest off.
    pub fn attempt(
        &self,
        component: &Component,
        call: Call,
        meter: Arc<Meter>,
        durable: Box<dyn Durable>,
    ) -> impl Future<Output = Ending> + Send + 'static {
        let host = (self.0.engine.clone(), self.0.clock.clone());
        attempt::run(host, component.clone(), call, (meter, durable))
    }
}

impl Component {
    /// Whether it imports anything of the contract that makes a task durable: steps, checkpoints,
    /// timers or elicitation.
    pub fn is_durable(&self) -> bool {
        self.is_durable
    }
}

/// What wasmtime says, fit for a person.
fn one_line(error: &wasmtime::Error) -> String {
    clean_line(&format!("{error:#}"), inspect::TEXT_MAX)
}
