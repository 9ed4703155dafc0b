//! `/api/v1`, spoken to a server in a process of its own, by its port and by its socket; and the
//! commands that speak to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where something is not as it should be"
)]

mod audit;
mod client;
mod commands;
mod events;
#[allow(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/house.rs"]
mod house;
mod input;
mod reach;
mod routes;
mod served;
mod socket;
