//! Where the data directory is.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Global, error};

impl Global {
    /// The data directory: as typed, else as the environment has it, else in the user's home.
    pub fn place(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = self.typed() {
            return Ok(dir.clone());
        }
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let in_data = |data: OsString| PathBuf::from(data).join("stepwell");
        let in_home = |home: OsString| PathBuf::from(home).join(".local/share/stepwell");
        let dir = set("XDG_DATA_HOME").map(in_data);
        dir.or_else(|| set("HOME").map(in_home)).ok_or_else(|| {
            error::input(
                "there is no place to keep tasks: neither XDG_DATA_HOME nor HOME is set",
                "name one with --data-dir DIR",
            )
        })
    }

    /// A command that goes on in the same place.
    pub(super) fn command(&self, words: &str) -> String {
        let server = self
            .server
            .as_ref()
            .and_then(|remote| remote.server.as_ref());
        if let Some(server) = server {
            return format!("stepwell {words} --server {}", quoted(server));
        }
        match self.typed() {
            Some(dir) => {
                let dir = quoted(&dir.to_string_lossy());
                format!("stepwell {words} --data-dir {dir}")
            }
            None => format!("stepwell {words}"),
        }
    }

    /// The data directory as it was typed.
    pub fn typed(&self) -> Option<&PathBuf> {
        let dir = self.data_dir.as_ref();
        dir.filter(|dir| !dir.as_os_str().is_empty())
    }
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_a_word_back() {
        assert_eq!(quoted("/tmp/data"), "/tmp/data");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
