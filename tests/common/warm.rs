//! Compiled components, kept between tests.
//!
//! A data directory that is seeded with what an earlier test compiled starts in milliseconds; what
//! does not fit is compiled again by the product itself.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

/// What of a data directory is a cache, and the key that it is sealed with.
const CACHED: [&str; 2] = ["registry/compiled", "registry/key"];

/// Copies what is kept into a new data directory.
pub fn seed(data: &Path) {
    for name in CACHED {
        // Nothing is kept yet: the first test compiles.
        let _ = copy(&kept().join(name), &data.join(name));
    }
}

/// Keeps what a data directory has compiled, for the tests after this one. What was kept before
/// stays: a directory that was seeded with it has the same key, and adds what is new.
pub fn keep(data: &Path) {
    if kept().exists() {
        // What can't be added is compiled again.
        let _ = add(data);
        return;
    }
    let aside = kept().with_extension(process::id().to_string());
    let copied = CACHED
        .iter()
        .try_for_each(|name| copy(&data.join(name), &aside.join(name)));
    // Another test may have been faster; then this copy goes.
    if copied.is_err() || fs::rename(&aside, kept()).is_err() {
        let _ = fs::remove_dir_all(&aside);
    }
}

fn add(data: &Path) -> io::Result<()> {
    let [compiled, key] = CACHED;
    if fs::read(data.join(key))? != fs::read(kept().join(key))? {
        return Ok(());
    }
    for file in fs::read_dir(data.join(compiled))? {
        let name = file?.file_name();
        let to = kept().join(compiled).join(&name);
        if !to.exists() {
            let aside = format!("{}-{}", process::id(), name.to_string_lossy());
            let aside = kept().with_extension(aside);
            copy(&data.join(compiled).join(&name), &aside)?;
            fs::rename(&aside, &to)?;
        }
    }
    Ok(())
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-by-tests")
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
