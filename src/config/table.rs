//! Reading a table of the file, key by key.
//!
//! A reader asks for each key that it knows, and goes on with the default where one is wrong, so
//! that everything that is wrong is found at once. What nobody has asked for when a table is left
//! is unknown.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::error::Place;
use super::source::Source;
use super::value;
use crate::clock::millis;
use crate::limit::Unit;

/// How alike an unknown key and a known one have to be for the one to be taken for the other.
const ALIKE: f64 = 0.85;

/// A table that is read. One that is not in the file is empty.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    /// Its path; empty for the whole file.
    path: String,
    line: usize,
    entries: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// The table of the whole file.
    pub(super) fn root(source: &'a Source<'a>, entries: &'a DeTable<'a>) -> Self {
        Self {
            source,
            path: String::new(),
            line: 1,
            entries: Some(entries),
            known: Vec::new(),
        }
    }

    pub(super) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    /// Where `key` stands; where it does not, the table.
    pub(super) fn place(&self, key: &str) -> Place {
        let value = self.entries.and_then(|entries| entries.get(key));
        let line = value.map(|value| self.source.line(value.span().start));
        self.source.place(line.unwrap_or(self.line), self.path(key))
    }

    /// Whether the file says something of `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// What the file says of `key`, if that can be understood.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(key)?;
        match read(value) {
            Ok(meant) => Some(meant),
            Err(message) => {
                self.source.wrong(self.place(key), message);
                None
            }
        }
    }

    /// As [`Self::read`], of a key that has to be there.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.source.wrong(self.place(key), "it is missing");
        }
        self.read(key, read)
    }

    /// An amount between two others.
    pub(super) fn amount(
        &mut self,
        key: &'static str,
        unit: Unit,
        bounds: (u64, u64),
    ) -> Option<u64> {
        self.read(key, |value| value::amount(value, unit, bounds))
    }

    /// A number of things.
    pub(super) fn count(&mut self, key: &'static str, usual: usize, bounds: (u64, u64)) -> usize {
        let count = self.amount(key, Unit::Count, bounds);
        count.map_or(usual, |count| usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// A duration, between bounds in milliseconds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        usual: Duration,
        bounds: (u64, u64),
    ) -> Duration {
        let millis = self.amount(key, Unit::Millis, bounds);
        millis.map_or(usual, Duration::from_millis)
    }

    /// Refuses the second duration where it is less than the first.
    pub(super) fn ordered(&self, less: (&str, Duration), more: (&str, Duration)) {
        if less.1 > more.1 {
            let [least, found] = [less.1, more.1].map(|time| Unit::Millis.format(millis(time)));
            let message = format!("it must be at least {}, {least}, not {found}", less.0);
            self.source.wrong(self.place(more.0), message);
        }
    }

    /// An amount, or the word that says that there is none.
    pub(super) fn amount_or(
        &mut self,
        key: &'static str,
        (word, usual): (&str, Option<u64>),
        unit: Unit,
        bounds: (u64, u64),
    ) -> Option<u64> {
        let read = self.read(key, |value| match value.as_str() {
            Some(text) if text == word => Ok(None),
            _ => match value::amount(value, unit, bounds) {
                Ok(amount) => Ok(Some(amount)),
                Err(message) => Err(format!("{message}; or \"{word}\"")),
            },
        });
        read.unwrap_or(usual)
    }

    /// All entries of an array.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&DeValue<'_>) -> Result<T, String>,
    ) -> Vec<T> {
        let list = self.read(key, |value| match value.as_array() {
            Some(values) => values.iter().map(|value| read(value.get_ref())).collect(),
            None => Err(value::not("an array like [\"..\"]", value)),
        });
        list.unwrap_or_default()
    }

    /// The table `key`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'a>) -> T,
    ) -> T {
        let (place, value) = (self.place(key), self.value(key));
        self.inner(place, value).all(read)
    }

    /// Every table of the array `key`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'a>) -> T,
    ) -> Vec<T> {
        let (place, value) = (self.place(key), self.value(key));
        let Some(value) = value else {
            return Vec::new();
        };
        let Some(values) = value.as_array() else {
            let message = format!("each is a table of its own: write [[{}]]", place.key);
            self.source.wrong(place, message);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let line = self.source.line(value.span().start);
            let place = self.source.place(line, format!("{}[{index}]", place.key));
            tables.push(self.inner(place, Some(value.get_ref())).all(&mut read));
        }
        tables
    }

    /// Every table in the table `key`, each with its name and its place.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &mut Table<'a>) -> T,
    ) -> Vec<T> {
        let (place, value) = (self.place(key), self.value(key));
        let outer = self.inner(place, value);
        let mut tables = Vec::new();
        for (name, value) in outer.entries.into_iter().flatten() {
            let mut inner = outer.inner(outer.place(name.get_ref()), Some(value.get_ref()));
            tables.push(inner.all(|table| read(name.get_ref(), table)));
        }
        tables
    }

    fn value(&mut self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.known.push(key);
        Some(self.entries?.get(key)?.get_ref())
    }

    fn path(&self, key: &str) -> String {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let key = match key.chars().all(is_bare) {
            true => key.to_owned(),
            false => format!("{key:?}"),
        };
        match self.path.as_str() {
            "" => key,
            path if key.is_empty() => path.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    fn inner(&self, place: Place, value: Option<&'a DeValue<'a>>) -> Table<'a> {
        let entries = value.and_then(DeValue::as_table);
        if let (Some(value), None) = (value, entries) {
            self.source
                .wrong(place.clone(), value::not("a table", value));
        }
        Table {
            source: self.source,
            path: place.key,
            line: place.line,
            entries,
            known: Vec::new(),
        }
    }

    /// Reads the table, and refuses what nobody has asked for then.
    pub(super) fn all<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let meant = read(self);
        for key in self.entries.into_iter().flat_map(DeTable::keys) {
            if self.known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let line = self.source.line(key.span().start);
            let place = self.source.place(line, self.path(key.get_ref()));
            self.source.wrong(place, self.unknown(key.get_ref()));
        }
        meant
    }

    fn unknown(&self, key: &str) -> String {
        let likeness = |known: &&str| strsim::jaro_winkler(known, key);
        let nearest = self.known.iter().copied();
        let nearest = nearest.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = match nearest.filter(|known| likeness(known) > ALIKE) {
            Some(known) => format!("; did you mean `{known}`?"),
            None => ".".into(),
        };
        let what = if self.path.is_empty() {
            "file"
        } else {
            "table"
        };
        let known = self.known.join(", ");
        format!("there is no such key{hint} The {what} takes {known}")
    }
}
