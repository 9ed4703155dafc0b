//! `stepwell check-config`: what a configuration means.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::error::{self, Trouble};
use super::{Context, Exit, Screen};
use crate::config::{self, Component, Config};
use crate::tool::Manifest;

mod json;
mod words;

/// Where the configuration is looked for.
const FILE: &str = "stepwell.toml";

/// Says what a configuration means: where is listened, who may ask, and what is served with which
/// limits. The components that it names are compiled and asked for their tools; nothing is kept.
/// Where something is wrong all of it is told, and the exit code is 2.
#[derive(clap::Args, Debug)]
pub struct CheckConfig {
    /// The file
    #[arg(default_value = FILE)]
    file: PathBuf,
}

impl CheckConfig {
    pub(super) async fn run(self, mut context: Context) -> anyhow::Result<Exit> {
        let config = load(&context.screen, &self.file)?;
        let manifests = tokio::select! {
            manifests = manifests(&context.screen, &config) => manifests?,
            _ = context.signals.next() => return Err(Trouble::Interrupted.into()),
        };
        let screen = &context.screen;
        if screen.json {
            screen.value(&json::of(&config, &manifests))?;
        } else {
            screen.data(&words::of(&config, &manifests))?;
        }
        Ok(Exit::Done)
    }
}

/// The configuration in `file`; where it is wrong, all that is wrong with it is told.
fn load(screen: &Screen, file: &Path) -> anyhow::Result<Config> {
    Config::load(file).map_err(|error| refused(screen, &error))
}

/// The components' tools, in the order of the components.
async fn manifests(screen: &Screen, config: &Config) -> anyhow::Result<Vec<Manifest>> {
    let found = config.check_files();
    found.map_err(|error| refused(screen, &error))?;
    let mut manifests = Vec::new();
    for component in &config.components {
        manifests.push(manifest(screen, component).await?);
    }
    let checked = config.check_tools(&manifests);
    checked.map_err(|error| refused(screen, &error))?;
    Ok(manifests)
}

async fn manifest(screen: &Screen, component: &Component) -> anyhow::Result<Manifest> {
    let bytes = component.read();
    let bytes = bytes.map_err(|error| refused(screen, &error))?;
    let manifest = crate::runtime::inspect(bytes).await;
    manifest.with_context(|| format!("{}.path", component.place))
}

/// A line for each thing that is wrong; the only one is the error itself.
fn refused(screen: &Screen, error: &config::Error) -> anyhow::Error {
    let hint = "docs/stepwell.toml shows every key, with its default";
    let lines: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    if lines.len() == 1 || screen.json {
        return error::input(lines.join("; "), hint);
    }
    for line in &lines {
        screen.warn(line);
    }
    error::input(
        format!("{} things are wrong in the configuration", lines.len()),
        hint,
    )
}
