//! What a tool tells about its work, and what it is told about its task.

use std::time::Duration;

use crate::host;

/// What kind of line is written to the task's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author of the tool.
    Debug,
    /// For whoever wants to know what is going on.
    Info,
    /// Something is odd, and the tool goes on.
    Warning,
    /// Something went wrong.
    Error,
}

/// The attempt that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The task's id.
    pub id: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The W3C trace context of the attempt.
    pub traceparent: Option<String>,
}

/// What is left of the task's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Units of work.
    pub fuel: u64,
    /// Bytes of linear memory.
    pub memory: u64,
    /// Until the deadline, or the end of the time at work.
    pub time: Duration,
}

/// A number that progress can be counted in.
pub trait Amount: Copy {
    /// The number as the contract has it.
    fn amount(self) -> f64;
}

impl From<Level> for host::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
            Level::Error => Self::Error,
        }
    }
}

impl From<host::Info> for Info {
    fn from(info: host::Info) -> Self {
        let host::Info {
            id,
            attempt,
            traceparent,
        } = info;
        Self {
            id,
            attempt,
            traceparent,
        }
    }
}

impl From<host::Budget> for Budget {
    fn from(budget: host::Budget) -> Self {
        let host::Budget { fuel, memory, time } = budget;
        Self {
            fuel,
            memory,
            time: Duration::from_millis(time),
        }
    }
}

macro_rules! amounts {
    ($($number:ty),+) => {$(
        impl Amount for $number {
            #[allow(
                clippy::cast_lossless,
                clippy::cast_precision_loss,
                trivial_numeric_casts,
                reason = "progress is for people"
            )]
            fn amount(self) -> f64 {
                self as f64
            }
        }
    )+};
}

amounts!(u8, u16, u32, u64, usize, i32, i64, f32, f64);
