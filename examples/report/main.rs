//! The article's figures, measured: `cargo run --release --example report`.
//!
//! "MCP Tasks" names targets for long calls of tools, and says what a server without tasks comes
//! to. Here is the same work both ways, on this machine, in two minutes: calls under a client's
//! timeout, processes that are killed, tasks that are cancelled. The random numbers come from a
//! seed, which is printed; `SEED=7` takes that one. It ends with 1 where a target is missed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a report prints what it has seen"
)]

mod calls;
mod cancels;
mod child;
mod draw;
mod figures;
mod kills;

use std::env;
use std::process::ExitCode;

use anyhow::Context as _;
use stepwell::clock::Stopwatch;
use stepwell::id::TaskId;

use draw::Draw;
use figures::Figures;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some((flag, words)) = args.split_first()
        && flag == child::FLAG
    {
        return done(child::play(words).await.map(|()| true));
    }
    // Whatever is at work is dropped then, with its processes and its folders.
    tokio::select! {
        shown = report() => done(shown),
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
    }
}

fn done(all: anyhow::Result<bool>) -> ExitCode {
    match all {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Measures everything and shows it; whether all targets are met.
async fn report() -> anyhow::Result<bool> {
    let seed = match env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is a number")?,
        Err(_) => any_seed(),
    };
    let (watch, mut draw) = (Stopwatch::start(), Draw::new(seed));
    eprintln!("seed {seed}; two minutes at most");
    let (calls, deaths) = (calls::Plan::draw(&mut draw), kills::Plan::draw(&mut draw));
    eprintln!("1/5  calls that are answered when they are done ...");
    let answered = calls::make(&calls, calls::Way::Answered).await?;
    eprintln!("2/5  the same calls as tasks that are asked for ...");
    let asked = calls::make(&calls, calls::Way::Asked).await?;
    eprintln!("3/5  tasks that begin again after each kill ...");
    let anew = kills::suffer(&deaths, kills::Way::Anew).await?;
    eprintln!("4/5  tasks that go on after each kill ...");
    let goes_on = kills::suffer(&deaths, kills::Way::GoesOn).await?;
    eprintln!("5/5  tasks that are cancelled ...");
    let cancelled = cancels::cancel().await?;
    let mut figures = Figures::default();
    figures.calls(&answered, &asked);
    figures.kills(&anew, &goes_on);
    figures.cancels(&cancelled);
    println!("{figures}");
    println!("\nHow it was measured, with SEED={seed}");
    let about = [calls::about(), kills::about(), cancels::about()];
    for (what, about) in ["Calls", "Kills", "Cancels"].iter().zip(about) {
        println!("{}", figures::wrap(&format!("{what}: {about}"), "  "));
    }
    let seconds = watch.elapsed().as_secs();
    let (all, met) = (figures.are_met(), "All targets are met");
    let word = if all { met } else { "Not all targets are met" };
    println!("\n{word}. It took {seconds} s.");
    Ok(all)
}

fn any_seed() -> u64 {
    let [a, b, ..] = *TaskId::random().as_bytes();
    u64::from(u16::from_be_bytes([a, b]))
}
