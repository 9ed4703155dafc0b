//! A file that is written chunk by chunk, and cut back to a known length before one.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// What is written at once.
const BUFFER_BYTES: usize = 1 << 18;

#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: File,
    /// What is to be written next.
    pub(crate) pending: Vec<u8>,
    length: Option<u64>,
}

impl Output {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file = open.map_err(Error::file(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            pending: Vec::new(),
            length: None,
        })
    }

    /// Forgets what lies behind `length`: a chunk that was interrupted left it there.
    pub(crate) fn cut(&mut self, length: u64) -> Result<()> {
        if self.length != Some(length) {
            self.pending.clear();
            let cut = self.file.set_len(length);
            cut.and_then(|()| self.file.seek(SeekFrom::Start(length)).map(drop))
                .map_err(Error::file(&self.path))?;
            self.length = Some(length);
        }
        Ok(())
    }

    /// Writes what is pending, where it is enough to be worth it.
    pub(crate) fn write_some(&mut self) -> Result<()> {
        if self.pending.len() >= BUFFER_BYTES {
            self.write()
        } else {
            Ok(())
        }
    }

    /// Writes all of it to the disk, and returns the file's length.
    pub(crate) fn sync(&mut self) -> Result<u64> {
        let is_changed = !self.pending.is_empty();
        self.write()?;
        if is_changed {
            self.file.sync_data().map_err(Error::file(&self.path))?;
        }
        Ok(self.length.unwrap_or_default())
    }

    fn write(&mut self) -> Result<()> {
        let length = self.length.take().unwrap_or_default() + self.pending.len() as u64;
        self.file
            .write_all(&self.pending)
            .map_err(Error::file(&self.path))?;
        self.pending.clear();
        self.length = Some(length);
        Ok(())
    }
}
