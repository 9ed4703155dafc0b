//! Stepwell runs WebAssembly tools that nobody has reason to trust, as durable tasks.

pub mod app;
pub mod cli;
pub mod clock;
#[cfg(feature = "demo")]
pub mod demo;
pub mod id;
pub mod limit;
pub mod registry;
pub mod runtime;
pub mod sandbox;
pub mod store;
pub mod task;
pub mod text;
pub mod tool;
