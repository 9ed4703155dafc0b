//! What is to be read, decided once: files that come or grow while the work goes on are not
//! part of it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fields::Fields;
use crate::source::names;
use crate::{Error, Options, Result, State};

/// The files, in order, and the columns of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The files, by name.
    pub sources: Vec<Source>,
    /// The columns of the first file: its head, or the keys of its first record.
    pub columns: Vec<String>,
}

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// How it is read.
    pub format: Format,
    /// How much of it is read.
    pub bytes: u64,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values, with a head.
    Csv,
    /// An object of JSON in each line.
    Ndjson,
}

impl Plan {
    /// Looks at the input.
    pub fn make(options: &Options) -> Result<Self> {
        let sources = sources(&options.input)?;
        let first = sources.first().ok_or_else(|| {
            Error::Input(format!(
                "{}: no CSV or NDJSON file there",
                options.input.display()
            ))
        })?;
        let columns = columns(first)?;
        let plan = Self { sources, columns };
        let named = options
            .group_by
            .iter()
            .chain(&options.measure)
            .chain(&options.required);
        for column in named {
            plan.column(column)?;
        }
        Ok(plan)
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.bytes).sum()
    }

    /// The bytes that are behind a state.
    pub fn bytes_done(&self, state: &State) -> u64 {
        let before = self
            .sources
            .iter()
            .take(state.source)
            .map(|source| source.bytes);
        before.sum::<u64>() + state.offset
    }

    /// Whether there is nothing left to read.
    pub fn is_done(&self, state: &State) -> bool {
        state.source >= self.sources.len()
    }

    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        self.columns
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| {
                Error::Input(format!(
                    "no column `{name}`; there are {}",
                    self.columns.join(", ")
                ))
            })
    }
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

fn sources(input: &Path) -> Result<Vec<Source>> {
    let about = fs::metadata(input).map_err(Error::file(input))?;
    if about.is_file() {
        let format = Format::of(input).ok_or_else(|| {
            Error::Input(format!("{}: neither .csv nor .ndjson", input.display()))
        })?;
        return Ok(vec![Source {
            path: input.to_owned(),
            format,
            bytes: about.len(),
        }]);
    }
    let mut sources = Vec::new();
    for entry in fs::read_dir(input).map_err(Error::file(input))? {
        let path = entry.map_err(Error::file(input))?.path();
        let about = fs::metadata(&path).map_err(Error::file(&path))?;
        if let Some(format) = Format::of(&path).filter(|_| about.is_file()) {
            sources.push(Source {
                path,
                format,
                bytes: about.len(),
            });
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

fn columns(source: &Source) -> Result<Vec<String>> {
    let file = File::open(&source.path).map_err(Error::file(&source.path))?;
    let mut line = String::new();
    let mut reader = BufReader::new(file);
    while line.trim().is_empty() {
        line.clear();
        let read = reader
            .read_line(&mut line)
            .map_err(Error::file(&source.path))?;
        if read == 0 {
            return Err(Error::Input(format!("{}: empty", source.path.display())));
        }
    }
    let columns = match source.format {
        Format::Csv => {
            let mut fields = Fields::default();
            fields.scan_csv(line.as_bytes(), true);
            names(&fields, line.as_bytes())
        }
        Format::Ndjson => {
            let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line)
                .map_err(|error| {
                    Error::Input(format!("{}: first record: {error}", source.path.display()))
                })?;
            record.into_iter().map(|(key, _)| key).collect()
        }
    };
    Ok(columns)
}
