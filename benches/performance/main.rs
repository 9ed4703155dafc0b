//! What Stepwell costs, each measure against a baseline of the same run: `cargo bench`.
//!
//! Only ratios travel: the times are those of one machine at one moment. Names after `--` choose
//! groups (`cargo bench -- steps cpu`), `--quick` makes everything small, to see that it runs. The
//! table goes to standard output, and to `bench.json` in the target folder. `tuning`, which measures
//! for `docs/tuning.md`, is run only where it is named.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints what it measured"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark measures with the plain clock"
)]

mod bare;
mod calls;
mod child;
mod cpu;
mod crowd;
mod disk;
mod echo;
mod etl;
mod house;
mod neighbours;
mod plain;
mod resume;
mod rounds;
mod rows;
mod serve;
mod shares;
mod startup;
mod steps;
mod stop;
mod table;
mod tasks;
mod tuning;
mod waiting;
mod wasm;

use std::env;
use std::process::ExitCode;

use table::{Scale, Table};

/// A part of the measurements.
struct Group {
    name: &'static str,
    /// Measures one thing or a few, and adds them to the table.
    run: fn(&mut Table, &Scale) -> anyhow::Result<()>,
    /// Whether it is only run when it is asked for by name: then it prints what it has seen, and
    /// adds nothing to the table.
    is_aside: bool,
}

/// The groups, in the order of the table.
const GROUPS: &[Group] = &[
    group("steps", steps::run),
    group("tasks", tasks::run),
    group("calls", calls::run),
    group("resume", resume::run),
    group("stop", stop::run),
    group("cpu", cpu::run),
    group("waiting", waiting::run),
    group("startup", startup::run),
    group("neighbours", neighbours::run),
    group("shares", shares::run),
    group("echo", echo::run),
    group("etl", etl::run),
    group("serve", serve::run),
    group("load", serve::load),
    Group {
        is_aside: true,
        ..group("tuning", tuning::run)
    },
];

const fn group(name: &'static str, run: fn(&mut Table, &Scale) -> anyhow::Result<()>) -> Group {
    Group {
        name,
        run,
        is_aside: false,
    }
}

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let done = match args.split_first() {
        Some((flag, words)) if flag == child::FLAG => child::play(words),
        _ => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> anyhow::Result<()> {
    let (flags, names): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with("--"));
    let unknown = flags.iter().find(|flag| **flag != "--quick");
    anyhow::ensure!(
        unknown.is_none(),
        "no such option: {}",
        unknown.map_or("", |flag| flag)
    );
    let known = |name: &&String| GROUPS.iter().any(|group| group.name == name.as_str());
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let groups: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
        anyhow::bail!("no group `{name}`: there are {}", groups.join(", "));
    }
    let scale = Scale {
        is_quick: flags.iter().any(|flag| *flag == "--quick"),
    };
    let mut table = Table::new(disk::fsync_p50()?);
    let is_wanted = |group: &&Group| match names.as_slice() {
        [] => !group.is_aside,
        names => names.iter().any(|name| name.as_str() == group.name),
    };
    for group in GROUPS.iter().filter(is_wanted) {
        eprintln!("{} ...", group.name);
        (group.run)(&mut table, &scale)?;
    }
    if GROUPS.iter().filter(is_wanted).all(|group| group.is_aside) {
        return Ok(());
    }
    table.finish(disk::fsync_p50()?)
}
