//! What is offered, from the components that are configured.

use std::sync::Arc;

use anyhow::Context as _;

use crate::catalogue::{Catalogue, Offer};
use crate::cli;
use crate::config::{Component, Config};
use crate::registry::Registered;
use crate::runtime::{self, Contradiction, Grant, Runtime};
use crate::tool::Tool;

/// Registers the components, and offers all of their tools.
pub(super) async fn load(runtime: &Runtime, config: &Config) -> anyhow::Result<Catalogue> {
    config
        .check_files()
        .map_err(|error| cli::bad(error.into()))?;
    let mut registered = Vec::new();
    for component in &config.components {
        registered.push(register(runtime, component).await?);
    }
    let manifests: Vec<_> = registered.iter().map(|it| it.manifest.clone()).collect();
    config
        .check_tools(&manifests)
        .map_err(|error| cli::bad(error.into()))?;
    let offers = config.components.iter().zip(&registered);
    let offers = offers.flat_map(|(component, registered)| {
        let tools = registered.manifest.tools.iter();
        tools.map(|tool| offer(component, registered, tool))
    });
    let offers: Result<Vec<_>, _> = offers.collect();
    let offers = offers.map_err(|error| cli::bad(error.into()))?;
    Catalogue::new(offers).map_err(|error| cli::bad(error.into()))
}

async fn register(runtime: &Runtime, component: &Component) -> anyhow::Result<Arc<Registered>> {
    let bytes = component.read().map_err(|error| cli::bad(error.into()))?;
    let registered = runtime.add(bytes).await;
    registered.with_context(|| format!("`{}` can't be served", component.path.display()))
}

fn offer(
    component: &Component,
    registered: &Registered,
    tool: &Arc<Tool>,
) -> Result<Offer, Contradiction> {
    let name = tool.definition.name.as_str();
    let said = component.tools.get(name);
    let policy = runtime::policy(registered, tool, said.and_then(|said| said.policy))?;
    Ok(Offer {
        name: component.name_of(name).into(),
        component: registered.manifest.component,
        limits: component.limits_of(name).clone(),
        grants: component.dirs.iter().cloned().map(Grant::from).collect(),
        policy,
        expected_duration: said.and_then(|said| said.expected_duration),
        sla: said.and_then(|said| said.sla),
        tool: tool.clone(),
    })
}
