//! `[[components]]`: what is served.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::error::{Error, Place, read};
use super::source::Source;
use super::table::Table;
use super::{Dir, Policy, Runtime, limits, value};
use crate::id::Digest;
use crate::limit::{COMPONENT_BYTES_MAX, Limits, Unit};
use crate::tool::Definition;

/// The most characters of the name that a tool is served under, as MCP has it.
const TOOL_NAME_LEN_MAX: usize = 128;

/// The bounds of what an operator promises of a tool, in milliseconds.
const PROMISE: (u64, u64) = (1, 365 * 86_400_000);

/// A component whose tools are served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// Its file.
    pub path: PathBuf,
    /// What its bytes have to be.
    pub digest: Option<Digest>,
    /// The folders that its tasks are granted.
    pub dirs: Vec<Dir>,
    /// What a task of it may use, where its tool says nothing.
    pub limits: Limits,
    /// Those of its tools of which something is said.
    pub tools: BTreeMap<String, Tool>,
    /// Where it is said.
    pub place: Place,
}

/// How a tool is served. All of its tools are, also those of which nothing is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tool {
    /// Whether its calls are tasks; else what the tool says of itself.
    pub policy: Option<Policy>,
    /// In what time the operator promises an end.
    pub sla: Option<Duration>,
    /// How long it takes, as far as the operator knows.
    pub expected_duration: Option<Duration>,
    /// What a task of it may use.
    pub limits: Limits,
    /// The name that it is served under; else its own.
    pub name: Option<String>,
    /// Where it is said.
    pub place: Place,
}

impl Component {
    /// A component of which only the file is named.
    pub fn plain(path: PathBuf, limits: Limits) -> Self {
        let place = Place {
            file: path.clone(),
            line: 0,
            key: "components".into(),
        };
        Self {
            path,
            digest: None,
            dirs: Vec::new(),
            limits,
            tools: BTreeMap::new(),
            place,
        }
    }

    /// What a task of `tool` may use.
    pub fn limits_of(&self, tool: &str) -> &Limits {
        self.tools
            .get(tool)
            .map_or(&self.limits, |tool| &tool.limits)
    }

    /// Whether calls of `tool` are tasks.
    pub fn policy_of(&self, tool: &Definition) -> Policy {
        let said = self.tools.get(&tool.name).and_then(|it| it.policy);
        said.unwrap_or(Policy::usual(tool.task_support))
    }

    /// The name that `tool` is served under.
    pub fn name_of<'a>(&'a self, tool: &'a str) -> &'a str {
        let name = self.tools.get(tool).and_then(|it| it.name.as_deref());
        name.unwrap_or(tool)
    }

    /// The component's bytes, if they are those that it is pinned to.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        let bytes = read(&self.path, COMPONENT_BYTES_MAX).map_err(|what| {
            let path = self.path.display();
            self.wrong(
                "path",
                format!("the component `{path}` can't be read: {what}"),
            )
        })?;
        let found = Digest::of(&bytes);
        match self.digest.filter(|pinned| *pinned != found) {
            Some(_) => Err(self.wrong(
                "digest",
                format!(
                    "`{}` is another component: its digest is sha256:{found}",
                    self.path.display()
                ),
            )),
            None => Ok(bytes),
        }
    }

    /// Refuses a folder that is not there.
    pub(super) fn check_dirs(&self) -> Result<(), Error> {
        for dir in &self.dirs {
            let why = match std::fs::metadata(&dir.host) {
                Ok(found) if found.is_dir() => continue,
                Ok(_) => "it is not a folder".into(),
                Err(error) => error.to_string(),
            };
            let message = format!("the folder `{}` can't be granted: {why}", dir.host);
            return Err(self.wrong("dirs", message));
        }
        Ok(())
    }

    /// An error of this component.
    pub fn wrong(&self, key: &str, message: String) -> Error {
        let mut place = self.place.clone();
        place.key = format!("{}.{key}", place.key);
        Error::at(place, message)
    }
}

impl Tool {
    /// An error of this tool.
    pub fn wrong(&self, message: String) -> Error {
        Error::at(self.place.clone(), message)
    }
}

pub(super) fn section(root: &mut Table<'_>, usual: &Limits, runtime: &Runtime) -> Vec<Component> {
    let source = root.source();
    let components = root.tables("components", |table| component(table, usual, runtime));
    let components: Vec<_> = components.into_iter().flatten().collect();
    refuse_twice(source, &components);
    components
}

fn component(table: &mut Table<'_>, usual: &Limits, runtime: &Runtime) -> Option<Component> {
    let place = table.place("");
    let folder = table.source().folder();
    let path = table.require("path", |value| value::path(value, folder));
    let digest = table.read("digest", value::digest);
    let dirs = table.list("dirs", |value| {
        let dir = value::text(value)?.parse::<Dir>();
        dir.map_err(|error| error.to_string())?.within(folder)
    });
    let mut guests = HashSet::new();
    let mut paths = dirs.iter().map(|dir| dir.guest.trim_end_matches('/'));
    if let Some(guest) = paths.find(|guest| !guests.insert(*guest)) {
        let message = format!("two folders are granted as `{guest}`: give each a path of its own");
        table.source().wrong(table.place("dirs"), message);
    }
    let limits = table.table("limits", |table| limits::overrides(table, usual, runtime));
    let tools = table.named("tools", |name, table| {
        (name.to_owned(), tool(table, &limits, runtime))
    });
    Some(Component {
        path: path?,
        digest,
        dirs,
        limits,
        tools: tools.into_iter().collect(),
        place,
    })
}

fn tool(table: &mut Table<'_>, usual: &Limits, runtime: &Runtime) -> Tool {
    Tool {
        policy: table.read("policy", |value| value::word(value, &Policy::ALL)),
        sla: promise(table, "sla"),
        expected_duration: promise(table, "expected_duration"),
        limits: table.table("limits", |table| limits::overrides(table, usual, runtime)),
        name: table.read("name", tool_name),
        place: table.place(""),
    }
}

fn promise(table: &mut Table<'_>, key: &'static str) -> Option<Duration> {
    let millis = table.amount(key, Unit::Millis, PROMISE);
    millis.map(Duration::from_millis)
}

fn tool_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = value::text(value)?;
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
    if (1..=TOOL_NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(name.to_owned());
    }
    let rule = format!("1 to {TOOL_NAME_LEN_MAX} characters of A-Z, a-z, 0-9, _, - and .");
    Err(value::not(&rule, value))
}

/// Refuses two tools that are given one name. Whether a given name is another tool's own is seen
/// when the components are.
fn refuse_twice(source: &Source<'_>, components: &[Component]) {
    let mut seen = HashMap::new();
    let tools = components
        .iter()
        .flat_map(|component| component.tools.values());
    for tool in tools {
        let Some(name) = &tool.name else { continue };
        if let Some(line) = seen.insert(name, tool.place.line) {
            let mut place = tool.place.clone();
            place.key.push_str(".name");
            source.wrong(
                place,
                format!("the tool of line {line} is served as `{name}`, too"),
            );
        }
    }
}
