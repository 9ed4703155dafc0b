//! `docs/stepwell.toml` says what the code does: it has every key, and the defaults that hold.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use proptest::{prop_assert, proptest};
use stepwell::config::{Config, Policy, Role, Tenants};
use stepwell::id::TenantId;

const REFERENCE: &str = include_str!("../docs/stepwell.toml");

/// The file with every setting in force.
fn uncommented() -> String {
    let lines = REFERENCE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn parsed(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/stepwell.toml")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn as_it_is_it_means_what_an_empty_file_means() {
    assert_eq!(parsed(REFERENCE), Config::default());
    assert_eq!(parsed(""), Config::default());
}

#[test]
fn its_defaults_are_those_of_the_code() {
    let config = parsed(&uncommented());
    let usual = Config {
        data_dir: None,
        tenants: Tenants {
            special: std::collections::BTreeMap::new(),
            ..config.tenants.clone()
        },
        keys: Vec::new(),
        components: Vec::new(),
        ..config
    };
    assert_eq!(usual, Config::default());
}

#[test]
fn its_examples_mean_what_they_say() {
    let config = parsed(&uncommented());
    assert_eq!(config.data_dir, Some(PathBuf::from("/var/lib/stepwell")));
    let acme = TenantId::try_from("acme".to_owned()).unwrap();
    assert_eq!(
        config.tenants.of(&acme).fuel_per_day,
        Some(100_000_000_000_000)
    );
    let [key] = config.keys.as_slice() else {
        panic!("{:?}", config.keys);
    };
    assert_eq!((key.role, key.revoked), (Role::Caller, false));
    assert_eq!(key.expires.unwrap().to_string(), "2027-01-31T00:00:00.000Z");
    let [component] = config.components.as_slice() else {
        panic!("{:?}", config.components);
    };
    assert_eq!(component.path, Path::new("/etc/tools/etl.wasm"));
    let dirs: Vec<_> = component.dirs.iter().map(ToString::to_string).collect();
    assert_eq!(dirs, ["/etc/data:/data:ro", "/etc/out:/out:rw"]);
    let limits = component.limits_of("etl_pipeline");
    assert_eq!((limits.fuel, limits.memory), (1_000_000_000_000, 128 << 20));
    assert_eq!(component.limits_of("another").fuel, config.limits.fuel);
    assert_eq!(component.tools["etl_pipeline"].policy, Some(Policy::Auto));
    assert_eq!(component.name_of("etl_pipeline"), "etl");
    assert_eq!(component.name_of("another"), "another");
}

/// What a table takes, as it says itself where it is given another key.
fn taken(header: &str) -> Vec<String> {
    let outer = match header {
        "components.tools.etl_pipeline" => "[[components]]\npath = \"x\"\n",
        _ => "",
    };
    let line = uncommented()
        .lines()
        .find(|line| line.starts_with('[') && line.trim_matches(['[', ']']) == header)
        .unwrap_or_default()
        .to_owned();
    let text = format!("{outer}{line}\nqqqq = 1\n");
    let error = Config::parse(&text, Path::new("x")).unwrap_err();
    let unknown = error
        .problems()
        .iter()
        .find_map(|problem| problem.message.split_once(" takes "));
    let (_, keys) = unknown.unwrap_or_else(|| panic!("{error}"));
    keys.split(", ").map(str::to_owned).collect()
}

/// The keys and the inner tables of a table that the reference writes down.
fn written(header: &str) -> Vec<String> {
    let (mut current, mut keys) = (String::new(), Vec::new());
    for line in uncommented().lines() {
        if line.starts_with('[') {
            current = line.trim_matches(['[', ']']).into();
            let inner = match header {
                "" => Some(current.as_str()),
                header => current.strip_prefix(&format!("{header}.")),
            };
            let inner = inner.and_then(|inner| inner.split('.').next());
            keys.extend(inner.map(str::to_owned));
        } else if current == header {
            keys.extend(line.split_once(" = ").map(|(key, _)| key.to_owned()));
        }
    }
    keys
}

#[test]
fn it_has_every_key() {
    for header in [
        "",
        "http",
        "mcp",
        "runtime",
        "limits",
        "tenant_defaults",
        "tenants.acme",
        "keys",
        "components",
        "components.tools.etl_pipeline",
    ] {
        let written = written(header);
        for key in taken(header) {
            assert!(
                written.contains(&key),
                "docs/stepwell.toml has no `{key}` in `{header}`"
            );
        }
    }
}

#[test]
fn the_page_about_it_shows_what_is_said() {
    let page = include_str!("../docs/configuration.md");
    let example = page.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    assert_eq!(parsed(example).keys.len(), 1);
    let wrong = "\n[runtime]\nruning_max = 5\n\n[limits]\nmemory = '2GiB'\n";
    let error = Config::parse(wrong, Path::new("stepwell.toml")).unwrap_err();
    assert!(
        page.contains(&format!("{error}\n")),
        "docs/configuration.md does not say\n{error}"
    );
}

proptest! {
    /// Whatever is cut out of a file, it is read, or what is wrong is in one of its lines.
    #[test]
    fn a_file_with_a_hole_is_read_or_refused(from in 0_usize..10_000, len in 1_usize..200) {
        let whole: Vec<char> = uncommented().chars().collect();
        let from = from % whole.len();
        let hole = from..(from + len).min(whole.len());
        let text: String = whole.iter().enumerate().filter(|(at, _)| !hole.contains(at)).map(|(_, c)| c).collect();
        if let Err(error) = Config::parse(&text, Path::new("x")) {
            let lines = text.lines().count() + 1;
            prop_assert!(!error.problems().is_empty());
            for problem in error.problems() {
                prop_assert!((1..=lines).contains(&problem.place.line), "{}", problem);
            }
        }
    }
}
