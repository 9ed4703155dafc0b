//! The directory of a store: whose it is, what it holds, and how it comes to be.
//!
//! Three small files lie beside the engine's own. `holder` is locked by the process that has the
//! directory and says which that is. `creating` is there until everything else is, so that a
//! creation which was cut short is begun again. `format` says what wrote the rest.
//!
//! A file's name proves nothing: what is removed here lies beside a `creating` that says what a
//! store would have said, has a name that the store or its engine gives, and has no neighbour that
//! neither of them put there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::disk::{Disk, Space};
use super::{Error, FORMAT, Options};

const HOLDER: &str = "holder";
const CREATING: &str = "creating";
/// What `creating` holds.
const CREATING_TEXT: &str = "stepwell.store is being created here\n";
const FORMAT_FILE: &str = "format";
/// What becomes `format`.
const FORMAT_NEW: &str = "format.new";
const FORMAT_NAME: &str = "stepwell.store/";

/// The hold on a directory; dropping it lets go.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "the lock lasts as long as the file")] File);

/// Takes hold of `dir`, creates what is missing, and opens the engine.
pub(super) fn open(dir: &Path, options: &Options) -> Result<Disk, Error> {
    let unusable = |error: io::Error| Error::Unusable {
        dir: dir.to_owned(),
        cause: error.to_string().into(),
    };
    fs::create_dir_all(dir).map_err(unusable)?;
    // Looked at before anything is written there, so that a foreign directory is left untouched.
    let beside = options.beside;
    inspect(dir, look(dir).map_err(unusable)?, beside)?;
    let hold = take_hold(dir)?;
    let contents = look(dir).map_err(unusable)?;
    let is_new = inspect(dir, contents, beside)?;
    if is_new {
        begin_creation(dir).map_err(unusable)?;
    }
    let disk = open_engine(dir, hold, options)?;
    if is_new {
        end_creation(dir).map_err(unusable)?;
    }
    Ok(disk)
}

/// What lies in a directory.
struct Contents {
    names: Vec<String>,
    creating: Creating,
    format: Option<String>,
    /// Whether the engine's file that is written last when it begins is there.
    is_versioned: bool,
    /// How many keyspaces are whole. The engine has one of its own; where that or another is
    /// missing it would begin an empty one, and remove what then belongs to none.
    keyspaces: usize,
    /// Whether there is a journal: without one the engine would begin anew. It may be empty, where
    /// nothing was written since everything in it went to the tables.
    has_journal: bool,
}

/// What the file `creating` says.
#[derive(Clone, Copy)]
enum Creating {
    /// There is none, or it is gone since.
    Absent,
    /// It was cut short before it said all of it: then nothing else was begun.
    Begun,
    /// A store is being created.
    Said,
    /// It is not a store's.
    Foreign,
}

/// Looks in the order in which a creation that goes on meanwhile does not seem to be damage: it
/// makes `format` last, and only then is `creating` removed.
fn look(dir: &Path) -> io::Result<Contents> {
    let (mut names, mut has_journal) = (Vec::new(), false);
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        has_journal |= is_journal(&name);
        names.push(name);
    }
    names.sort_unstable();
    let creating = read_creating(dir)?;
    let format = match fs::read(dir.join(FORMAT_FILE)) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let keyspaces = count_keyspaces(&dir.join("keyspaces"))?;
    Ok(Contents {
        names,
        creating,
        format,
        is_versioned: dir.join("version").is_file(),
        keyspaces,
        has_journal,
    })
}

fn read_creating(dir: &Path) -> io::Result<Creating> {
    let path = dir.join(CREATING);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(Creating::Foreign),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Creating::Absent),
        Err(error) => return Err(error),
    }
    let mut said = Vec::new();
    match File::open(&path) {
        Ok(file) => file.take(4_096).read_to_end(&mut said)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Creating::Absent),
        Err(error) => return Err(error),
    };
    Ok(if said == CREATING_TEXT.as_bytes() {
        Creating::Said
    } else if CREATING_TEXT.as_bytes().starts_with(&said) {
        Creating::Begun
    } else {
        Creating::Foreign
    })
}

/// Whether the store or its engine gives this name to a file or a directory while the store is
/// being created.
fn is_created(name: &str) -> bool {
    // Those of the engine are in its `file.rs` and `journal/recovery.rs`.
    matches!(name, "version" | "lock" | "keyspaces" | FORMAT_NEW) || is_journal(name)
}

pub(super) fn is_journal(name: &str) -> bool {
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_suffix(".jnl").is_some_and(is_number)
}

fn count_keyspaces(dir: &Path) -> io::Result<usize> {
    if !dir.is_dir() {
        return Ok(0);
    }
    let mut count = 0;
    for entry in fs::read_dir(dir)? {
        count += usize::from(entry?.path().join("current").is_file());
    }
    Ok(count)
}

