//! The command line, as a shell sees it: the real program, its streams and its exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails where something is not as it should be"
)]

mod bad_input;
mod check_config;
mod full_disk;
mod help;
mod house;
mod keys;
mod run;
mod signals;
mod tasks;
mod terminal;
