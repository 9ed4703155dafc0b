//! The text of the file, and what was found to be wrong with it.

use std::cell::RefCell;
use std::path::Path;

use toml::de::DeTable;

use super::error::{Error, Place, Problem};
use super::table::Table;

/// A file that is read, and what was found to be wrong with it.
pub(super) struct Source<'a> {
    text: &'a str,
    file: &'a Path,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, file: &'a Path) -> Self {
        Self {
            text,
            file,
            problems: RefCell::default(),
        }
    }

    /// What paths are relative to.
    pub(super) fn folder(&self) -> &'a Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Reads the whole file; nothing, if it is no TOML.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut Table<'_>) -> T) -> Option<T> {
        match DeTable::parse(self.text) {
            Ok(entries) => Some(Table::root(self, entries.get_ref()).all(read)),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                let message = error.message().replace('\n', ", ");
                self.wrong(self.place(self.line(offset), String::new()), message);
                None
            }
        }
    }

    /// What was read, if nothing is wrong.
    pub(super) fn end<T>(self, read: Option<T>) -> Result<T, Error> {
        let problems = self.problems.into_inner();
        match read {
            Some(read) if problems.is_empty() => Ok(read),
            _ => Err(Error::new(problems)),
        }
    }

    /// Whether nothing was found to be wrong so far.
    pub(super) fn is_right(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(super) fn wrong(&self, place: Place, message: impl Into<String>) {
        let message = message.into();
        self.problems.borrow_mut().push(Problem { place, message });
    }

    pub(super) fn place(&self, line: usize, key: String) -> Place {
        Place {
            file: self.file.into(),
            line,
            key,
        }
    }

    /// The line in which the text has come to `offset`.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }
}
