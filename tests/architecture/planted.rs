//! Small houses: with something wrong in each file, and with nothing wrong at all.

/// A file, what is written in it, and what is wrong with that.
pub(crate) const PLANTED: &[(&str, &str, &str)] = &[
    ("task.rs", "use crate::runtime::Runtime;", "points up"),
    (
        "task.rs",
        "use crate::{id::TaskId, runtime::{self, Runtime}};",
        "points up",
    ),
    (
        "task/apply.rs",
        "fn f() { super::super::store::open() }",
        "points up",
    ),
    (
        "id.rs",
        "mod deep { fn f(_: super::super::runtime::Runtime) {} }",
        "points up",
    ),
    (
        "store.rs",
        "mod a { use self::super::super::runtime as r; }",
        "points up",
    ),
    (
        "limit.rs",
        "fn f() { crate::runtime::start(); }",
        "points up",
    ),
    (
        "limit.rs",
        "fn f() { log!(\"{}\", crate::runtime::start()); }",
        "points up",
    ),
    (
        "limit.rs",
        "macro_rules! m { () => { $crate::store::open() } }",
        "points up",
    ),
    (
        "limit.rs",
        "m! { use crate::{id, store::Store}; }",
        "points up",
    ),
    (
        "limit.rs",
        "#[derive(crate::store::Stored)] struct It;",
        "points up",
    ),
    (
        "limit.rs",
        "use crate as house; fn f() { house::store::open() }",
        "points up",
    ),
    (
        "runtime.rs",
        "fn f() { wasmtime::Engine::default(); }",
        "only `sandbox`",
    ),
    ("runtime.rs", "use wasmtime as engine;", "only `sandbox`"),
    (
        "runtime.rs",
        "extern crate wasmtime as engine;",
        "only `sandbox`",
    ),
    ("runtime.rs", "use ::fjall::Keyspace;", "only `store`"),
    (
        "sandbox.rs",
        "fn f() { let _ = std::time::Instant::now(); }",
        "reads the time",
    ),
    (
        "sandbox.rs",
        "use std::time; fn f() { time::Instant::now(); }",
        "reads the time",
    ),
    (
        "sandbox.rs",
        "use std::time::{Duration, Instant as Now};",
        "reads the time",
    ),
    (
        "sandbox.rs",
        "fn f() { log!(std::time::SystemTime::now()) }",
        "reads the time",
    ),
    (
        "sandbox.rs",
        "use tokio::time::Instant; fn f() { Instant::now(); }",
        "reads the time",
    ),
    (
        "sandbox.rs",
        "use std::time::*; fn f() { SystemTime::now(); }",
        "reads the time",
    ),
    (
        "runtime.rs",
        "use crate::store::inner::Thing;",
        "front door",
    ),
    (
        "runtime.rs",
        "use crate::store as s; fn f() { s::half::thing(); }",
        "front door",
    ),
    (
        "main.rs",
        "fn main() { stepwell::store::inner::thing() }",
        "front door",
    ),
    (
        "sandbox.rs",
        "use crate::registry::Registry;",
        "does not know",
    ),
    ("http.rs", "use crate::cli::Printer;", "does not know"),
    ("cellar.rs", "", "no floor"),
];

/// A house in which every arrow is allowed.
pub(crate) const RIGHT: &[(&str, &str)] = &[
    ("store.rs", "pub use inner::Thing; mod inner; pub mod open;"),
    (
        "store/inner.rs",
        "use super::open::It; use fjall::Keyspace; use crate::id::TaskId;",
    ),
    (
        "clock.rs",
        "use std::time::Instant; fn f() { Instant::now(); }",
    ),
    (
        "runtime.rs",
        "use crate::store::{Thing, open::It}; use std::time::Duration;",
    ),
    (
        "audit.rs",
        "use crate::store::Thing; fn f() { inner::g(); crate::clock::Instant; }",
    ),
    ("registry.rs", "use crate::sandbox::Engine;"),
    (
        "main.rs",
        "mod own; fn main() { stepwell::cli::run(); crate::own::f(); }",
    ),
    ("lib.rs", "pub mod runtime; pub use runtime::Runtime;"),
];
