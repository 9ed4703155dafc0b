//! How far the work is, and what has come of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;

/// How far the work is: everything that the next chunk needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The file that is being read.
    pub source: usize,
    /// Where its next record starts.
    pub offset: u64,
    /// How many records of it were read.
    pub record: u64,
    /// The length of `cleaned.csv`.
    pub cleaned_bytes: u64,
    /// The length of `rejected.csv`.
    pub rejected_bytes: u64,
    /// What was counted so far.
    pub summary: Summary,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Records that are clean.
    pub cleaned: u64,
    /// Records that are not, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// The clean ones, by the value of the column to group by.
    pub groups: BTreeMap<String, Group>,
}

/// The records of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How many there are.
    pub count: u64,
    /// The sum of the measure.
    pub sum: Decimal,
    /// Its smallest value.
    pub min: Decimal,
    /// Its largest value.
    pub max: Decimal,
}

/// Why a record is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is not UTF-8, or not JSON.
    Unreadable,
    /// It has more or fewer fields than there are columns.
    FieldCount,
    /// A column that is required is empty.
    Missing,
    /// The measure is no number of at most six places.
    Measure,
}

impl Group {
    pub(crate) fn add(&mut self, measure: Decimal) {
        let is_first = self.count == 0;
        self.count += 1;
        self.sum += measure;
        self.min = if is_first {
            measure
        } else {
            self.min.min(measure)
        };
        self.max = if is_first {
            measure
        } else {
            self.max.max(measure)
        };
    }
}

impl Reason {
    /// The reason as the outputs have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::FieldCount => "field_count",
            Self::Missing => "missing",
            Self::Measure => "measure",
        }
    }
}
