//! The sandbox from outside: what hostile guests come to, and what is refused before it runs.

#![expect(clippy::unwrap_used, reason = "a test that is wrong panics")]

mod contract;
mod host;
mod hostile;
mod refused;
mod registry;
mod wat;
