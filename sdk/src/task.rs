//! The task that a tool is at work on: everything that a tool can ask of the runtime.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host::{self, Effect, Entry, Host};
use crate::names::{Name, Names};
use crate::question::Questions;
use crate::step::{Begun, Doubt, Once, Step};
use crate::{Amount, Budget, Error, Info, Level, Result, Stop, journal};

/// The task that a tool is at work on.
///
/// Its work is a sequence of named steps. What a finished step returned is on disk before
/// the tool goes on; when the task is interrupted, the tool is run again from its newest
/// checkpoint, or from the start, and every step that was finished since then returns what
/// it returned before without being run.
///
/// Every method that returns a [`Result`] is a *boundary*, at which the task may be taken
/// away or asked to stop: [`Error::Stopped`] leads out of the tool with `?`.
///
/// # Names
///
/// A name that is used again is numbered (`row`, `row#2`, ...), anew after each checkpoint.
/// That fits a loop that does the same in every attempt. A loop that skips what failed
/// gives its steps an input ([`Task::step_with`]), or names them by what they are about
/// (`row/17`). Names may not hold `#`, `@` or `!`. Steps, sleeps and questions share one
/// name space.
pub struct Task {
    host: Box<dyn Host>,
    names: RefCell<Names>,
}

impl Task {
    pub(crate) fn new(host: Box<dyn Host>) -> Self {
        Self {
            host,
            names: RefCell::default(),
        }
    }

    /// Does `work` once, however often the task is interrupted, and returns its output.
    ///
    /// An attempt that ends while `work` runs leaves the step undone, and the next one runs
    /// it again: for work that may be repeated, a look-up or a computation. Where `work`
    /// fails the step is undone too, and may be tried again.
    ///
    /// ```no_run
    /// # fn example(task: &stepwell_guest::Task) -> stepwell_guest::Result<()> {
    /// let page = task.step("read", || Ok(std::fs::read_to_string("/in/page.html")?))?;
    /// # drop(page); Ok(()) }
    /// ```
    pub fn step<T>(&self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.step_with(name, &(), |()| work())
    }

    /// Like [`Task::step`], with what the work depends on. A later attempt that comes to
    /// this step with another input ends with `step-changed`, rather than going on with an
    /// answer to another question; and a repeated name whose step failed is not given to
    /// another input.
    ///
    /// ```no_run
    /// # fn parse(text: &str) -> stepwell_guest::Result<u32> { Ok(text.parse()?) }
    /// # fn example(task: &stepwell_guest::Task) -> stepwell_guest::Result<()> {
    /// let mut sum = 0;
    /// for text in ["1", "two", "3"] {
    ///     match task.step_with("row", text, parse) {
    ///         Ok(number) => sum += number,
    ///         Err(error) if error.is_stopped() => return Err(error),
    ///         Err(_) => {} // skipped, and looked at again by a later attempt
    ///     }
    /// }
    /// # let _ = sum; Ok(()) }
    /// ```
    pub fn step_with<I, T>(
        &self,
        name: &str,
        input: &I,
        work: impl FnOnce(&I) -> Result<T>,
    ) -> Result<T>
    where
        I: Serialize + ?Sized,
        T: Serialize + DeserializeOwned,
    {
        self.begin(name, input)?.finish(|_| work(input))
    }

