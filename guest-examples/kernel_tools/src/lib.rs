//! `scatter`, `fibonacci`, `tree` and `sha256`: work that keeps a CPU busy, for the benchmarks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stepwell_guest::{Result, Task, TaskSupport, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    /// How much of it.
    size: u64,
}

#[derive(Serialize, JsonSchema)]
struct Done {
    /// What came of it, in decimal: a number in JSON keeps fewer digits.
    result: String,
}

fn tool(name: &str, work: fn(u64) -> u64) -> Tool {
    let run = move |_: &Task, args: Args| -> Result<Done> {
        let result = work(args.size).to_string();
        Ok(Done { result })
    };
    Tool::new(name, run)
        .description("Keeps a CPU busy.")
        .read_only(true)
        .idempotent(true)
        .open_world(false)
        .task_support(TaskSupport::Forbidden)
}

stepwell_guest::export!(
    tool("scatter", kernels::scatter),
    tool("fibonacci", kernels::fibonacci),
    tool("tree", kernels::tree),
    tool("sha256", kernels::sha256),
);
