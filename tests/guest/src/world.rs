//! The world of the model's guests: a granted folder. An effect appends a line
//! `what<TAB>key` to its `world.log`.

use std::path::PathBuf;

use serde_json::Value;

use crate::{Result, failed, file};

/// A granted folder, and what is to happen in it.
pub(crate) struct World {
    folder: PathBuf,
    flakes: Vec<u64>,
    choices: Vec<u64>,
}

/// What kind of service an effect calls.
#[derive(Clone, Copy)]
pub(crate) enum Service {
    /// It takes a key once.
    Dedup,
    /// It does what it is asked, as often as it is asked.
    Plain,
}

impl World {
    /// The world that the arguments tell of, in `folder` if there is one.
    pub(crate) fn of(arguments: &Value, folder: Option<PathBuf>) -> Self {
        let dir = arguments.get("dir").and_then(Value::as_str);
        let folder = folder.unwrap_or_else(|| dir.unwrap_or("/world").into());
        let numbers = |name: &str| {
            let list = arguments.get(name).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .filter_map(Value::as_u64)
                .collect()
        };
        Self {
            folder,
            flakes: numbers("flakes"),
            choices: numbers("choices"),
        }
    }

    /// Performs an effect; `None` where it failed, or seemed to.
    pub(crate) fn effect(&self, what: &str, key: &str, service: Service) -> Result<Option<String>> {
        let outcome = self.turn("flakes", &self.flakes)?;
        if outcome == 1 {
            return Ok(None);
        }
        let is_known = match service {
            Service::Dedup => self.lines()?.iter().any(|(_, known)| known == key),
            Service::Plain => false,
        };
        if !is_known {
            let line = format!("{what}\t{key}");
            file::append(self.folder.join("world.log"), &line).map_err(failed)?;
        }
        Ok((outcome != 2).then(|| format!("out:{what}")))
    }

    /// What became of an effect: asked for by key, or where there are no keys, at all.
    pub(crate) fn query(&self, what: &str, key: &str, service: Service) -> Result<Option<String>> {
        let is_done = self.lines()?.iter().any(|(done, known)| match service {
            Service::Dedup => done == what && known == key,
            Service::Plain => done == what,
        });
        Ok(is_done.then(|| format!("out:{what}")))
    }

    /// The next of the test's choices, 0 where it made none.
    pub(crate) fn choose(&self) -> Result<u64> {
        self.turn("choices", &self.choices)
    }

    fn lines(&self) -> Result<Vec<(String, String)>> {
        let lines = file::lines(self.folder.join("world.log")).map_err(failed)?;
        let split = |line: &String| {
            line.split_once('\t')
                .map(|(what, key)| (what.to_owned(), key.to_owned()))
        };
        Ok(lines.iter().filter_map(split).collect())
    }

    /// The next of `outcomes`, counted over all attempts in a file of this name.
    fn turn(&self, name: &str, outcomes: &[u64]) -> Result<u64> {
        if outcomes.is_empty() {
            return Ok(0);
        }
        let counter = self.folder.join(name);
        let turn = file::lines(&counter).map_err(failed)?.len();
        let outcome = outcomes.get(turn).copied().unwrap_or_default();
        file::append(&counter, &outcome.to_string()).map_err(failed)?;
        Ok(outcome)
    }
}