/// Whether the store is still to be created in `dir`; an error, if it can't be there.
fn inspect(dir: &Path, contents: Contents, beside: &[&str]) -> Result<bool, Error> {
    let foreign = |what: String| {
        let dir = dir.to_owned();
        Err(Error::Foreign { dir, what })
    };
    match contents.format {
        Some(format) if format == format!("{FORMAT_NAME}{FORMAT}") => {
            let is_whole = contents.keyspaces > Space::ALL.len() && contents.has_journal;
            if contents.is_versioned && is_whole {
                return Ok(false);
            }
            Err(Error::Corrupt {
                place: dir.display().to_string(),
                what: "files of the engine are missing".into(),
            })
        }
        Some(format) => match format.strip_prefix(FORMAT_NAME) {
            Some(version) => foreign(format!(
                "it has format {version}, where this version has format {FORMAT}"
            )),
            None => foreign(format!("its file `{FORMAT_FILE}` is not a store's")),
        },
        None => {
            let creating = contents.creating;
            let is_known = |name: &str| match creating {
                _ if name == HOLDER || beside.contains(&name) => true,
                // Ended in between, if it is absent.
                Creating::Absent | Creating::Begun => name == CREATING,
                Creating::Said => name == CREATING || is_created(name),
                Creating::Foreign => false,
            };
            match contents.names.iter().find(|name| !is_known(name)) {
                Some(other) => foreign(format!("it holds `{other}`, which no store put there")),
                None => Ok(true),
            }
        }
    }
}

fn take_hold(dir: &Path) -> Result<Hold, Error> {
    let unusable = |error: io::Error| Error::Unusable {
        dir: dir.to_owned(),
        cause: error.to_string().into(),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(HOLDER))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(locked(dir, &mut file)),
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    let holder = format!("process {} ({})\n", std::process::id(), command());
    let written = file.set_len(0).and_then(|()| file.rewind());
    written
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(unusable)?;
    Ok(Hold(file))
}

/// The error that names who holds `dir`.
fn locked(dir: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // The holder's file may be empty for the instant between its lock and its first write.
    let read = file.take(4_096).read_to_string(&mut holder);
    let holder = match (read, holder.trim()) {
        (Ok(_), holder) if !holder.is_empty() => holder.to_owned(),
        _ => "another process".to_owned(),
    };
    Error::Locked {
        dir: dir.to_owned(),
        holder,
    }
}

/// This process's command line, as far as it helps to find it again.
fn command() -> String {
    let arguments = std::env::args_os().take(3);
    let arguments: Vec<_> = arguments
        .map(|argument| crate::text::clean_line(&argument.to_string_lossy(), 256))
        .collect();
    arguments.join(" ")
}

/// Clears away what a creation that was cut short has left: nobody was told that there is anything.
/// What has another name than those it gives is not the store's to remove.
fn begin_creation(dir: &Path) -> io::Result<()> {
    // Never written anew where it is whole: cut short, it would disown what lies beside it.
    if !matches!(read_creating(dir)?, Creating::Said) {
        let mut creating = File::create(dir.join(CREATING))?;
        creating.write_all(CREATING_TEXT.as_bytes())?;
        creating.sync_all()?;
        // Before anything else is there.
        File::open(dir)?.sync_all()?;
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_created) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    File::open(dir)?.sync_all()
}

fn end_creation(dir: &Path) -> io::Result<()> {
    let mut format = File::create(dir.join(FORMAT_NEW))?;
    writeln!(format, "{FORMAT_NAME}{FORMAT}")?;
    format.sync_all()?;
    fs::rename(dir.join(FORMAT_NEW), dir.join(FORMAT_FILE))?;
    fs::remove_file(dir.join(CREATING))?;
    File::open(dir)?.sync_all()
}

/// Opens the engine, which panics at some kinds of damage.
fn open_engine(dir: &Path, hold: Hold, options: &Options) -> Result<Disk, Error> {
    let damaged = |what: String| Error::Corrupt {
        place: dir.display().to_string(),
        what,
    };
    let opened = catch_unwind(AssertUnwindSafe(|| Disk::open(dir, hold, options)));
    let Ok(opened) = opened else {
        return Err(damaged("the engine gave up on it".into()));
    };
    opened.map_err(|error| match error {
        fjall::Error::Locked => Error::Locked {
            dir: dir.to_owned(),
            holder: "another process".into(),
        },
        error => match refused_by_host(&error) {
            Some(refusal) => Error::Unusable {
                dir: dir.to_owned(),
                cause: refusal.to_string().into(),
            },
            None => damaged(error.to_string()),
        },
    })
}

/// The refusal of the host that is behind an error: a full disk, a missing right. Files that are
/// missing or end early are no refusal but damage.
fn refused_by_host(error: &fjall::Error) -> Option<&io::Error> {
    let error: &(dyn std::error::Error + 'static) = error;
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let refusal = causes.find_map(|cause| cause.downcast_ref::<io::Error>())?;
    let is_damage = matches!(
        refusal.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
    );
    (!is_damage).then_some(refusal)
}
