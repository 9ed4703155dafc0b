//! What is wrong with a configuration, and where.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A place in a configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 where it is the file as a whole.
    pub line: usize,
    /// The path of the key, like `runtime.running_max` or `keys[0].id`; empty where it is none.
    pub key: String,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, and what is allowed there.
    pub message: String,
}

/// A configuration that means nothing: everything that is wrong with it, by line. Nothing of it
/// holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(Vec<Problem>);

impl Error {
    /// What is wrong; never nothing.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.0
    }

    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place.line);
        Self(problems)
    }

    pub(super) fn at(place: Place, message: String) -> Self {
        Self(vec![Problem { place, message }])
    }

    pub(super) fn unreadable(file: &Path, what: &str) -> Self {
        let place = Place {
            file: file.into(),
            line: 0,
            key: String::new(),
        };
        Self::at(place, format!("the configuration can't be read: {what}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl fmt::Display for Error {
    /// A line for each problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let gap = if index > 0 { "\n" } else { "" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The bytes of a file that has not more than `bytes_max`.
pub(super) fn read(file: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(file).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("it has more than {bytes_max} bytes"));
    }
    Ok(bytes)
}
