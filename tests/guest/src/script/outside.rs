//! The operations of a script that reach for the world outside the contract: files, the
//! clock, the network, the processor. What is refused goes into the transcript as well.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::text;
use crate::{file, number};

/// What the operation got, where it is one of these.
pub(super) fn run(op: &Value) -> Option<Value> {
    let (name, argument) = op
        .as_object()?
        .iter()
        .find(|(name, _)| NAMES.contains(&name.as_str()))?;
    let path = argument.as_str().unwrap_or_default();
    let count = argument.as_u64().unwrap_or_default();
    let got = match name.as_str() {
        "effect" => file::append(path, text(op, "line")).map(|()| json!(path)),
        "print" => print(&mut std::io::stdout(), path),
        "eprint" => print(&mut std::io::stderr(), path),
        "read" => std::fs::read_to_string(path).map(Value::from),
        "write" => file::write(path, text(op, "text")).map(|()| json!(path)),
        "remove" => std::fs::remove_file(path).map(|()| json!(path)),
        "rename" => std::fs::rename(path, text(op, "to")).map(|()| json!(path)),
        "mkdir" => std::fs::create_dir(path).map(|()| json!(path)),
        "list" => list(path),
        "env" => Ok(std::env::vars()
            .map(|(name, value)| json!([name, value]))
            .collect()),
        "args" => Ok(std::env::args().map(Value::from).collect()),
        "now" => Ok(now()),
        "connect" => std::net::TcpStream::connect(path).map(|_| json!(path)),
        "spin" => Ok(spin(count)),
        "spin_forever" => spin_forever(),
        "sleep_host" => {
            std::thread::sleep(Duration::from_millis(count));
            Ok(json!(count))
        }
        "wait_file" => {
            wait_file(path, number(op, "ms").unwrap_or(60_000));
            Ok(json!(path))
        }
        _ => return None,
    };
    Some(match got {
        Ok(value) => json!({ name: value }),
        Err(error) => json!({ name: { "error": error.to_string() } }),
    })
}

const NAMES: [&str; 17] = [
    "args",
    "connect",
    "effect",
    "env",
    "eprint",
    "list",
    "mkdir",
    "now",
    "print",
    "read",
    "remove",
    "rename",
    "sleep_host",
    "spin",
    "spin_forever",
    "wait_file",
    "write",
];

fn print(out: &mut impl Write, line: &str) -> std::io::Result<Value> {
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(json!(line))
}

fn list(path: &str) -> std::io::Result<Value> {
    let mut names = std::fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(json!(names))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the guest's clock is what is tested"
)]
fn now() -> Value {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    json!(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn spin(count: u64) -> Value {
    for round in 0..count {
        black_box(round);
    }
    json!(count)
}

fn spin_forever() -> ! {
    loop {
        black_box(0);
    }
}

/// Waits until there is a file of this name, so that a test can hold the tool at a place.
fn wait_file(path: &str, milliseconds: u64) {
    for _ in 0..milliseconds.div_ceil(5) {
        if Path::new(path).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
