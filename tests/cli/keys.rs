//! `stepwell keys`: a key that is shown once, and a table that knows it again.

use serde_json::json;
use stepwell::clock::Timestamp;
use stepwell::config::Config;
use stepwell::identity::{Keys, Lookup, Role, Secret};

use crate::house::{House, Ran};

const NEW: [&str; 6] = ["keys", "new", "--tenant", "acme", "--subject", "ann \"a\""];

/// What a configuration with the printed table makes of the key.
fn found(table: &str, key: &str) -> Lookup {
    let config = Config::parse(table, std::path::Path::new("stepwell.toml"));
    let config = config.unwrap_or_else(|error| panic!("{error}: {table}"));
    Keys::new(&config.keys).find(&Secret::new(key), Timestamp(0))
}

fn ran(more: &[&str]) -> Ran {
    let ran = House::new().ran(&[&NEW[..], more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn the_table_knows_the_key() {
    let more = [
        "--id",
        "ci",
        "--role",
        "reader",
        "--expires",
        "2027-01-31T00:00:00Z",
    ];
    let ran = ran(&more);
    let key = ran.out.trim_end();
    let secret = key.strip_prefix("sw_ci_").unwrap();
    assert_eq!(secret.len(), 43, "{key}");
    assert!(!ran.err.contains(secret), "it is shown once");
    let Lookup::Found(caller) = found(&ran.err, key) else {
        panic!("{ran:?}");
    };
    assert_eq!(caller.role, Role::Reader);
    let owner = &caller.principal;
    assert_eq!(
        (owner.tenant.as_str(), &*owner.subject),
        ("acme", "ann \"a\"")
    );
    let masked = ran
        .err
        .lines()
        .map(|line| match line.split_once("sha256:") {
            Some((name, _)) => format!("{name}sha256:[digest]\""),
            None => line.to_owned(),
        });
    insta::assert_snapshot!("keys_new", masked.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_key_is_another() {
    let (one, other) = (ran(&[]), ran(&["--quiet"]));
    assert_ne!(one.out, other.out);
    assert_eq!(
        found(&one.err, &other.out),
        Lookup::Malformed,
        "with its end of line"
    );
    assert_eq!(found(&one.err, other.out.trim_end()), Lookup::Unknown);
    assert!(
        other.err.contains("digest = "),
        "without its table a key is worth nothing"
    );
}

#[test]
fn json_has_both() {
    let json = House::new().json(&[&NEW[..], &["--role", "administrator"]].concat());
    assert_eq!(json["role"], "administrator");
    assert_eq!(json["expires"], json!(null));
    let key = json["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("sw_{}_", json["id"].as_str().unwrap())));
    assert!(matches!(
        found(json["toml"].as_str().unwrap(), key),
        Lookup::Found(_)
    ));
}

#[test]
fn what_would_not_be_read_back_is_refused() {
    let house = House::new();
    let check = |flag: &str, value: &str, sentence: &str| {
        let words = [&NEW[..], &[flag, value]].concat();
        let last = words.iter().rposition(|word| *word == flag).unwrap();
        let first = words.iter().position(|word| *word == flag).unwrap();
        // A flag that is given already is replaced.
        let words: Vec<_> = words
            .iter()
            .enumerate()
            .filter(|(place, _)| first == last || ![first, first + 1].contains(place))
            .map(|(_, word)| *word)
            .collect();
        let ran = house.ran(&words);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(&format!("error: {sentence}")), "{ran:?}");
        assert_eq!(ran.out, "");
    };
    check(
        "--tenant",
        "Acme",
        "--tenant: not a tenant: it is 1 to 64 characters of",
    );
    check(
        "--subject",
        "a\nb",
        "--subject: it must be 1 to 128 bytes of visible",
    );
    check(
        "--id",
        "a_b",
        "--id: it must be 1 to 32 characters of a-z, 0-9 and -",
    );
    check("--role", "root", "invalid value 'root' for '--role <ROLE>'");
    check(
        "--expires",
        "soon",
        "invalid value 'soon' for '--expires <TIME>': not a time",
    );
}
