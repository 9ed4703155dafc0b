//! What is configured, held against what the components say of themselves.

use std::collections::HashMap;

use super::error::{Error, Problem};
use super::{Component, Config, Policy};
use crate::tool::Manifest;

impl Config {
    /// Refuses components that can't be read or are not those they are pinned to, and folders that
    /// are not there. A component's file may still change before it is read again, which therefore
    /// looks at the pin, too.
    pub fn check_files(&self) -> Result<(), Error> {
        let wrong = self.components.iter().flat_map(|component| {
            let read = component.read().err();
            read.into_iter().chain(component.check_dirs().err())
        });
        refuse(wrong.flat_map(Error::into_problems).collect())
    }

    /// Refuses what is said of tools that are not there or can't be served so, and two tools of one
    /// name. The manifests are those of the components, in their order.
    pub fn check_tools(&self, manifests: &[Manifest]) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut names = HashMap::new();
        for (component, manifest) in self.components.iter().zip(manifests) {
            problems.extend(strange(component, manifest));
            for tool in &manifest.tools {
                let own = tool.definition.name.as_str();
                let name = component.name_of(own);
                if let Some(other) = names.insert(name, component) {
                    let other = other.path.display();
                    let message = format!(
                        "the tool `{own}` would be served as `{name}`, as one of `{other}` is: \
                         give one of them a name of its own with [components.tools.{own}] name"
                    );
                    problems.extend(component.wrong("tools", message).into_problems());
                }
            }
        }
        refuse(problems)
    }
}

fn refuse(problems: Vec<Problem>) -> Result<(), Error> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::new(problems)),
    }
}

/// What is said of a component's tools that does not fit them.
fn strange(component: &Component, manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, tool) in &component.tools {
        let Some(found) = manifest.tool(name) else {
            let names = manifest
                .tools
                .iter()
                .map(|tool| tool.definition.name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("the component has no tool `{name}`; it has {names}");
            problems.extend(tool.wrong(message).into_problems());
            continue;
        };
        let support = found.definition.task_support;
        if let Some(policy) = tool.policy.filter(|policy| !policy.fits(support)) {
            let fit = Policy::ALL
                .iter()
                .filter(|(_, policy)| policy.fits(support));
            let fit = fit.map(|(word, _)| format!("\"{word}\""));
            let fit = fit.collect::<Vec<_>>().join(" or ");
            let message = format!(
                "the policy can't be \"{policy}\": the tool says that tasks are {support} for it. \
                 It can be {fit}"
            );
            problems.extend(tool.wrong(message).into_problems());
        }
    }
    problems
}
