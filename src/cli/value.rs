//! JSON that is typed, or lies in a file.

use std::io::Read as _;

use serde_json::Value;

use super::error;

/// The most bytes that are read: no limit of a task takes more.
const BYTES_MAX: u64 = 16 << 20;

/// The value of `flag`: JSON as typed, `@FILE`, or `-` for standard input. `what` is what it is.
pub(super) fn read(flag: &str, what: &str, typed: &str) -> anyhow::Result<Value> {
    let hint =
        || format!("{flag} takes JSON, @FILE to read it from a file, or - for standard input");
    let cannot = |place: &str, error: std::io::Error| {
        error::input(
            format!("{what} can't be read from {place}: {error}"),
            hint(),
        )
    };
    let text = match typed.strip_prefix('@') {
        _ if typed == "-" => {
            let stdin = std::io::stdin().lock();
            bounded(stdin).map_err(|error| cannot("standard input", error))?
        }
        Some(path) => {
            let file = std::fs::File::open(path).and_then(bounded);
            file.map_err(|error| cannot(&format!("`{path}`"), error))?
        }
        None => typed.as_bytes().to_vec(),
    };
    if text.len() as u64 > BYTES_MAX {
        let message = format!("{flag} has more than {BYTES_MAX} bytes");
        return Err(error::input(
            message,
            "put what is large into a folder, and grant that",
        ));
    }
    serde_json::from_slice(&text)
        .map_err(|error| error::input(format!("{flag} is not JSON: {error}"), hint()))
}

fn bounded(file: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
