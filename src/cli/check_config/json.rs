//! A configuration as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::millis;
use crate::config::{Component, Config, Key, Tenant};
use crate::tool::{Definition, Manifest};

/// What is configured, for a program: durations in milliseconds, sizes in bytes.
pub(super) fn of(config: &Config, manifests: &[Manifest]) -> Value {
    let (http, mcp, runtime) = (&config.http, &config.mcp, &config.runtime);
    let tenants = config.tenants.special.iter();
    let components = config.components.iter().zip(manifests);
    json!({
        "listen": config.listen.to_string(),
        "data_dir": config.data_dir,
        "http": {
            "allowed_hosts": http.allowed_hosts,
            "allowed_origins": http.allowed_origins,
            "body_max": http.body_max,
            "connections_max": http.connections_max,
            "header_timeout": millis(http.header_timeout),
            "stream_keep_alive": millis(http.stream_keep_alive),
        },
        "mcp": {
            "inline_window": millis(mcp.inline_window),
            "patience": millis(mcp.patience),
            "task_tools": mcp.task_tools,
            "poll_interval_min": millis(mcp.poll_interval_min),
            "poll_interval_max": millis(mcp.poll_interval_max),
            "ttl_max": millis(mcp.ttl_max),
            "subscriptions_max": mcp.subscriptions_max,
            "principal_subscriptions_max": mcp.principal_subscriptions_max,
        },
        "runtime": {
            "running_max": runtime.running_max,
            "queued_max": runtime.queued_max,
            "memory_max": runtime.memory_max,
            "guest_threads": runtime.guest_threads,
            "grace_max": millis(runtime.grace_max),
        },
        "limits": config.limits,
        "tenant_defaults": share(&config.tenants.usual),
        "tenants": tenants.map(|(name, it)| (name.to_string(), share(it))).collect::<Map<_, _>>(),
        "keys": config.keys.iter().map(known).collect::<Vec<_>>(),
        "components": components.map(|(it, manifest)| component(it, manifest)).collect::<Vec<_>>(),
    })
}

fn share(tenant: &Tenant) -> Value {
    json!({
        "weight": tenant.weight,
        "running_max": tenant.running_max,
        "queued_max": tenant.queued_max,
        "memory_max": tenant.memory_max,
        "fuel_per_day": tenant.fuel_per_day,
        "stored_max": tenant.stored_max,
    })
}

fn known(key: &Key) -> Value {
    json!({
        "id": key.id,
        "tenant": key.tenant,
        "subject": key.subject,
        "role": key.role.to_string(),
        "revoked": key.revoked,
        "expires": key.expires.map(|time| time.to_string()),
    })
}

fn component(component: &Component, manifest: &Manifest) -> Value {
    let tool = |tool: &Definition| {
        let said = component.tools.get(&tool.name);
        let promise = |promise: Option<Duration>| promise.map(millis);
        json!({
            "tool": tool.name,
            "name": component.name_of(&tool.name),
            "policy": component.policy_of(tool).to_string(),
            "sla": promise(said.and_then(|said| said.sla)),
            "expected_duration": promise(said.and_then(|said| said.expected_duration)),
            "limits": component.limits_of(&tool.name),
        })
    };
    let tools = manifest.tools.iter().map(|it| tool(&it.definition));
    json!({
        "path": component.path,
        "digest": format!("sha256:{}", manifest.component),
        "pinned": component.digest.is_some(),
        "dirs": component.dirs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
    })
}
