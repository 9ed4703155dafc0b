//! What is wrong with a configuration is told with its line, its key and what is allowed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Duration;

use stepwell::config::{Config, Policy};
use stepwell::id::{Digest, TenantId};
use stepwell::tool::TaskSupport;

fn parse(text: &str) -> Result<Config, String> {
    let config = Config::parse(text, Path::new("a/stepwell.toml"));
    config.map_err(|error| error.to_string())
}

/// Everything that is wrong with `text`, which is what is expected.
fn check(text: &str, expect: &[&str]) {
    let expect: Vec<_> = expect
        .iter()
        .map(|line| format!("a/stepwell.toml:{line}"))
        .collect();
    assert_eq!(parse(text).unwrap_err(), expect.join("\n"), "{text}");
}

const KEY: &str = r#"
[[keys]]
id = "ci"
digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
tenant = "acme"
subject = "ann"
"#;

#[test]
fn what_is_no_toml() {
    check(
        "listen = ",
        &["1: string values must be quoted, expected literal string"],
    );
    check("a = 1\n[http\n", &["2: unclosed table, expected `]`"]);
    check("\ndata_dir = 'x'\ndata_dir = 'y'\n", &["3: duplicate key"]);
}

#[test]
fn unknown_keys() {
    let takes = "The table takes running_max, queued_max, memory_max, guest_threads, grace_max";
    check(
        "[runtime]\nrunning_max = 5\nruning_max = 5\n",
        &[&format!(
            "3: runtime.runing_max: there is no such key; did you mean `running_max`? {takes}"
        )],
    );
    check(
        "[runtime]\n\"q\\nq\" = 5\n",
        &[&format!(
            "2: runtime.\"q\\nq\": there is no such key. {takes}"
        )],
    );
    let error = parse("\n\n[limit]\n").unwrap_err();
    assert!(
        error.starts_with("a/stepwell.toml:3: limit: there is no such key; did you mean `limits`? The file takes listen, "),
        "{error}"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    check(
        "listen = 'here'\n[http]\nbody_max = 5\nheader_timeout = 75\n[mcp]\ntask_tools = 'yes'\n",
        &[
            "1: listen: it must be an IP address and a port, like \"127.0.0.1:7357\", not \"here\"",
            "3: http.body_max: it must be between 1 KiB and 64 MiB, not 5 B",
            "4: http.header_timeout: it must be a duration like \"1h30m\", not 75",
            "6: mcp.task_tools: it must be true or false, not \"yes\"",
        ],
    );
}

#[test]
fn amounts() {
    check(
        "[limits]\nfuel = 'much'\nmemory = true\nsteps = -1\nhandles = 1.5\nlog = '64 MB'\n",
        &[
            "2: limits.fuel: `much` is not a number: write a whole number, or one with k, M, G or T, like 5G",
            "3: limits.memory: it must be a size like \"64MiB\", not true",
            "4: limits.steps: it must be between 1 and 1,000,000, not -1",
            "5: limits.handles: it must be a whole number, or one like \"5G\", not 1.5",
            "6: limits.log: `64 MB` is not a size: write a whole number and B, KiB, MiB or GiB, like 64MiB",
        ],
    );
    check(
        "[runtime]\nmemory_max = 'all'\nguest_threads = 0\n",
        &[
            "2: runtime.memory_max: `all` is not a size: write a whole number and B, KiB, MiB or GiB, like 64MiB; or \"auto\"",
            "3: runtime.guest_threads: it must be between 1 and 1,024, not 0; or \"auto\"",
        ],
    );
    let config = parse("[limits]\nfuel = 0x186a0\nmemory = 67108864\ndeadline = '30d'\n").unwrap();
    let day = 86_400_000;
    assert_eq!(
        (config.limits.fuel, config.limits.memory),
        (100_000, 64 << 20)
    );
    assert_eq!(
        config.limits.ttl,
        30 * day + day / 24,
        "it is lengthened for the deadline"
    );
}

#[test]
fn limits_that_can_not_be_enforced() {
    check(
        "[limits]\nfuel = 1\n",
        &["2: limits.fuel: it must be between 100,000 and 1,000,000,000,000,000, not 1"],
    );
    check(
        "[limits]\njournal = '64KiB'\n",
        &["2: limits.journal: it must be at least step_output, 1 MiB, not 64 KiB"],
    );
    check(
        "[limits]\nttl = '1d'\ndeadline = '1d'\n",
        &["3: limits.deadline: it must be at most ttl less one hour, 23h, not 1d"],
    );
    // What holds for all is told once, and what a tool adds to it where it is added.
    check(
        "[runtime]\nmemory_max = '32MiB'\n[limits]\nmemory = '64MiB'\n[[components]]\npath = 'x'\n[components.tools.one.limits]\nmemory = '1GiB'\n",
        &[
            "4: limits.memory: it must be at most runtime.memory_max, 32 MiB, not 64 MiB",
            "8: components[0].tools.one.limits.memory: it must be at most runtime.memory_max, 32 MiB, not 1 GiB",
        ],
    );
}

#[test]
fn settings_that_contradict_each_other() {
    check(
        "[mcp]\ninline_window = '1m'\npoll_interval_min = '1m'\n",
        &[
            "1: mcp.patience: it must be at least inline_window, 1m, not 50s",
            "1: mcp.poll_interval_max: it must be at least poll_interval_min, 1m, not 30s",
        ],
    );
    check(
        "[[components]]\npath = 'x'\ndirs = ['a:/in', 'b:/in/:rw']\n",
        &["3: components[0].dirs: two folders are granted as `/in`: give each a path of its own"],
    );
    check(
        "[[components]]\npath = 'x'\n[components.tools.a]\nname = 'one'\n[components.tools.b]\nname = 'one'\n",
        &["5: components[0].tools.b.name: the tool of line 3 is served as `one`, too"],
    );
}

#[test]
fn without_keys_nobody_else_can_come() {
    let open = "listen = '0.0.0.0:80'\n";
    check(
        open,
        &[
            "1: listen: 0.0.0.0:80 can be reached from other machines, and there are no keys: write a \
           loopback address like 127.0.0.1:7357, or add keys with `stepwell keys new`",
        ],
    );
    assert!(parse(&format!("{open}{KEY}")).is_ok());
    let broken = format!("{open}{KEY}role = 1\n");
    assert!(!parse(&broken).unwrap_err().contains("there are no keys"));
    assert!(parse(&format!("keys = []\n{open}")).is_err());
    for loopback in ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80"] {
        assert!(
            parse(&format!("listen = '{loopback}'")).is_ok(),
            "{loopback}"
        );
    }
}

