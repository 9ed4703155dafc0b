//! Stepwell runs WebAssembly tools that nobody has reason to trust, as durable tasks.

pub mod access;
pub mod app;
pub mod audit;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod desk;
pub mod http;
pub mod id;
pub mod identity;
pub mod limit;
pub mod mcp;
pub mod registry;
pub mod runtime;
pub mod sandbox;
pub mod stdio;
pub mod store;
pub mod task;
pub mod text;
pub mod tool;
pub mod view;
