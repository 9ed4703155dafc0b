//! A pipeline over CSV and NDJSON files of any size: it reads them in bounded memory, cleans
//! the records, writes those that are clean and those that are not, and aggregates.
//!
//! It knows of no runtime. Its work is cut into chunks, and a chunk is a function of a
//! [`State`]: it brings the outputs back to the lengths that the state names, does the work,
//! syncs, and returns the next state. So whoever keeps the states can be stopped at any
//! place and go on from the newest, and the outputs are the same to the byte.
//!
//! ```no_run
//! # fn main() -> etl::Result<()> {
//! let options = etl::Options {
//!     input: "/in".into(),
//!     output: "/out".into(),
//!     group_by: Some("country".to_owned()),
//!     measure: Some("amount".to_owned()),
//!     required: Vec::new(),
//! };
//! let plan = etl::Plan::make(&options)?;
//! let mut pipeline = etl::Pipeline::new(&options, &plan)?;
//! let mut state = etl::State::default();
//! while !plan.is_done(&state) {
//!     state = pipeline.chunk(&state, 10_000)?;
//! }
//! let summary = pipeline.finish(&state)?;
//! # drop(summary); Ok(()) }
//! ```

mod decimal;
mod fields;
mod output;
mod pipeline;
mod plan;
mod source;
mod state;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use decimal::Decimal;
pub use pipeline::Pipeline;
pub use plan::{Format, Plan, Source};
pub use state::{Group, Reason, State, Summary};

/// What is read, where to, and what is made of it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A file, or a folder of them.
    pub input: PathBuf,
    /// The folder of the results.
    pub output: PathBuf,
    /// The column whose values are counted apart.
    pub group_by: Option<String>,
    /// The column whose numbers are added up.
    pub measure: Option<String>,
    /// The columns without which a record is rejected.
    pub required: Vec<String>,
}

/// What the pipeline returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the pipeline does not go on.
#[derive(Debug)]
pub enum Error {
    /// The options do not fit the input, or the input is none.
    Input(String),
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
}

impl Error {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self::File(path, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) => f.write_str(message),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}
