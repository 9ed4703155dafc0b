//! An exchange in a folder. Its ledger is a file with a line of JSON for each operation, and
//! each has a key: that is what makes it possible to ask what became of one. It takes a
//! second operation of the same key as a new one, as exchanges do.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stepwell_guest::Result;

/// The exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    ledger: PathBuf,
    /// The symbols that are not traded, one in a line.
    halted: PathBuf,
}

/// What the exchange is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// The account or the symbol.
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_cents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<String>,
    /// The key of the operation that this one is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Reserve,
    Release,
    Place,
    Fill,
    Cancel,
    Confirm,
    Settle,
}

/// What the exchange answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) key: String,
    pub(crate) refusal: Option<String>,
}

/// A line of the ledger.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    receipt: Receipt,
    #[serde(flatten)]
    entry: Entry,
}

impl Exchange {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            ledger: folder.join("ledger.ndjson"),
            halted: folder.join("halted.txt"),
        }
    }

    /// Does what it is asked, and returns when that is on disk.
    pub(crate) fn take(&self, key: &str, entry: &Entry) -> Result<Receipt> {
        let halted = read(&self.halted)?;
        let is_halted = halted.lines().any(|symbol| symbol.trim() == entry.subject);
        let refused = entry.kind == Kind::Place && is_halted;
        let refusal = refused.then(|| format!("{} is halted", entry.subject));
        let receipt = Receipt {
            key: key.to_owned(),
            refusal,
        };
        let line = Line {
            receipt,
            entry: entry.clone(),
        };
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.ledger)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(line.receipt)
    }

    /// What became of the operation with this key.
    pub(crate) fn find(&self, key: &str) -> Result<Option<Receipt>> {
        let found = self.lines()?.find(|line| line.receipt.key == key);
        Ok(found.map(|line| line.receipt))
    }

    /// Fills an order, where it is not filled.
    pub(crate) fn fill(&self, order: &Receipt) -> Result<()> {
        if !self.is_filled(order)? {
            let fill = Entry::new(Kind::Fill, "exchange").about(order);
            self.take(&format!("fill of {}", order.key), &fill)?;
        }
        Ok(())
    }

    pub(crate) fn is_filled(&self, order: &Receipt) -> Result<bool> {
        let is_fill = |line: Line| {
            line.entry.kind == Kind::Fill && line.entry.about.as_ref() == Some(&order.key)
        };
        Ok(self.lines()?.any(is_fill))
    }

    /// The ledger. A line that was cut short is none.
    fn lines(&self) -> Result<impl Iterator<Item = Line>> {
        let text = read(&self.ledger)?;
        let lines: Vec<Line> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        Ok(lines.into_iter())
    }
}

impl Entry {
    pub(crate) fn new(kind: Kind, subject: &str) -> Self {
        let subject = subject.to_owned();
        Self {
            kind,
            subject,
            amount_cents: None,
            terms: None,
            about: None,
        }
    }

    pub(crate) fn amount(self, cents: u64) -> Self {
        Self {
            amount_cents: Some(cents),
            ..self
        }
    }

    pub(crate) fn terms(self, terms: String) -> Self {
        Self {
            terms: Some(terms),
            ..self
        }
    }

    pub(crate) fn about(self, receipt: &Receipt) -> Self {
        Self {
            about: Some(receipt.key.clone()),
            ..self
        }
    }
}

fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => Ok(read?),
    }
}
