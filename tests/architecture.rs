//! Holds the house to its floors: a module imports only from floors below it, and its own floor's
//! neighbours only through their front doors.
//!
//! Every path of every file is read, in `use` trees, in line, in attributes and in the bodies of
//! macros. A path that is built by a macro out of pieces is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit as _;

#[path = "architecture/planted.rs"]
mod planted;
#[path = "architecture/reader.rs"]
mod reader;

use planted::{PLANTED, RIGHT};
use reader::{Reader, Segments};

/// The floors, from the top. Whoever adds a module says here where it lives.
const FLOORS: &[(u8, &[&str])] = &[
    (6, &["main", "lib", "app"]),
    (5, &["cli", "demo", "http", "stdio", "console", "mcp"]),
    (4, &["runtime", "access", "catalogue", "desk", "view"]),
    (3, &["sandbox", "registry"]),
    (2, &["store", "audit", "identity"]),
    (1, &["config", "telemetry"]),
    (
        0,
        &["id", "clock", "limit", "task", "tool", "policy", "text"],
    ),
];

/// Crates that only one module knows.
const OWNED: &[(&str, &str)] = &[
    ("wasmtime", "sandbox"),
    ("wasmtime_wasi", "sandbox"),
    ("fjall", "store"),
];

/// Ends of paths by which the time is read.
const CLOCK_READS: &[&[&str]] = &[
    &["std", "time", "Instant"],
    &["Instant", "now"],
    &["SystemTime"],
    &["UNIX_EPOCH"],
    &["jiff", "Timestamp", "now"],
    &["Zoned", "now"],
    &["clock_gettime"],
];

fn floor(module: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(_, modules)| modules.contains(&module));
    found.map(|(floor, _)| *floor)
}

/// One file, and the module that it is.
struct Source {
    file: String,
    text: String,
}

impl Source {
    /// Where the module is in the crate: nothing for `lib.rs`.
    fn module(&self) -> Segments {
        let path = self.file.trim_end_matches(".rs");
        let path = path.trim_end_matches("/mod");
        let parts = path.split('/').filter(|part| *part != "lib");
        parts.map(str::to_owned).collect()
    }
}

/// What is wrong with the house that these files are.
fn check(sources: &[Source]) -> Vec<String> {
    let (mut wrong, mut readers) = (Vec::new(), Vec::new());
    for source in sources {
        let mut reader = Reader::new(source.module());
        match syn::parse_file(&source.text) {
            Ok(file) => reader.visit_file(&file),
            Err(error) => wrong.push(format!("{}: {error}", source.file)),
        }
        readers.push((source, reader));
    }
    let modules: BTreeMap<_, _> = readers
        .iter()
        .flat_map(|(_, reader)| &reader.modules)
        .collect();
    let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
    for (source, reader) in &readers {
        let module = source.module();
        let from = module.first().map_or("lib", String::as_str);
        if floor(from).is_none() {
            wrong.push(format!("{}: `{from}` has no floor", source.file));
        }
        for mention in &reader.mentions {
            for path in reader.resolve(mention) {
                if let Err(why) = check_path(from, &path, &modules) {
                    let (file, line, path) = (&source.file, mention.line, path.join("::"));
                    wrong.push(format!("{file}:{line}: {path}: {why}"));
                } else if let ["crate", to, ..] = parts(&path)[..]
                    && floor(from) == floor(to)
                    && floor(from).is_some_and(|floor| (1..6).contains(&floor))
                    && from != to
                {
                    arrows.entry(from.into()).or_default().insert(to.into());
                }
            }
        }
    }
    wrong.extend(circle(&arrows));
    wrong.sort();
    wrong.dedup();
    wrong
}

fn parts(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn check_path(
    from: &str,
    path: &[String],
    modules: &BTreeMap<&Segments, &bool>,
) -> Result<(), String> {
    let parts = parts(path);
    let Some((first, rest)) = parts.split_first() else {
        return Ok(());
    };
    let owner = OWNED.iter().find(|(owned, _)| owned == first);
    if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != from) {
        return Err(format!("only `{owner}` knows this crate"));
    }
    let reads = |read: &&&[&str]| parts.windows(read.len()).any(|part| part == **read);
    if from != "clock" && *first != "crate" && CLOCK_READS.iter().any(|read| reads(&read)) {
        return Err("only `clock` reads the time".into());
    }
    let ("crate", Some((to, inner))) = (*first, rest.split_first()) else {
        return Ok(());
    };
    let (Some(below), Some(above)) = (floor(to), floor(from)) else {
        return Ok(());
    };
    if from == *to {
        return Ok(());
    }
    if below > above {
        return Err(format!("points up, from floor {above} to floor {below}"));
    }
    if (from, *to) == ("sandbox", "registry") || *to == "cli" && above < 6 {
        return Err(format!("`{from}` does not know `{to}`"));
    }
    let behind = inner.len() > 1
        && inner.first().is_some_and(|part| {
            let inner = vec![(*to).to_owned(), (*part).to_owned()];
            modules.get(&inner).is_some_and(|public| !**public)
        });
    if behind {
        return Err("reaches behind a front door".into());
    }
    Ok(())
}

/// A circle among modules of one floor.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    arrows.keys().find_map(|start| {
        let (mut open, mut seen) = (vec![start], BTreeSet::new());
        while let Some(module) = open.pop() {
            for next in arrows.get(module).into_iter().flatten() {
                if next == start {
                    return Some(format!("`{start}` and `{module}` need each other"));
                }
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        None
    })
}

fn read(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root).unwrap_or(&path);
            let file = file.to_string_lossy().replace('\\', "/");
            let text = std::fs::read_to_string(&path)?;
            sources.push(Source { file, text });
        }
    }
    Ok(())
}

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read(&root, &root, &mut sources).unwrap();
    assert!(sources.len() > 20, "only {} files", sources.len());
    let wrong = check(&sources);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn source((file, text): (&str, &str)) -> Source {
    Source {
        file: file.into(),
        text: text.into(),
    }
}

#[test]
fn a_planted_violation_is_found() {
    let door = "pub use inner::Thing; mod inner; pub(crate) mod half; pub mod open;";
    for (file, text, why) in PLANTED {
        let house = [("store.rs", door), ("runtime.rs", ""), (*file, *text)];
        let wrong = check(&house.map(source));
        let found = wrong.iter().any(|wrong| wrong.contains(why));
        assert!(found, "{file}: {text}: {wrong:?}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let right: Vec<_> = RIGHT.iter().copied().map(source).collect();
    assert_eq!(check(&right), Vec::<String>::new());
}

#[test]
fn modules_of_one_floor_stand_in_no_circle() {
    let circle = [
        ("http.rs", "use crate::mcp::A;"),
        ("mcp.rs", "use crate::console::B;"),
        ("console.rs", "use crate::http::C;"),
    ];
    let wrong = check(&circle.map(source));
    let found = wrong.iter().any(|wrong| wrong.contains("need each other"));
    assert!(found, "{wrong:?}");
}
