//! What was measured, as a table and as JSON.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::disk::FSYNC_MAX;

/// How large everything is.
pub(crate) struct Scale {
    /// Whether it only has to be seen to run.
    pub(crate) is_quick: bool,
}

impl Scale {
    /// `full`, or a `part`-th of it, at least one, where it only has to be seen to run.
    pub(crate) fn of(&self, full: usize, part: usize) -> usize {
        if self.is_quick {
            (full / part).max(1)
        } else {
            full
        }
    }
}

/// An amount of something.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Amount {
    Time(Duration),
    PerSecond(f64),
    Bytes(u64),
    Count(usize),
    /// A part of a whole, from 0 to 1.
    Share(f64),
}

impl Amount {
    fn value(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::PerSecond(value) | Self::Share(value) => value,
            #[allow(
                clippy::cast_precision_loss,
                reason = "no amount of bytes here is so large"
            )]
            Self::Bytes(bytes) => bytes as f64,
            #[allow(clippy::cast_precision_loss, reason = "no count here is so large")]
            Self::Count(count) => count as f64,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) if time.as_millis() >= 10_000 => {
                write!(f, "{:.1} s", time.as_secs_f64())
            }
            Self::Time(time) if time.as_micros() >= 10_000 => {
                write!(f, "{:.1} ms", time.as_secs_f64() * 1e3)
            }
            Self::Time(time) => write!(f, "{:.1} us", time.as_secs_f64() * 1e6),
            Self::PerSecond(value) => write!(f, "{value:.0}/s"),
            Self::Bytes(bytes) if *bytes < 1 << 20 => {
                write!(f, "{:.1} KiB", self.value() / f64::from(1 << 10))
            }
            Self::Bytes(_) => write!(f, "{:.1} MiB", self.value() / f64::from(1 << 20)),
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(value) => write!(f, "{:.1} %", value * 100.0),
        }
    }
}

/// What has to be reached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Reach {
    /// At most so many times the baseline.
    RatioMax(f64),
    /// At least so many times the baseline.
    RatioMin(f64),
    /// At most this, whatever the baseline.
    Max(Amount),
    /// Nothing: it is only stated.
    Stated,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioMax(ratio) => write!(f, "<= {ratio:.2}"),
            Self::RatioMin(ratio) => write!(f, ">= {ratio:.2}"),
            Self::Max(amount) => write!(f, "<= {amount}"),
            Self::Stated => write!(f, "stated"),
        }
    }
}

/// One measure.
pub(crate) struct Row {
    pub(crate) measure: String,
    pub(crate) stepwell: Amount,
    pub(crate) baseline: Option<Amount>,
    pub(crate) reach: Reach,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        Some(self.stepwell.value() / self.baseline?.value())
    }

    /// Whether it is reached; nothing where there is nothing to reach.
    fn holds(&self) -> Option<bool> {
        match self.reach {
            Reach::RatioMax(max) => Some(self.ratio()? <= max),
            Reach::RatioMin(min) => Some(self.ratio()? >= min),
            Reach::Max(max) => Some(self.stepwell.value() <= max.value()),
            Reach::Stated => None,
        }
    }

    fn cells(&self) -> [String; 6] {
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
        let holds = self
            .holds()
            .map(|holds| if holds { "yes" } else { "NO" }.to_owned());
        [
            self.measure.clone(),
            self.stepwell.to_string(),
            or_dash(self.baseline.map(|it| it.to_string())),
            or_dash(self.ratio().map(|ratio| format!("{ratio:.2}"))),
            self.reach.to_string(),
            or_dash(holds),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "measure": self.measure,
            "stepwell": self.stepwell.to_string(),
            "baseline": self.baseline.map(|it| it.to_string()),
            "ratio": self.ratio(),
            "reach": self.reach.to_string(),
            "holds": self.holds(),
        })
    }
}

const HEAD: [&str; 6] = ["measure", "stepwell", "baseline", "ratio", "reach", "holds"];

/// The rows so far.
pub(crate) struct Table {
    rows: Vec<Row>,
    fsync_before: Duration,
}

impl Table {
    pub(crate) fn new(fsync_before: Duration) -> Self {
        Self {
            rows: Vec::new(),
            fsync_before,
        }
    }

    /// What a sync took before anything was measured.
    pub(crate) fn fsync_before(&self) -> Duration {
        self.fsync_before
    }

    /// Adds a row, and shows how it went at once: the whole table takes a while.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("  {}", row.cells().join(" | "));
        self.rows.push(row);
    }

    /// Prints the table and writes `bench.json`.
    pub(crate) fn finish(self, fsync_after: Duration) -> anyhow::Result<()> {
        let cells: Vec<_> = self.rows.iter().map(Row::cells).collect();
        let head = HEAD.map(str::to_owned);
        let mut widths = head.each_ref().map(String::len);
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |row: &[String; 6]| {
            let cells = row.iter().zip(widths);
            let cells: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            println!("{}", cells.join(" | ").trim_end());
        };
        line(&head);
        println!("{}", widths.map(|width| "-".repeat(width)).join("-|-"));
        cells.iter().for_each(line);
        println!(
            "fsync p50 before and after: {}, {}",
            Amount::Time(self.fsync_before),
            Amount::Time(fsync_after)
        );
        if self.fsync_before.max(fsync_after) > FSYNC_MAX {
            println!(
                "This run does not count: fsync took more than {}.",
                Amount::Time(FSYNC_MAX)
            );
        }
        let rows: Vec<_> = self.rows.iter().map(Row::json).collect();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench.json");
        fs::write(&file, serde_json::to_string_pretty(&rows)? + "\n")?;
        println!("written to {}", file.display());
        Ok(())
    }
}

/// The value that `percent` of the samples do not exceed.
pub(crate) fn percentile(samples: &mut [Duration], percent: f64) -> Duration {
    samples.sort_unstable();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index, from the number of samples"
    )]
    let index = ((samples.len() as f64 * percent / 100.0).ceil() as usize).max(1) - 1;
    samples.get(index).copied().unwrap_or_default()
}
