//! The fields of one record, in memory that is used again for the next.
//!
//! Most records of CSV have no quotes. Their fields are found in one pass over the bytes,
//! and stay where they are: this loop is where the pipeline spends its time.

use std::ops::Range;

use serde_json::{Map, Value};

/// The fields of a record, trimmed.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    ranges: Vec<Range<usize>>,
    /// What the ranges are of, where they are not of the record itself.
    text: Option<String>,
    is_trimmed: bool,
    is_ascii: bool,
}

/// What a byte means for the record that it is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Inside,
    End(usize),
    Quote,
}

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn get<'a>(&'a self, record: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let bytes = self.text.as_deref().map_or(record, str::as_bytes);
        bytes.get(self.ranges.get(index)?.clone())
    }

    /// Whether the fields make the same line again that they were found in.
    pub(crate) fn are_as_found(&self) -> bool {
        self.text.is_none() && !self.is_trimmed
    }

    /// Whether the record can be written as a text.
    pub(crate) fn is_utf8(&self, record: &[u8]) -> bool {
        self.is_ascii || self.text.is_some() || std::str::from_utf8(record).is_ok()
    }

    /// Finds the next record of CSV in `bytes`, and returns its length with its line's end;
    /// `None` where there is no end and `is_last` is not set.
    pub(crate) fn scan_csv(&mut self, bytes: &[u8], is_last: bool) -> Option<usize> {
        self.clear();
        let mut start = 0;
        let mut place = 0;
        let (words, _) = bytes.as_chunks();
        for word in words {
            // Most bytes do not matter, so eight are looked at together.
            let word = u64::from_le_bytes(*word);
            let mut marks = marks(word);
            while marks != 0 {
                let bit = marks.trailing_zeros();
                let byte = (word >> (bit & !7)).to_le_bytes()[0];
                let end = self.mark(bytes, byte, &mut start, place + bit as usize / 8);
                if end != Mark::Inside {
                    return self.end(end, bytes, is_last);
                }
                marks &= marks - 1;
            }
            place += 8;
        }
        for (at, byte) in bytes.iter().enumerate().skip(place) {
            let end = self.mark(bytes, *byte, &mut start, at);
            if end != Mark::Inside {
                return self.end(end, bytes, is_last);
            }
        }
        if !is_last || bytes.is_empty() {
            return None;
        }
        self.push(bytes, start..bytes.len());
        Some(bytes.len())
    }

    /// Looks at a byte that may matter. `start` is where its field starts.
    #[expect(
        clippy::inline_always,
        reason = "in a guest each call looks at fuel and epoch, which takes longer than this does"
    )]
    #[inline(always)]
    fn mark(&mut self, bytes: &[u8], byte: u8, start: &mut usize, at: usize) -> Mark {
        match byte {
            b',' => {
                self.push(bytes, *start..at);
                *start = at + 1;
                Mark::Inside
            }
            b'\n' => {
                self.push(bytes, *start..at);
                Mark::End(at + 1)
            }
            b'"' => Mark::Quote,
            _ => {
                self.is_ascii &= byte.is_ascii();
                Mark::Inside
            }
        }
    }

    fn end(&mut self, mark: Mark, bytes: &[u8], is_last: bool) -> Option<usize> {
        match mark {
            Mark::Inside => None,
            Mark::End(length) => Some(length),
            Mark::Quote => self.scan_quoted(bytes, is_last),
        }
    }

    /// Takes the values of an object in the order of `columns`; `false` for another record.
    pub(crate) fn take_json(&mut self, record: &[u8], columns: &[String]) -> bool {
        self.clear();
        let Ok(object) = serde_json::from_slice::<Map<String, Value>>(record) else {
            return false;
        };
        let mut text = String::new();
        for column in columns {
            let start = text.len();
            match object.get(column) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => text.push_str(value),
                Some(value) => text.push_str(&value.to_string()),
            }
            self.push(text.as_bytes(), start..text.len());
        }
        self.text = Some(text);
        true
    }

    /// A record with quotes, whose fields may hold commas and ends of lines. A quote that is
    /// not closed ends with the file.
    fn scan_quoted(&mut self, bytes: &[u8], is_last: bool) -> Option<usize> {
        self.clear();
        let mut is_quoted = false;
        let end = bytes.iter().position(|byte| {
            is_quoted ^= *byte == b'"';
            *byte == b'\n' && !is_quoted
        });
        let length = match end {
            Some(end) => end + 1,
            None if is_last => bytes.len(),
            None => return None,
        };
        let record = bytes.get(..length).unwrap_or_default();
        match std::str::from_utf8(record) {
            Ok(record) => self.split_quoted(record.trim_end_matches(['\n', '\r'])),
            Err(_) => self.is_ascii = false,
        }
        Some(length)
    }

    fn split_quoted(&mut self, record: &str) {
        let mut text = String::with_capacity(record.len());
        let mut start = 0;
        let mut is_quoted = false;
        let mut rest = record;
        // What lies between quotes and commas is taken as it is.
        while let Some((inside, after)) = rest.find(['"', ',']).map(|at| rest.split_at(at)) {
            text.push_str(inside);
            let (mark, after) = after.split_at(1);
            rest = after;
            match mark {
                "\"" if is_quoted && rest.starts_with('"') => {
                    rest = rest.get(1..).unwrap_or_default();
                    text.push('"');
                }
                "\"" => is_quoted = !is_quoted,
                _ if is_quoted => text.push(','),
                _ => {
                    self.push(text.as_bytes(), start..text.len());
                    start = text.len();
                }
            }
        }
        text.push_str(rest);
        self.push(text.as_bytes(), start..text.len());
        self.text = Some(text);
    }

    /// Adds a field. Nearly all are trimmed already, and then it is no more than that.
    #[inline]
    fn push(&mut self, bytes: &[u8], range: Range<usize>) {
        let field = bytes.get(range.clone()).unwrap_or_default();
        let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
        if is_blank(field.first()) || is_blank(field.last()) {
            self.push_trimmed(field, range.start);
        } else {
            self.ranges.push(range);
        }
    }

    #[cold]
    fn push_trimmed(&mut self, field: &[u8], start: usize) {
        self.is_trimmed = true;
        let start = start + (field.len() - field.trim_ascii_start().len());
        self.ranges.push(start..start + field.trim_ascii().len());
    }

    fn clear(&mut self) {
        self.ranges.clear();
        self.text = None;
        self.is_trimmed = false;
        self.is_ascii = true;
    }
}

