//! The durable side of the contract, which whoever supervises a task implements.
//!
//! The sandbox knows how a guest calls; what is journalled, and when a guest is told to stop, is
//! decided behind this trait. A call that ends the attempt returns [`End`]: the sandbox unwinds the
//! guest and hands the same [`End`] back as the attempt's ending.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::task::{Failure, Reason, Source};

/// The answer to a host call that may have to wait for the disk, the time or a person.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, End>> + Send + 'a>>;

/// Why an attempt does not go on after a host call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The guest broke a rule or hit a limit.
    Failed(Failure),
    /// The guest is taken away at a boundary: what it waits for is recorded, or it is to be run
    /// again later.
    Suspended,
    /// The host side can't go on: what the attempt wrote was refused, or the store has failed.
    Lost,
}

/// The request to stop, as the guest sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopRequest {
    /// Why.
    pub reason: Reason,
    /// How long the guest may still run, in milliseconds.
    pub grace: u64,
}

/// What entering a step came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// It is at work, under this idempotency key.
    Run {
        /// The key.
        key: Arc<str>,
    },
    /// It is done, with this output.
    Replay(Arc<[u8]>),
    /// It was begun before; it is at work, to find out what became of it.
    InDoubt {
        /// The key that it was begun with.
        key: Arc<str>,
        /// What it returned, where it was complete before a restore.
        earlier: Option<Arc<[u8]>>,
    },
}

/// What an attempt starts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The checkpoint's id.
    pub id: String,
    /// What the tool saved.
    pub state: Option<Arc<[u8]>>,
    /// What a client saved beside it: a JSON text.
    pub client: Option<Arc<str>>,
}

/// A question, as the guest asks it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// What is asked.
    pub message: String,
    /// A JSON Schema.
    pub schema: String,
}

/// What came of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// A JSON text, valid under the question's schema.
    Accept(String),
    /// Refused.
    Decline,
    /// Dismissed.
    Cancel,
    /// Nobody can be asked.
    Unavailable,
}

/// The attempt, as the guest may know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Info {
    /// The task's id.
    pub id: String,
    /// From 1.
    pub attempt: u32,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// The durable side of one attempt.
///
/// Calls come one at a time. A future that is dropped half way may or may not have had its effect:
/// the next attempt finds out from the store.
pub trait Durable: Send {
    /// Enters the step called `name`.
    fn begin(
        &mut self,
        name: String,
        input: Vec<u8>,
        once: bool,
    ) -> Answer<'_, Result<Entry, StopRequest>>;

    /// Journals the output of the step at work called `name`.
    fn complete<'a>(&'a mut self, name: &'a str, output: Vec<u8>) -> Answer<'a, ()>;

    /// Leaves the step at work called `name` undone.
    fn abandon(&mut self, name: &str);

    /// What this attempt starts from.
    fn load(&mut self) -> Answer<'_, Option<Loaded>>;

    /// Saves a checkpoint, and returns its id.
    fn save(&mut self, state: Vec<u8>) -> Answer<'_, Result<String, StopRequest>>;

    /// Notes progress.
    fn report(&mut self, done: f64, total: Option<f64>, message: String);

    /// Keeps a line of the task's log. It is within the log's limit, and clean.
    fn write(&mut self, source: Source, line: String);

    /// Sleeps for so many milliseconds.
    fn sleep(&mut self, name: String, millis: u64) -> Answer<'_, Result<(), StopRequest>>;

    /// Asks, and waits for all answers.
    fn ask(&mut self, questions: Vec<Asked>) -> Answer<'_, Result<Vec<Reply>, StopRequest>>;

    /// The attempt.
    fn current(&self) -> Info;

    /// The milliseconds that are left before the deadline, or of the time at work: the lesser.
    fn time_left(&self) -> u64;

    /// Whether the guest should come to an end.
    fn stop_requested(&mut self) -> Answer<'_, Option<StopRequest>>;
}
