//! Folders that a task is granted.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use crate::{config, sandbox};

/// A folder of the host, as a guest sees it: `HOST:GUEST`, read-only unless it ends in `:rw`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The folder's path on the host.
    pub host: String,
    /// Its path for the guest.
    pub guest: String,
    /// Whether the guest may write.
    pub writable: bool,
}

/// A folder that can't be granted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotGrant {
    /// The text is none.
    #[error(transparent)]
    Syntax(#[from] config::InvalidDir),
    /// Two folders for one place.
    #[error("two folders are granted as `{0}`: give each a path of its own")]
    Twice(String),
    /// There is no such folder on the host.
    #[error("the folder `{host}` can't be granted: {source}")]
    Folder {
        /// Its path.
        host: String,
        /// Why.
        source: std::io::Error,
    },
}

impl FromStr for Grant {
    type Err = CannotGrant;

    fn from_str(text: &str) -> Result<Self, CannotGrant> {
        let dir: config::Dir = text.parse()?;
        Ok(dir.into())
    }
}

impl From<config::Dir> for Grant {
    fn from(dir: config::Dir) -> Self {
        let config::Dir {
            host,
            guest,
            writable,
        } = dir;
        Self {
            host,
            guest,
            writable,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.host,
            self.guest,
            if self.writable { "rw" } else { "ro" }
        )
    }
}

impl Grant {
    /// The grant with an absolute host path, so that it means the same wherever the task goes on.
    pub fn absolute(self) -> Result<Self, CannotGrant> {
        let source = |source| CannotGrant::Folder {
            host: self.host.clone(),
            source,
        };
        let host = std::fs::canonicalize(&self.host).map_err(source)?;
        let named = host.to_str().map(str::to_owned).ok_or_else(|| {
            let unnamed = "its path is not UTF-8, so it can't be kept with the task";
            source(std::io::Error::other(unnamed))
        })?;
        Ok(Self {
            host: named,
            ..self
        })
    }

    fn open(&self) -> Result<sandbox::Grant, CannotGrant> {
        let folder = Dir::open_ambient_dir(&self.host, ambient_authority());
        let source = |source| CannotGrant::Folder {
            host: self.host.clone(),
            source,
        };
        Ok(sandbox::Grant {
            folder: Arc::new(folder.map_err(source)?),
            path: self.guest.clone(),
            writable: self.writable,
        })
    }
}

/// Refuses grants of which one would hide another.
pub(super) fn check_apart(grants: &[Grant]) -> Result<(), CannotGrant> {
    let mut seen = HashSet::new();
    let twice = grants
        .iter()
        .find(|grant| !seen.insert(grant.guest.trim_end_matches('/')));
    twice.map_or(Ok(()), |grant| Err(CannotGrant::Twice(grant.guest.clone())))
}

/// Opens the folders that a task's record names.
pub(super) fn open_all(grants: &[Arc<str>]) -> Result<Vec<sandbox::Grant>, CannotGrant> {
    grants
        .iter()
        .map(|grant| grant.parse::<Grant>()?.open())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_only_unless_it_says_otherwise() {
        let check = |text: &str, expect: Option<(&str, &str, bool)>| {
            let grant = text.parse::<Grant>().ok();
            let grant = grant
                .as_ref()
                .map(|g| (g.host.as_str(), g.guest.as_str(), g.writable));
            assert_eq!(grant, expect, "{text}");
        };
        check("data:/in", Some(("data", "/in", false)));
        check("/a:b:/in:rw", Some(("/a:b", "/in", true)));
        check("data:/in:ro", Some(("data", "/in", false)));
        for bad in [
            "",
            "data",
            "data:in",
            ":/in",
            "data:/in:rx",
            "data:/in/../x",
        ] {
            check(bad, None);
        }
    }
}
