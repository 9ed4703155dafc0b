//! `stepwell check-config`: what a configuration means, and everything that is wrong with it.

use serde_json::json;

use crate::house::{House, Ran};

const GOOD: &str = r#"
data_dir = "/var/lib/stepwell"
[http]
allowed_hosts = ["stepwell.example"]
[limits]
fuel = "5G"
[tenants.acme]
weight = 2
stored_max = "1GiB"
[[keys]]
id = "ci"
digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
tenant = "acme"
subject = "ann"
expires = 2027-01-31T00:00:00Z
[[components]]
path = "notify.wasm"
dirs = ["world:/world:rw"]
[components.tools.notify]
name = "tell"
[components.tools.notify.limits]
steps = 5
"#;

fn checked(house: &House, text: &str) -> Ran {
    std::fs::write(house.path("stepwell.toml"), text).unwrap();
    house.ran(&["check-config"])
}

/// The configuration is refused with `lines`, the last of which is the error.
fn check(house: &House, text: &str, lines: &[&str]) {
    let ran = checked(house, text);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    let said: Vec<_> = ran
        .err
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(said, lines, "{ran:?}");
    assert!(ran.err.contains("hint: docs/stepwell.toml"), "{ran:?}");
}

#[test]
fn it_says_what_is_meant() {
    let house = House::new();
    let ran = checked(&house, GOOD);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let digest = ran.out.lines().find_map(|line| line.split_once("sha256:"));
    let digest = digest.unwrap().1.split(',').next().unwrap().to_owned();
    insta::assert_snapshot!("check_config", ran.out.replace(&digest, "[digest]"));
    assert!(!house.path("data").exists(), "looking keeps nothing");

    let json = house.json(&["check-config", "stepwell.toml"]);
    assert_eq!(json["limits"]["fuel"], 5_000_000_000_u64);
    assert_eq!(json["tenants"]["acme"]["weight"], 2);
    assert_eq!(json["mcp"]["inline_window"], 2_000);
    assert_eq!(json["keys"][0]["expires"], "2027-01-31T00:00:00.000Z");
    let component = &json["components"][0];
    assert_eq!(component["digest"], format!("sha256:{digest}"));
    let tool = &component["tools"][0];
    assert_eq!(
        (&tool["tool"], &tool["name"]),
        (&json!("notify"), &json!("tell"))
    );
    assert_eq!(
        (&tool["policy"], &tool["limits"]["steps"]),
        (&json!("never"), &json!(5))
    );
}

#[test]
fn an_empty_file_means_the_defaults() {
    let house = House::new();
    let ran = checked(&house, "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    insta::assert_snapshot!("check_config_empty", ran.out);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let house = House::new();
    check(
        &house,
        "[limits]\nfuel = 1\n",
        &[
            "error: stepwell.toml:2: limits.fuel: it must be between 100,000 and 1,000,000,000,000,000, not 1",
        ],
    );
    let two = "listen = 'x'\n[limits]\nsteps = 0\n";
    let lines = [
        "stepwell.toml:1: listen: it must be an IP address and a port, like \"127.0.0.1:7357\", not \"x\"",
        "stepwell.toml:3: limits.steps: it must be between 1 and 1,000,000, not 0",
    ];
    check(
        &house,
        two,
        &[
            lines[0],
            lines[1],
            "error: 2 things are wrong in the configuration",
        ],
    );
    let ran = house.ran(&["check-config", "--json"]);
    assert_eq!(
        (ran.code, ran.json()["error"]["message"].as_str()),
        (2, Some(&*lines.join("; ")))
    );
    let ran = house.ran(&["check-config", "none.toml"]);
    assert_eq!(ran.code, 2);
    let sentence = "error: none.toml: the configuration can't be read: No such file";
    assert!(ran.err.contains(sentence), "{ran:?}");
}

#[test]
fn what_does_not_fit_the_components_is_told_with_its_line() {
    let house = House::new();
    let component = |path: &str, more: &str| format!("[[components]]\npath = '{path}'\n{more}\n");
    let tool = |path: &str, tool: &str, more: &str| {
        component(path, &format!("[components.tools.{tool}]\n{more}"))
    };
    check(
        &house,
        &tool("notify.wasm", "notfy", ""),
        &[
            "error: stepwell.toml:3: components[0].tools.notfy: the component has no tool `notfy`; it has notify",
        ],
    );
    check(
        &house,
        &tool("notify.wasm", "notify", "policy = 'always'"),
        &[
            "error: stepwell.toml:3: components[0].tools.notify: the policy can't be \"always\": the tool says \
         that tasks are forbidden for it. It can be \"never\"",
        ],
    );
    check(
        &house,
        &tool("support.wasm", "support_session", "policy = 'never'"),
        &[
            "error: stepwell.toml:3: components[0].tools.support_session: the policy can't be \"never\": the tool \
         says that tasks are required for it. It can be \"auto\" or \"always\" or \"required\"",
        ],
    );
    let twice = [
        component("notify.wasm", ""),
        tool("support.wasm", "support_session", "name = 'notify'"),
    ];
    check(
        &house,
        &twice.concat(),
        &[
            "error: stepwell.toml:4: components[1].tools: the tool `support_session` would be served as `notify`, \
         as one of `notify.wasm` is: give one of them a name of its own with \
         [components.tools.support_session] name",
        ],
    );
    check(
        &house,
        &component("notify.wasm", "dirs = ['none:/none']"),
        &[
            "error: stepwell.toml:1: components[0].dirs: the folder `none` can't be granted: No such file or \
         directory (os error 2)",
        ],
    );
    std::fs::write(house.path("text.wasm"), "words").unwrap();
    let ran = checked(&house, &component("text.wasm", ""));
    assert_eq!(ran.code, 2, "{ran:?}");
    let sentence = "error: stepwell.toml:1: components[0].path: not a WebAssembly component";
    assert!(ran.err.contains(sentence), "{ran:?}");
}