/// Sets the high bit of each byte that may matter: of those up to the comma, and of those
/// that are not ASCII.
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    // Seven bits and this carry into the eighth, where the byte is more than a comma.
    let is_more = (word & !HIGH) + ONES * (0x7f - u64::from(b','));
    (word | !is_more) & HIGH
}

/// Adds a line of CSV, with quotes where a field needs them.
pub(crate) fn write_line<'a>(line: &mut Vec<u8>, fields: impl IntoIterator<Item = &'a [u8]>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        if !field
            .iter()
            .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
        {
            line.extend_from_slice(field);
            continue;
        }
        line.push(b'"');
        for byte in field {
            if *byte == b'"' {
                line.push(b'"');
            }
            line.push(*byte);
        }
        line.push(b'"');
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expected: &[&str], written: &str) {
        let mut fields = Fields::default();
        let bytes = record.as_bytes();
        assert_eq!(fields.scan_csv(bytes, true), Some(bytes.len()), "{record}");
        let found: Vec<&[u8]> = (0..fields.len())
            .map(|index| fields.get(bytes, index).unwrap())
            .collect();
        let texts: Vec<_> = found
            .iter()
            .map(|field| String::from_utf8_lossy(field))
            .collect();
        assert_eq!(texts, expected, "{record}");
        let mut line = Vec::new();
        write_line(&mut line, found);
        assert_eq!(String::from_utf8(line).unwrap(), written);
        assert!(!fields.are_as_found() || record == written, "{record}");
    }

    #[test]
    fn records_are_split() {
        check("a,b,c\r\n", &["a", "b", "c"], "a,b,c\n");
        check("a,b,c\n", &["a", "b", "c"], "a,b,c\n");
        check(" a , ,\n", &["a", "", ""], "a,,\n");
        check(
            "\"a,b\", \"say \"\"no\"\"\",c\n",
            &["a,b", "say \"no\"", "c"],
            "\"a,b\",\"say \"\"no\"\"\",c\n",
        );
        check(
            "\"two\nlines\",x\n",
            &["two\nlines", "x"],
            "\"two\nlines\",x\n",
        );
        check("\n", &[""], "\n");
        check("\u{e9},x\n", &["\u{e9}", "x"], "\u{e9},x\n");
    }

    #[test]
    fn a_record_without_an_end_is_none_yet() {
        for record in ["", "a,b", "a,\"b\n"] {
            assert_eq!(
                Fields::default().scan_csv(record.as_bytes(), false),
                None,
                "{record}"
            );
        }
        assert_eq!(Fields::default().scan_csv(b"", true), None);
    }

    #[test]
    fn objects_are_taken_by_column() {
        let mut fields = Fields::default();
        let columns = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert!(fields.take_json(br#"{"b":1.5,"a":" x ","d":0,"c":[1]}"#, &columns));
        let found: Vec<_> = (0..3)
            .map(|index| fields.get(b"", index).unwrap())
            .collect();
        assert_eq!(found, [b"x".as_slice(), b"1.5", b"[1]"]);
        assert!(!fields.take_json(b"[1]", &columns));
    }
}