    /// Like [`Task::step_with`], for work whose failure is an answer: the error is
    /// journalled as well, and every later attempt gets the same one.
    ///
    /// Use this where the tool decides something by the failure (a name that is not
    /// found, an order that is refused), so that it decides the same in every attempt. Use
    /// [`Task::step`] where trying again may help.
    ///
    /// ```no_run
    /// # fn find(name: &str) -> Result<u64, String> { Err(format!("no {name}")) }
    /// # fn example(task: &stepwell_guest::Task) -> stepwell_guest::Result<()> {
    /// let id = match task.step_result("find", "Ada", |name| find(name))? {
    ///     Ok(id) => id,
    ///     Err(_not_found) => task.step("create", || Ok(7))?,
    /// };
    /// # let _ = id; Ok(()) }
    /// ```
    pub fn step_result<I, T, E>(
        &self,
        name: &str,
        input: &I,
        work: impl FnOnce(&I) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>>
    where
        I: Serialize + ?Sized,
        T: Serialize + DeserializeOwned,
        E: Serialize + DeserializeOwned,
    {
        self.begin(name, input)?.finish(|_| Ok(work(input)))
    }

    /// Does work that must not take effect twice: a payment, an order, a message.
    ///
    /// That the step was begun is on disk before `work` runs. It is handed the
    /// idempotency key, and where the step was begun before and not completed, the doubt:
    /// then it asks the service what became of the key before it does anything.
    ///
    /// ```no_run
    /// # use stepwell_guest::{Result, Task};
    /// # struct Bank;
    /// # impl Bank {
    /// #     fn find(&self, key: &str) -> Result<Option<String>> { Ok(None) }
    /// #     fn pay(&self, key: &str, amount: u64) -> Result<String> { Ok(String::new()) }
    /// # }
    /// # fn example(task: &Task, bank: &Bank, amount: u64) -> Result<()> {
    /// let receipt = task.step_once("pay", &amount, |once| {
    ///     if once.doubt.is_some() && let Some(receipt) = bank.find(&once.key)? {
    ///         return Ok(receipt);
    ///     }
    ///     bank.pay(&once.key, amount)
    /// })?;
    /// # drop(receipt); Ok(()) }
    /// ```
    ///
    /// Where the service cannot be asked, [`Error::in_doubt`] is the honest answer.
    pub fn step_once<I, T>(
        &self,
        name: &str,
        input: &I,
        work: impl FnOnce(Once<T>) -> Result<T>,
    ) -> Result<T>
    where
        I: Serialize + ?Sized,
        T: Serialize + DeserializeOwned,
    {
        match self.begin_once(name, input)? {
            Begun::Done(output) => Ok(output),
            Begun::AtWork(mut step) => {
                let output = work(Once {
                    key: step.key(),
                    doubt: step.take_doubt(),
                })?;
                step.complete(&output)
            }
        }
    }

    /// Begins a step, to be completed later: for steps that overlap. While a step is at
    /// work the tool is not asked to stop, and may not save, sleep or ask.
    ///
    /// ```no_run
    /// # fn left() -> stepwell_guest::Result<u8> { Ok(1) }
    /// # fn right() -> stepwell_guest::Result<u8> { Ok(2) }
    /// # fn example(task: &stepwell_guest::Task) -> stepwell_guest::Result<()> {
    /// let one = task.begin("left", &())?;
    /// let two = task.begin("right", &())?;
    /// let right = two.finish(|_| right())?;
    /// let left = one.finish(|_| left())?;
    /// # let _ = (left, right); Ok(()) }
    /// ```
    pub fn begin<I, T>(&self, name: &str, input: &I) -> Result<Begun<'_, T>>
    where
        I: Serialize + ?Sized,
        T: Serialize + DeserializeOwned,
    {
        self.enter(name, input, Effect::Repeatable)
    }

    /// Begins a step that must not take effect twice. See [`Task::step_once`].
    pub fn begin_once<I, T>(&self, name: &str, input: &I) -> Result<Begun<'_, T>>
    where
        I: Serialize + ?Sized,
        T: Serialize + DeserializeOwned,
    {
        self.enter(name, input, Effect::Once)
    }

    /// Saves `state`, and returns the checkpoint's id: the next attempt starts here, with
    /// an empty journal, and names may be used again. Where this stops, nothing was saved.
    pub fn save<S: Serialize + ?Sized>(&self, state: &S) -> Result<String> {
        let id = self
            .host
            .save(&journal::encode(state)?)
            .map_err(Stop::from)?;
        self.names().start_anew();
        Ok(id)
    }

    /// The state that this attempt starts from, where the tool has saved one. The numbers of
    /// repeated names start anew, so a tool loads before its first step.
    pub fn load<S: DeserializeOwned>(&self) -> Result<Option<S>> {
        let state = self.host.load().and_then(|checkpoint| checkpoint.state);
        self.names().start_anew();
        let read = |bytes: Vec<u8>| journal::decode(&bytes);
        state
            .map(read)
            .transpose()
            .map_err(|error| error.context("the checkpoint's state"))
    }

    /// What the task's owner saved beside the tool's own state, where the task was restored
    /// to that. A tool that acts on it names its steps by content (`row/17`), not by count.
    pub fn client_state<C: DeserializeOwned>(&self) -> Result<Option<C>> {
        let client = self.host.load().and_then(|checkpoint| checkpoint.client);
        let read = |json: String| journal::decode(json.as_bytes());
        client
            .map(read)
            .transpose()
            .map_err(|error| error.context("the owner's checkpoint"))
    }

    /// Sleeps once for `duration`, however often the task is interrupted meanwhile. The
    /// tool may be unloaded while it sleeps.
    pub fn sleep(&self, name: &str, duration: Duration) -> Result<()> {
        let name = self.name(name, b"\0sleep")?;
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let slept = self.host.sleep(&name.to_string(), milliseconds);
        self.waited(&[name], slept)
    }

    /// Asks the task's owner, and waits for the answers. The tool may be unloaded until
    /// they come. See [`Question`](crate::Question).
    pub fn ask<Q: Questions>(&self, questions: Q) -> Result<Q::Answers> {
        let mut names = Vec::new();
        let mut wire = Vec::new();
        for asked in questions.asked() {
            let name = self.name(&asked.name, b"\0ask")?;
            let (message, schema) = (asked.message, asked.schema);
            wire.push(host::Question {
                name: name.to_string(),
                message,
                schema,
            });
            names.push(name);
        }
        let answers = self.waited(&names, self.host.ask(&wire))?;
        questions.answered(&mut answers.into_iter())
    }

    /// Tells the owner how far the work is: `done` of `total`. It never decreases.
    ///
    /// ```no_run
    /// # fn example(task: &stepwell_guest::Task, rows: &[String]) {
    /// task.progress(20, Some(rows.len()), "rows read");
    /// # }
    /// ```
    pub fn progress<A: Amount>(&self, done: A, total: Option<A>, message: &str) {
        self.host
            .progress(done.amount(), total.map(Amount::amount), message);
    }

    /// Writes a line to the task's log.
    pub fn log(&self, level: Level, message: impl fmt::Display) {
        self.host.log(level.into(), &message.to_string());
    }

    /// Whether the tool should come to an end: for work that takes long between two
    /// boundaries. Its first answer is the request, and no boundary repeats it.
    pub fn stop_requested(&self) -> Option<Stop> {
        self.host.stop_requested().map(Stop::from)
    }

    /// What is left of the task's limits.
    pub fn remaining(&self) -> Budget {
        self.host.remaining().into()
    }

    /// The attempt that is under way.
    pub fn info(&self) -> Info {
        self.host.current().into()
    }

    pub(crate) fn names(&self) -> RefMut<'_, Names> {
        self.names.borrow_mut()
    }

