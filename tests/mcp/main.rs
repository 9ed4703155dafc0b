//! The protocol, spoken to a server in this process: what each era and each generation of tasks
//! gets for the same tools.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and JSON that was just made is handed on"
)]

mod agent;
#[path = "../common/mod.rs"]
mod common;
mod eras;
mod generation_one;
mod generation_two;
mod isolation;
mod plain;
