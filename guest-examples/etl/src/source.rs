//! Reads the records of one file, from any place where a record starts.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::fields::Fields;
use crate::plan::{Format, Plan, Source};
use crate::{Error, Result};

/// What is read at once.
const READ_BYTES: usize = 1 << 16;

/// The longest record that is looked at. The rest of a longer one is read as another.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    file: File,
    source: Source,
    buffer: Vec<u8>,
    /// Where the newest record lies in the buffer; what comes after it is not read yet.
    record: Range<usize>,
    /// How much of the file is not in the buffer yet.
    left: u64,
    /// Which file of the plan this is.
    pub(crate) index: usize,
    /// Where the next record starts.
    pub(crate) offset: u64,
    /// For each column of the plan, where it stands in this file.
    pub(crate) order: Vec<usize>,
    /// How many columns this file has.
    pub(crate) width: usize,
    /// Whether the columns are the plan's, in its order.
    pub(crate) is_in_order: bool,
}

impl Reading {
    pub(crate) fn open(plan: &Plan, index: usize, offset: u64) -> Result<Option<Self>> {
        let Some(source) = plan.sources.get(index) else {
            return Ok(None);
        };
        let mut reading = Self {
            file: File::open(&source.path).map_err(Error::file(&source.path))?,
            source: source.clone(),
            buffer: Vec::new(),
            record: 0..0,
            left: source.bytes,
            index,
            offset: 0,
            order: (0..plan.columns.len()).collect(),
            width: plan.columns.len(),
            is_in_order: true,
        };
        if source.format == Format::Csv {
            reading.read_head(plan)?;
        }
        if offset > reading.offset {
            reading.seek(offset)?;
        }
        Ok(Some(reading))
    }

    pub(crate) fn format(&self) -> Format {
        self.source.format
    }

    pub(crate) fn name(&self) -> String {
        let name = self.source.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Reads the next record, and where it is CSV, its fields; `false` at the end.
    pub(crate) fn next(&mut self, fields: &mut Fields) -> Result<bool> {
        self.record.start = self.record.end;
        let mut is_last = false;
        loop {
            let unread = self.buffer.get(self.record.start..).unwrap_or_default();
            let length = match self.source.format {
                Format::Csv => fields.scan_csv(unread, is_last),
                Format::Ndjson => line_length(unread, is_last),
            };
            if let Some(length) = length {
                self.record.end = self.record.start + length;
                self.offset += length as u64;
                return Ok(true);
            }
            if is_last {
                return Ok(false);
            }
            is_last = !self.read_more()?;
        }
    }

    /// The newest record.
    pub(crate) fn record(&self) -> &[u8] {
        self.buffer.get(self.record.clone()).unwrap_or_default()
    }

    /// Reads more into the buffer; `false` at the end of the file, or where a record is too
    /// long.
    fn read_more(&mut self) -> Result<bool> {
        self.buffer.drain(..self.record.start);
        self.record = 0..0;
        let room = RECORD_BYTES_MAX
            .saturating_sub(self.buffer.len())
            .min(READ_BYTES);
        let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(room);
        let before = self.buffer.len();
        self.buffer.resize(before + size, 0);
        let free = self.buffer.get_mut(before..).unwrap_or_default();
        let read = loop {
            match self.file.read(free) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(Error::file(&self.source.path))?,
            }
        };
        self.buffer.truncate(before + read);
        self.left -= read as u64;
        Ok(read > 0)
    }

    fn seek(&mut self, offset: u64) -> Result<()> {
        let seek = self.file.seek(SeekFrom::Start(offset));
        seek.map_err(Error::file(&self.source.path))?;
        self.buffer.clear();
        self.record = 0..0;
        self.left = self.source.bytes.saturating_sub(offset);
        self.offset = offset;
        Ok(())
    }

    fn read_head(&mut self, plan: &Plan) -> Result<()> {
        let mut fields = Fields::default();
        while self.next(&mut fields)? && self.record().trim_ascii().is_empty() {}
        let head = names(&fields, self.record());
        self.width = head.len();
        self.order = plan
            .columns
            .iter()
            .map(|column| {
                head.iter().position(|name| name == column).ok_or_else(|| {
                    let path = self.source.path.display();
                    Error::Input(format!("{path}: no column `{column}`"))
                })
            })
            .collect::<Result<_>>()?;
        self.is_in_order = head == plan.columns;
        Ok(())
    }
}

/// The names of the columns, from the first record of a file.
pub(crate) fn names(fields: &Fields, record: &[u8]) -> Vec<String> {
    let text = |index| String::from_utf8_lossy(fields.get(record, index).unwrap_or_default());
    let mut names: Vec<_> = (0..fields.len())
        .map(|index| text(index).into_owned())
        .collect();
    // Spreadsheets lead a file with a mark that is no part of the first name.
    if let Some(first) = names.first_mut()
        && let Some(name) = first.strip_prefix('\u{feff}')
    {
        *first = name.to_owned();
    }
    names
}

fn line_length(bytes: &[u8], is_last: bool) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    end.map(|end| end + 1)
        .or_else(|| (is_last && !bytes.is_empty()).then_some(bytes.len()))
}