#[test]
fn keys() {
    check(
        "[[keys]]\nid = 'C_I'\ndigest = '9f86'\nrole = 'root'\nexpires = '2027-01-31'\n",
        &[
            "1: keys[0].tenant: it is missing",
            "1: keys[0].subject: it is missing",
            "2: keys[0].id: it must be 1 to 32 characters of a-z, 0-9 and -, not \"C_I\"",
            "3: keys[0].digest: it must be `sha256:` and 64 hexadecimal digits",
            "4: keys[0].role: it must be \"caller\" or \"reader\" or \"administrator\", not \"root\"",
            "5: keys[0].expires: not a time: write it as RFC 3339 has it, like 2027-01-31T00:00:00Z",
        ],
    );
    check(
        &format!("{KEY}{KEY}"),
        &["9: keys[1].id: the key of line 3 is called `ci`, too"],
    );
    check(
        "[keys]\nid = 'ci'\n",
        &["1: keys: each is a table of its own: write [[keys]]"],
    );
    let config = parse(&format!("{KEY}expires = 2027-01-31T01:00:00+01:00\n")).unwrap();
    let expires = config.keys[0].expires.unwrap().to_string();
    assert_eq!(expires, "2027-01-31T00:00:00.000Z");
}

#[test]
fn hosts_and_origins() {
    check(
        "[http]\nallowed_hosts = ['*']\nallowed_origins = 'https://a'\n",
        &[
            "2: http.allowed_hosts: it must be a host, with or without a port, like \"stepwell.example:8080\", not \"*\"",
            "3: http.allowed_origins: it must be an array like [\"..\"], not \"https://a\"",
        ],
    );
    for bad in ["https://a/", "a.example", "null", "https://*.example"] {
        assert!(
            parse(&format!("[http]\nallowed_origins = ['{bad}']")).is_err(),
            "{bad}"
        );
    }
    let config = parse("[http]\nallowed_hosts = ['A.example:80']\nallowed_origins = ['https://A']");
    let http = config.unwrap().http;
    assert_eq!(
        (http.allowed_hosts, http.allowed_origins),
        (vec!["a.example:80".into()], vec!["https://a".into()])
    );
}

