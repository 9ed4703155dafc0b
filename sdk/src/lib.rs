//! Write tools for Stepwell in Rust.
//!
//! A tool is a function from typed arguments to a typed result. Its work is a sequence of
//! named steps, and what a finished step returned is on disk before the tool goes on: after
//! a crash, a restart or a wait of days it is run again, and every finished step returns
//! what it returned before.
//!
//! ```no_run
//! use stepwell_guest::{Result, Task, Tool};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Args { file: String }
//!
//! #[derive(serde::Serialize, schemars::JsonSchema)]
//! struct Counted { words: usize }
//!
//! fn count(task: &Task, args: Args) -> Result<Counted> {
//!     let text = task.step("read", || Ok(std::fs::read_to_string(&args.file)?))?;
//!     let words = task.step("count", || Ok(text.split_whitespace().count()))?;
//!     Ok(Counted { words })
//! }
//!
//! stepwell_guest::export!(Tool::new("count", count).description("Counts a file's words."));
//! # fn main() {}
//! ```
//!
//! * [`Task`] is all that a tool can ask of the runtime: steps, checkpoints, sleeps,
//!   questions, progress.
//! * [`Tool`] is what a client is told about the function.
//! * [`Error`] is how a tool ends without a result. `?` turns any error into one.
//! * [`export!`] makes a component of a library of `crate-type = ["cdylib"]`, built with
//!   `cargo build --target wasm32-wasip2`.
//!
//! # When a tool is asked to stop
//!
//! Every boundary may answer [`Error::Stopped`], once per attempt, and not before all that
//! was done in attempts before has been shown to this one. A tool with nothing to tidy up
//! lets it pass with `?`. A tool that undoes what it did catches it, and runs steps as
//! before, until its grace is over:
//!
//! ```no_run
//! # use stepwell_guest::{Error, Result, Task};
//! # fn book(key: &str) -> Result<String> { Ok(key.to_owned()) }
//! # fn cancel(key: &str, room: &str) -> Result<()> { Ok(()) }
//! fn trip(task: &Task, booked: &mut Vec<String>) -> Result<()> {
//!     booked.push(task.step_once("book room", &(), |once| book(&once.key))?);
//!     booked.push(task.step_once("book train", &(), |once| book(&once.key))?);
//!     Ok(())
//! }
//!
//! fn plan(task: &Task, _args: ()) -> Result<String> {
//!     let mut booked = Vec::new();
//!     match trip(task, &mut booked) {
//!         Ok(()) => Ok(booked.join(", ")),
//!         Err(stop @ Error::Stopped(_)) => {
//!             for place in booked.iter().rev() {
//!                 // The same steps in the same order in every attempt.
//!                 task.step_once("cancel", place, |once| cancel(&once.key, place))?;
//!             }
//!             Err(stop)
//!         }
//!         Err(error) => Err(error),
//!     }
//! }
//! ```

#[doc(hidden)]
pub mod contract;
mod error;
#[cfg(test)]
mod fake;
mod host;
mod journal;
mod names;
mod output;
mod question;
mod report;
mod step;
mod task;
#[cfg(test)]
mod tests;
#[doc(hidden)]
pub mod tool;

pub use error::{Error, Failure, Result, Stop, StopReason};
pub use output::Output;
pub use question::{Answer, Question, Questions};
pub use report::{Amount, Budget, Info, Level};
pub use step::{Begun, Doubt, Once, Step};
pub use task::Task;
pub use tool::{TaskSupport, Tool};

/// The examples of the guide and of the README are compiled too.
#[cfg(doctest)]
#[doc = include_str!("../../docs/writing-tools.md")]
#[doc = include_str!("../README.md")]
struct Guide;

/// Makes a component of one or more [`Tool`]s. Once in a library.
///
/// ```
/// use stepwell_guest::{Result, Task, Tool};
///
/// fn echo(_task: &Task, text: serde_json::Map<String, serde_json::Value>) -> Result<String> {
///     Ok(serde_json::to_string(&text)?)
/// }
///
/// stepwell_guest::export!(
///     Tool::new("echo", echo).description("Says it again."),
///     Tool::new("shout", |task, text| Ok(echo(task, text)?.to_uppercase())),
/// );
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($($tool:expr),+ $(,)?) => {
        const _: () = {
            use $crate::contract::exports::stepwell::tool::tools as exported;

            struct Component;

            fn tools() -> ::std::vec::Vec<$crate::Tool> {
                ::std::vec![$($tool),+]
            }

            impl exported::Guest for Component {
                fn describe() -> ::std::vec::Vec<exported::Definition> {
                    $crate::tool::describe(&tools())
                }

                fn call(
                    name: ::std::string::String,
                    arguments: ::std::string::String,
                ) -> ::std::result::Result<exported::Output, exported::Error> {
                    $crate::tool::call(&tools(), &name, &arguments)
                }
            }

            $crate::contract::export_contract!(
                Component with_types_in $crate::contract
            );
        };
    };
}
