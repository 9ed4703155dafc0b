//! A configuration in words.

use std::time::Duration;

use crate::cli::text::columns;
use crate::clock::millis;
use crate::config::{Component, Config, Key, Tenant};
use crate::limit::{self, Limits, Name, Size, Unit, format_count, format_duration};
use crate::tool::Manifest;

/// The limits that are shown of every tool.
const SHOWN: [Name; 3] = [Name::Fuel, Name::Memory, Name::Deadline];

/// What is configured, for a person.
pub(super) fn of(config: &Config, manifests: &[Manifest]) -> String {
    let mut rows = vec![("listen", listen(config))];
    rows.push((
        "tasks in",
        match &config.data_dir {
            Some(dir) => dir.display().to_string(),
            None => "the usual data directory, or that of --data-dir".into(),
        },
    ));
    rows.extend(asked(config));
    let runtime = &config.runtime;
    rows.push((
        "guests",
        format!(
            "{} at once, {} waiting; memory {}, threads {}",
            format_count(runtime.running_max as u64),
            format_count(runtime.queued_max as u64),
            runtime
                .memory_max
                .map_or("auto".into(), |size| Size(size).to_string()),
            runtime
                .guest_threads
                .map_or("auto".into(), |threads| threads.to_string()),
        ),
    ));
    rows.push(("limits", limits(&config.limits, &Limits::default())));
    rows.push(("tenants", tenant(&config.tenants.usual)));
    for (name, share) in &config.tenants.special {
        rows.push(("tenant", format!("{name}: {}", tenant(share))));
    }
    rows.extend(config.keys.iter().map(|it| ("key", key(it))));
    let mut parts = vec![columns(rows)];
    for (component, manifest) in config.components.iter().zip(manifests) {
        parts.push(columns(served(config, component, manifest)));
    }
    if config.components.is_empty() {
        parts.push("No components: nothing is served.".into());
    }
    parts.join("\n\n")
}

fn listen(config: &Config) -> String {
    let who = match (config.listen.ip().is_loopback(), config.keys.is_empty()) {
        (_, true) => "this machine only, without keys",
        (true, false) => "this machine only, with keys",
        (false, false) => "other machines too, with keys",
    };
    format!("{}: {who}", config.listen)
}

/// How requests are taken and answered.
fn asked(config: &Config) -> Vec<(&'static str, String)> {
    let besides = |names: &[String]| match names {
        [] => "the loopback's".to_owned(),
        names => format!("the loopback's, {}", names.join(", ")),
    };
    let (http, mcp) = (&config.http, &config.mcp);
    let answers = format!(
        "at once within {}, else as tasks; within {} where a client can't take tasks",
        time(mcp.inline_window),
        time(mcp.patience)
    );
    vec![
        ("hosts", besides(&http.allowed_hosts)),
        ("origins", besides(&http.allowed_origins)),
        ("answers", answers),
    ]
}

fn time(duration: Duration) -> String {
    format_duration(millis(duration))
}

fn tenant(tenant: &Tenant) -> String {
    let cap = |unit: Unit, cap: Option<u64>| cap.map_or("no cap".into(), |cap| unit.format(cap));
    format!(
        "weight {}, {} guests, {} waiting, memory {}, fuel a day {}, stored {}",
        tenant.weight,
        format_count(tenant.running_max as u64),
        format_count(tenant.queued_max as u64),
        Size(tenant.memory_max),
        cap(Unit::Fuel, tenant.fuel_per_day),
        cap(Unit::Bytes, tenant.stored_max),
    )
}

fn key(key: &Key) -> String {
    let until = key.expires.map(|time| format!(", until {time}"));
    let revoked = if key.revoked { ", revoked" } else { "" };
    format!(
        "{}: {} in {}, {}{}{revoked}",
        key.id,
        key.subject,
        key.tenant,
        key.role,
        until.unwrap_or_default()
    )
}

/// Those limits that differ, and those that are always shown.
fn limits(limits: &Limits, usual: &Limits) -> String {
    let shown = limit::ALL.iter().filter(|limit| {
        SHOWN.contains(&limit.name) || limits.get(limit.name) != usual.get(limit.name)
    });
    let shown = shown.map(|limit| {
        let amount = limit.unit.format(limits.get(limit.name));
        format!("{} {amount}", limit.name)
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn served(
    config: &Config,
    component: &Component,
    manifest: &Manifest,
) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("component", component.path.display().to_string()),
        (
            "digest",
            format!(
                "sha256:{}{}",
                manifest.component,
                match component.digest {
                    Some(_) => ", as pinned",
                    None => ", not pinned",
                }
            ),
        ),
    ];
    rows.extend(component.dirs.iter().map(|dir| ("folder", dir.to_string())));
    rows.extend(manifest.tools.iter().map(|tool| {
        let own = &tool.definition.name;
        let name = match component.name_of(own) {
            name if name == own => String::new(),
            name => format!(" as {name}"),
        };
        let limits = limits(component.limits_of(own), &config.limits);
        let policy = component.policy_of(&tool.definition);
        ("tool", format!("{own}{name}: {policy}; {limits}"))
    }));
    rows
}
