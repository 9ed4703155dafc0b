//! A pipeline over 100 MB of CSV as a durable task, against the same code compiled natively.
//!
//! The task is `etl_pipeline` as everybody gets it: in the sandbox, its files granted, 64 MiB of
//! memory, a step and a checkpoint for every 10,000 records, each of them synced. It is timed from
//! its submission to its end. The baseline is `etl`, the library that the tool is made of, as any
//! program would use it: all records in one go, nothing kept on the way. It writes the same files
//! and syncs them once, at the end.
//!
//! The input lies in the page cache for both. They take turns, each into an empty folder, and the
//! medians count; the outputs have to be the same to the byte.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use etl::{Pipeline, Plan, State};
use serde_json::json;
use stepwell::id::Digest;
use stepwell::runtime::{Grant, Request};
use stepwell::task::{Record, Status};
use stepwell_guest_examples::ETL_PIPELINE;

use crate::crowd::{House, request};
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const CHUNK_RECORDS: u64 = 10_000;
const MEMORY: u64 = 64 << 20;

/// One record in so many lacks its amount, and is to be rejected.
const BAD_EVERY: u64 = 500;
/// One record in so many has a field in quotes.
const QUOTED_EVERY: u64 = 20;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let house = House::open(|_| {})?;
    let component = house.add(ETL_PIPELINE)?;
    let input = house.folder("in")?;
    let records = write_input(&input.join("orders.csv"), scale.of(100_000_000, 10) as u64)?;
    let (mut durable, mut native) = (Vec::new(), Vec::new());
    let mut memory_peak = 0;
    for round in 0..scale.of(7, 3) {
        let output = house.folder(&format!("out-{round}"))?;
        let begun = Instant::now();
        let record = durably(&house, component, (&input, &output))?;
        durable.push(begun.elapsed());
        ensure!(record.status() == Status::Completed, "{:?}", record.state);
        let checkpoints = u64::from(record.stretch);
        // Only the last one finds that there is nothing left.
        ensure!(
            checkpoints == records / CHUNK_RECORDS + 1,
            "{checkpoints} checkpoints"
        );
        memory_peak = memory_peak.max(record.usage.memory_peak);

        let expected = house.folder(&format!("native-{round}"))?;
        let begun = Instant::now();
        natively(&input, &expected)?;
        native.push(begun.elapsed());
        check_same(&output, &expected)?;
        fs::remove_dir_all(output)?;
        fs::remove_dir_all(expected)?;
    }
    let median = |took: &mut [Duration]| Amount::Time(percentile(took, 50.0));
    table.add(Row {
        measure: format!("ETL of {records} records, durable, against native code"),
        stepwell: median(&mut durable),
        baseline: Some(median(&mut native)),
        reach: Reach::RatioMax(2.0),
    });
    table.add(Row {
        measure: "ETL, linear memory at its peak".to_owned(),
        stepwell: Amount::Bytes(memory_peak),
        baseline: None,
        reach: Reach::Stated,
    });
    Ok(())
}

/// Runs the tool as a task, to its end.
fn durably(
    house: &House,
    component: Digest,
    (input, output): (&Path, &Path),
) -> anyhow::Result<Arc<Record>> {
    let grant = |host: &Path, guest: &str, writable| Grant {
        host: host.display().to_string(),
        guest: guest.to_owned(),
        writable,
    };
    let arguments = json!({"chunk_records": CHUNK_RECORDS, "group_by": "region",
        "measure": "amount", "required": ["customer", "amount"]});
    let mut request = request(component, "etl_pipeline", arguments);
    request.limits.memory = MEMORY;
    let request = Request {
        grants: vec![grant(input, "/in", false), grant(output, "/out", true)],
        ..request
    };
    house.serving.block_on(async {
        let accepted = house.runtime.submit(request).await?;
        Ok(house.runtime.wait(&accepted.record.key()).await?)
    })
}

/// Does the same without anybody's help.
fn natively(input: &Path, output: &Path) -> anyhow::Result<()> {
    let name = str::to_owned;
    let options = etl::Options {
        input: input.to_owned(),
        output: output.to_owned(),
        group_by: Some(name("region")),
        measure: Some(name("amount")),
        required: ["customer", "amount"].map(name).to_vec(),
    };
    let plan = Plan::make(&options)?;
    let mut pipeline = Pipeline::new(&options, &plan)?;
    let state = pipeline.chunk(&State::default(), u64::MAX)?;
    ensure!(plan.is_done(&state), "it did not come to the end");
    pipeline.finish(&state)?;
    Ok(())
}

/// Writes orders until they are so many bytes, and returns how many that are.
fn write_input(path: &Path, bytes: u64) -> anyhow::Result<u64> {
    const REGIONS: [&str; 8] = [
        "north", "south", "east", "west", "centre", "islands", "abroad", "unknown",
    ];
    let mut file = BufWriter::new(File::create(path)?);
    let head = "order,placed_at,customer,region,product,quantity,amount,note\n";
    file.write_all(head.as_bytes())?;
    let (mut written, mut records) = (head.len() as u64, 0);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut line = Vec::new();
    while written < bytes {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        records += 1;
        let part = |shift: u32, below: u64| (random >> shift) % below;
        let (day, second) = (part(3, 28) + 1, part(9, 60));
        let region = REGIONS.iter().cycle().nth(part(17, 8).try_into()?);
        let amount = match records % BAD_EVERY {
            0 => String::new(),
            _ => format!("{}.{:02}", part(23, 5_000), part(31, 100)),
        };
        let note = match records % QUOTED_EVERY {
            0 => "\"left with a neighbour, as agreed\"",
            _ => "delivered to the front door",
        };
        writeln!(
            line,
            "{records},2026-11-{day:02}T12:34:{second:02}Z,customer-{},{},sku-{:05},{},{amount},{note}",
            part(5, 100_000),
            region.unwrap_or(&""),
            part(13, 20_000),
            part(40, 9) + 1,
        )?;
        file.write_all(&line)?;
        written += line.len() as u64;
        line.clear();
    }
    file.into_inner()?.sync_data()?;
    Ok(records)
}

fn check_same(output: &Path, expected: &Path) -> anyhow::Result<()> {
    for name in ["cleaned.csv", "rejected.csv", "summary.csv"] {
        let (output, expected) = (fs::read(output.join(name))?, fs::read(expected.join(name))?);
        ensure!(!expected.is_empty() && output == expected, "{name} differs");
    }
    Ok(())
}
