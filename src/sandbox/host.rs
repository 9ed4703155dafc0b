//! The host's side of `tool.wit`: one file for each interface; and of the interfaces of WASI that
//! are not left to wasmtime.
//!
//! None of these functions returns an error to the guest: it gets an answer, or is unwound.

mod checkpoints;
mod elicitation;
mod log;
mod poll;
mod progress;
mod steps;
mod task;
mod timers;

#[expect(unreachable_pub, reason = "the bindings hand it on as public")]
pub use steps::Step;

use super::StopRequest;
use super::bindings::stepwell::tool::types;
use crate::task::Reason;

impl types::Host for super::guest::Guest {}

impl From<StopRequest> for types::Stop {
    fn from(stop: StopRequest) -> Self {
        let reason = match stop.reason {
            Reason::Cancelled => types::StopReason::Cancelled,
            Reason::DeadlineExceeded => types::StopReason::DeadlineExceeded,
            Reason::OutOfFuel => types::StopReason::OutOfFuel,
        };
        Self {
            reason,
            grace: stop.grace,
        }
    }
}
