//! Folders that a component's tasks are granted.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A folder of the host, as a guest sees it: `HOST:GUEST`, read-only unless it ends in `:rw`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dir {
    /// The folder's path on the host.
    pub host: String,
    /// Its path for the guest.
    pub guest: String,
    /// Whether the guest may write.
    pub writable: bool,
}

/// A text that is no folder grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a folder grant: write HOST:GUEST, HOST:GUEST:ro or HOST:GUEST:rw")]
pub struct InvalidDir(pub String);

impl Dir {
    /// The folder, where its path is one relative to `folder`.
    pub(super) fn within(self, folder: &Path) -> Result<Self, String> {
        let host = folder.join(&self.host).into_os_string().into_string();
        let host = host.map_err(|path| {
            format!(
                "the folder `{}` can't be granted: it is not UTF-8",
                path.display()
            )
        })?;
        Ok(Self { host, ..self })
    }
}

impl FromStr for Dir {
    type Err = InvalidDir;

    fn from_str(text: &str) -> Result<Self, InvalidDir> {
        let (paths, writable) = match text.rsplit_once(':') {
            Some((paths, "rw")) => (paths, true),
            Some((paths, "ro")) => (paths, false),
            _ => (text, false),
        };
        match paths.rsplit_once(':') {
            Some((host, guest)) if !host.is_empty() && is_plain(guest) => Ok(Self {
                host: host.into(),
                guest: guest.into(),
                writable,
            }),
            _ => Err(InvalidDir(text.into())),
        }
    }
}

impl fmt::Display for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = if self.writable { "rw" } else { "ro" };
        write!(f, "{}:{}:{access}", self.host, self.guest)
    }
}

/// Whether a guest's path is absolute, and says where it leads.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|part| part == "." || part == "..")
}
