//! The server as a process: what its clients see over the wire while it is killed, ended, told to
//! read its configuration again, and asked by clients who mean no good.
//!
//! Everything goes through sockets, pipes and signals; nothing here knows the server's inside.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "tests fail by panicking"
)]

mod agent;
mod bad_bodies;
mod bad_clients;
mod ending;
mod house;
mod isolation;
mod killed;
mod pipe;
mod reload;
mod stdio;
mod table;
#[path = "../common/warm.rs"]
#[allow(
    unreachable_pub,
    reason = "benches and tests of the library use it, too"
)]
mod warm;
mod wire;