    fn enter<I, T>(&self, name: &str, input: &I, effect: Effect) -> Result<Begun<'_, T>>
    where
        I: Serialize + ?Sized,
        T: DeserializeOwned,
    {
        let input = journal::input(input)
            .map_err(|error| error.context(format!("the input of step `{name}`")))?;
        let name = self.name(name, &input)?;
        let read = |bytes: &[u8]| {
            journal::decode(bytes).map_err(|error| {
                error.context(format!("step `{name}` was journalled with another output"))
            })
        };
        match self.host.begin(&name.to_string(), &input, effect) {
            Ok(Entry::Run(step)) => Ok(Begun::AtWork(Step::new(self, name, step, None))),
            Ok(Entry::Replay(output)) => {
                self.names().used(&name);
                Ok(Begun::Done(read(&output)?))
            }
            Ok(Entry::InDoubt { step, earlier }) => {
                let earlier = earlier.as_deref().map(read).transpose();
                let mut step = Step::new(self, name, step, None);
                step.set_doubt(Doubt { earlier: earlier? });
                Ok(Begun::AtWork(step))
            }
            Err(stop) => {
                self.names().abandoned(&name);
                Err(Stop::from(stop).into())
            }
        }
    }

    fn waited<T>(&self, names: &[Name], outcome: Result<T, host::Stop>) -> Result<T> {
        let mut given = self.names();
        for name in names {
            match outcome {
                Ok(_) => given.used(name),
                Err(_) => given.abandoned(name),
            }
        }
        outcome.map_err(|stop| Stop::from(stop).into())
    }

    fn name(&self, base: &str, input: &[u8]) -> Result<Name> {
        if base.is_empty() || base.contains(['#', '@', '!']) {
            let rule = "a name has at least one character, and none of `#`, `@` and `!`";
            return Err(Error::failed(format!(
                "`{base}` is no name for a step: {rule}"
            )));
        }
        Ok(self.names().give(base, input))
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
