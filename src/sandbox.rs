//! The sandbox: wasmtime, behind a door that knows nothing of it.

mod durable;

pub use durable::{Answer, Asked, Durable, End, Entry, Info, Loaded, Reply, StopRequest};
