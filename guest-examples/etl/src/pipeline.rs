//! The work itself: a chunk of records, from one state to the next.

use std::fs;

use crate::decimal::Decimal;
use crate::fields::{Fields, write_line};
use crate::output::Output;
use crate::plan::{Format, Plan};
use crate::source::Reading;
use crate::state::{Group, Reason, State, Summary};
use crate::{Error, Options, Result};

/// The most groups that are kept in memory, and in a state.
const GROUPS_MAX: usize = 10_000;

/// How much of a rejected record is kept.
const REJECTED_BYTES_MAX: usize = 1000;

/// The open files of the work.
#[derive(Debug)]
pub struct Pipeline {
    plan: Plan,
    rules: Rules,
    reading: Option<Reading>,
    fields: Fields,
    cleaned: Output,
    rejected: Output,
    summary: Output,
}

/// The columns that matter.
#[derive(Debug)]
struct Rules {
    group_by: Option<usize>,
    measure: Option<usize>,
    required: Vec<usize>,
}

impl Pipeline {
    /// Opens the outputs: `cleaned.csv`, `rejected.csv` and `summary.csv`.
    pub fn new(options: &Options, plan: &Plan) -> Result<Self> {
        fs::create_dir_all(&options.output).map_err(Error::file(&options.output))?;
        let output = |name| Output::open(&options.output.join(name));
        let column = |name: &String| plan.column(name);
        Ok(Self {
            plan: plan.clone(),
            rules: Rules {
                group_by: options.group_by.as_ref().map(column).transpose()?,
                measure: options.measure.as_ref().map(column).transpose()?,
                required: options.required.iter().map(column).collect::<Result<_>>()?,
            },
            reading: None,
            fields: Fields::default(),
            cleaned: output("cleaned.csv")?,
            rejected: output("rejected.csv")?,
            summary: output("summary.csv")?,
        })
    }

    /// Does the next `records` records after `state`. What a chunk after `state` may have
    /// written before is cut off first; what this one writes is on disk when it returns.
    pub fn chunk(&mut self, state: &State, records: u64) -> Result<State> {
        let mut state = state.clone();
        self.cleaned.cut(state.cleaned_bytes)?;
        self.rejected.cut(state.rejected_bytes)?;
        if state == State::default() {
            write_line(
                &mut self.cleaned.pending,
                self.plan.columns.iter().map(String::as_bytes),
            );
            let head = ["source", "record", "reason", "text"];
            write_line(&mut self.rejected.pending, head.map(str::as_bytes));
        }
        for _ in 0..records {
            if !self.one(&mut state)? {
                break;
            }
            self.cleaned.write_some()?;
            self.rejected.write_some()?;
        }
        state.cleaned_bytes = self.cleaned.sync()?;
        state.rejected_bytes = self.rejected.sync()?;
        Ok(state)
    }

    /// Writes the summary. The work is done.
    pub fn finish(&mut self, state: &State) -> Result<Summary> {
        self.summary.cut(0)?;
        let pending = &mut self.summary.pending;
        write_line(
            pending,
            ["group", "count", "sum", "min", "max"].map(str::as_bytes),
        );
        for (
            name,
            Group {
                count,
                sum,
                min,
                max,
            },
        ) in &state.summary.groups
        {
            let numbers = [
                count.to_string(),
                sum.to_string(),
                min.to_string(),
                max.to_string(),
            ];
            let fields = std::iter::once(name).chain(&numbers);
            write_line(pending, fields.map(String::as_bytes));
        }
        self.summary.sync()?;
        Ok(state.summary.clone())
    }

    /// Does one record; `false` where there is none left.
    fn one(&mut self, state: &mut State) -> Result<bool> {
        loop {
            let is_there =
                |reading: &Reading| (reading.index, reading.offset) == (state.source, state.offset);
            if !self.reading.as_ref().is_some_and(is_there) {
                self.reading = Reading::open(&self.plan, state.source, state.offset)?;
            }
            let Some(reading) = &mut self.reading else {
                return Ok(false);
            };
            if !reading.next(&mut self.fields)? {
                state.source += 1;
                (state.offset, state.record) = (0, 0);
                continue;
            }
            state.offset = reading.offset;
            if !reading.record().trim_ascii().is_empty() {
                break;
            }
        }
        state.record += 1;
        if let Some(reason) = self.clean(&mut state.summary)? {
            *state.summary.rejected.entry(reason).or_default() += 1;
            self.reject(state.record, reason);
        } else {
            state.summary.cleaned += 1;
        }
        Ok(true)
    }

    /// Writes and counts the newest record, or says why not.
    fn clean(&mut self, summary: &mut Summary) -> Result<Option<Reason>> {
        let (fields, rules) = (&mut self.fields, &self.rules);
        let Some(reading) = &self.reading else {
            return Ok(Some(Reason::Unreadable));
        };
        let record = reading.record();
        let is_json = reading.format() == Format::Ndjson;
        if is_json && !fields.take_json(record, &self.plan.columns) || !fields.is_utf8(record) {
            return Ok(Some(Reason::Unreadable));
        }
        if fields.len() != reading.width {
            return Ok(Some(Reason::FieldCount));
        }
        let at = |column: usize| {
            let place = reading.order.get(column).copied();
            place
                .and_then(|place| fields.get(record, place))
                .unwrap_or_default()
        };
        if rules.required.iter().any(|column| at(*column).is_empty()) {
            return Ok(Some(Reason::Missing));
        }
        let measure = match rules.measure.map(|column| Decimal::parse(at(column))) {
            Some(None) => return Ok(Some(Reason::Measure)),
            measure => measure.flatten().unwrap_or_default(),
        };
        let group = rules.group_by.map_or([].as_slice(), at);
        add(
            summary,
            std::str::from_utf8(group).unwrap_or_default(),
            measure,
        )?;
        let line = &mut self.cleaned.pending;
        if reading.is_in_order && fields.are_as_found() {
            line.extend_from_slice(record);
            if !record.ends_with(b"\n") {
                line.push(b'\n');
            }
        } else {
            write_line(line, (0..self.plan.columns.len()).map(at));
        }
        Ok(None)
    }

    fn reject(&mut self, number: u64, reason: Reason) {
        let Some(reading) = &self.reading else { return };
        let record = reading.record();
        let kept = record.get(..REJECTED_BYTES_MAX).unwrap_or(record);
        let text = String::from_utf8_lossy(kept);
        let (source, number) = (reading.name(), number.to_string());
        let fields = [source.as_str(), &number, reason.word(), text.trim()];
        write_line(&mut self.rejected.pending, fields.map(str::as_bytes));
    }
}

fn add(summary: &mut Summary, group: &str, measure: Decimal) -> Result<()> {
    if let Some(known) = summary.groups.get_mut(group) {
        known.add(measure);
        return Ok(());
    }
    if summary.groups.len() >= GROUPS_MAX {
        let rule = "more than 10000 groups; group by a column with fewer values";
        return Err(Error::Input(rule.to_owned()));
    }
    summary
        .groups
        .entry(group.to_owned())
        .or_default()
        .add(measure);
    Ok(())
}