#[test]
fn tenants_have_the_defaults_for_the_rest() {
    let text = "[tenant_defaults]\nweight = 3\nstored_max = '1GiB'\n[tenants.acme]\nrunning_max = 1\n[tenants.beta]\nstored_max = 'none'\n";
    let tenants = parse(text).unwrap().tenants;
    let of = |name: &str| {
        tenants
            .of(&TenantId::try_from(name.to_owned()).unwrap())
            .clone()
    };
    assert_eq!((of("acme").weight, of("acme").running_max), (3, 1));
    assert_eq!(of("acme").stored_max, Some(1 << 30));
    assert_eq!(of("beta").stored_max, None);
    assert_eq!(of("gamma"), tenants.usual);
    check(
        "[tenants]\nAcme = {}\nbeta = 5\n",
        &[
            "2: tenants.Acme: not a tenant: it is 1 to 64 characters of a-z, 0-9, - and _",
            "3: tenants.beta: it must be a table, not 5",
        ],
    );
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = "data_dir = 'data'\n[[components]]\npath = '../x.wasm'\ndirs = ['in:/in', '/out:/out:rw']\n";
    let config = parse(text).unwrap();
    assert_eq!(config.data_dir.as_deref(), Some(Path::new("a/data")));
    let component = &config.components[0];
    assert_eq!(component.path, Path::new("a/../x.wasm"));
    let dirs: Vec<_> = component.dirs.iter().map(ToString::to_string).collect();
    assert_eq!(dirs, ["a/in:/in:ro", "/out:/out:rw"]);
}

#[test]
fn tools() {
    let text = "[[components]]\npath = 'x'\n[components.tools.\"a.b\"]\npolicy = 'maybe'\nsla = '0s'\nname = 'a b'\n";
    check(
        text,
        &[
            "4: components[0].tools.\"a.b\".policy: it must be \"never\" or \"auto\" or \"always\" or \"required\", not \"maybe\"",
            "5: components[0].tools.\"a.b\".sla: it must be between 1ms and 365d, not 0ms",
            "6: components[0].tools.\"a.b\".name: it must be 1 to 128 characters of A-Z, a-z, 0-9, _, - and ., not \"a b\"",
        ],
    );
    let text = "[limits]\nfuel = '1G'\n[[components]]\npath = 'x'\n[components.limits]\nmemory = '8MiB'\n[components.tools.one]\nsla = '1m'\n[components.tools.one.limits]\nsteps = 5\n";
    let config = parse(text).unwrap();
    let component = &config.components[0];
    let limits = component.limits_of("one");
    assert_eq!(
        (limits.fuel, limits.memory, limits.steps),
        (1_000_000_000, 8 << 20, 5)
    );
    assert_eq!(component.tools["one"].sla, Some(Duration::from_secs(60)));
    for (_, policy) in Policy::ALL {
        assert_eq!(policy.fits(TaskSupport::Forbidden), policy == Policy::Never);
        assert_eq!(policy.fits(TaskSupport::Required), policy != Policy::Never);
        assert!(policy.fits(TaskSupport::Optional));
    }
}

#[test]
fn files_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stepwell.toml");
    let message = Config::load(&file).unwrap_err().to_string();
    let expect = format!(
        "{}: the configuration can't be read: No such file",
        file.display()
    );
    assert!(message.starts_with(&expect), "{message}");

    std::fs::write(folder.path().join("x.wasm"), b"bytes").unwrap();
    let load = |more: &str| {
        std::fs::write(&file, format!("[[components]]\npath = 'x.wasm'\n{more}\n")).unwrap();
        Config::load(&file).unwrap().components.remove(0)
    };
    let digest = Digest::of(b"bytes");
    assert_eq!(load("").read().unwrap(), b"bytes");
    assert_eq!(
        load(&format!("digest = 'sha256:{digest}'")).read().unwrap(),
        b"bytes"
    );
    let other = Digest::of(b"other");
    let message = load(&format!("digest = 'sha256:{other}'"))
        .read()
        .unwrap_err()
        .to_string();
    let found = format!("is another component: its digest is sha256:{digest}");
    assert!(
        message.contains("stepwell.toml:1: components[0].digest: `"),
        "{message}"
    );
    assert!(message.ends_with(&found), "{message}");
    let pin = format!("digest = 'sha256:{other}'\ndirs = ['no:/no']\n");
    std::fs::write(
        &file,
        format!("[[components]]\npath = 'x.wasm'\n{pin}[[components]]\npath = 'y'\n"),
    )
    .unwrap();
    let error = Config::load(&file).unwrap().check_files().unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(|it| (it.place.line, it.place.key.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            (1, "components[0].digest"),
            (1, "components[0].dirs"),
            (5, "components[1].path")
        ]
    );
}
