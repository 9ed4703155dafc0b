//! Bad input: one clear sentence that says what to do, the right exit code, and nothing lost.

use std::path::Path;

use crate::house::{House, copy};

/// The command ends with `code` and says `sentence`; a good run works after it.
fn check(house: &House, words: &[&str], code: i32, sentence: &str) {
    let ran = house.ran(words);
    assert_eq!(ran.code, code, "{words:?}: {ran:?}");
    assert_eq!(ran.out, "", "{words:?}: {ran:?}");
    assert!(
        ran.err.contains(&format!("error: {sentence}")),
        "{words:?}: {ran:?}"
    );
    house.works();
}

#[test]
fn files_that_are_no_components() {
    let house = House::new();
    let guest = std::fs::read(house.path("guest.wasm")).unwrap();
    let write = |name, bytes: &[u8]| std::fs::write(house.path(name), bytes).unwrap();
    write("text.wasm", b"# A tool\n\nIt is written here.\n");
    write("empty.wasm", b"");
    write("core.wasm", &wat::parse_str("(module (func))").unwrap());
    write("short.wasm", &guest[..guest.len() / 2]);
    write("header.wasm", &guest[..12]);
    write("other.wasm", &wat::parse_str("(component)").unwrap());
    let wasi = r#"(component (import "wasi:clocks/system-clock@0.3.0" (instance)))"#;
    write("wasi03.wasm", &wat::parse_str(wasi).unwrap());
    let run = |file: &str, sentence: &str| {
        check(&house, &["run", file, "echo"], 2, sentence);
        check(&house, &["tools", file], 2, sentence);
    };
    run("text.wasm", "not a WebAssembly component");
    run("empty.wasm", "not a WebAssembly component");
    run(
        "core.wasm",
        "not a WebAssembly component: it is a core module",
    );
    run("short.wasm", "not a valid WebAssembly component");
    run("header.wasm", "not a valid WebAssembly component");
    run(
        "other.wasm",
        "the component does not export `stepwell:tool/tools`",
    );
    run("wasi03.wasm", "the component needs WASI 0.3");
    run(
        "missing.wasm",
        "the component `missing.wasm` can't be read: No such file",
    );
    run(
        "world",
        "the component `world` can't be read: Is a directory",
    );
}

#[test]
fn calls_that_do_not_fit_the_tool() {
    let house = House::new();
    let run = |words: &[&str], sentence: &str| {
        check(&house, &[&["run"], words].concat(), 2, sentence);
    };
    run(
        &["guest.wasm", "nothing"],
        "the component has no tool `nothing`; it has allocate, ",
    );
    run(
        &["guest.wasm", "echo", "--args", "{"],
        "--args is not JSON: EOF while parsing",
    );
    run(
        &["guest.wasm", "echo", "--args", "@no.json"],
        "the arguments can't be read from `no.json`",
    );
    let message = ["notify.wasm", "notify", "--args", r#"{"message":1}"#];
    run(
        &message,
        "the arguments do not fit the tool's schema: /message: 1 is not of type \"string\"",
    );
    run(
        &["notify.wasm", "notify"],
        "the arguments do not fit the tool's schema: the value: \"message\" is",
    );
    let issue = r#"{"customer":"a","issues":[{"id":"x","kind":"weather","text":"it rains"}]}"#;
    run(
        &["support.wasm", "support_session", "--args", issue],
        "the arguments do not fit the tool's schema: /issues/0/kind: ",
    );
    let key = [
        "notify.wasm",
        "notify",
        "--args",
        r#"{"message":"a"}"#,
        "--key",
        "k",
    ];
    run(&key, "the tool `notify` keeps nothing of its calls");
}

#[test]
fn folders_that_are_not_there() {
    let house = House::new();
    std::fs::write(house.path("file"), "").unwrap();
    let run = |dir: &str, sentence: &str| {
        check(
            &house,
            &["run", "guest.wasm", "echo", "--dir", dir],
            2,
            sentence,
        );
    };
    run(
        "missing:/in",
        "--dir: the folder `missing` can't be granted: No such file",
    );
    run("file:/in", "--dir: `");
    run(
        "world",
        "--dir: `world` is not a folder grant: write HOST:GUEST",
    );
    run("world:in", "--dir: `world:in` is not a folder grant");
}

#[test]
fn limits_that_are_not_enforced() {
    let house = House::new();
    let run = |flag: &str, value: &str, sentence: &str| {
        check(
            &house,
            &["run", "guest.wasm", "echo", flag, value],
            2,
            sentence,
        );
    };
    let fuel = "--fuel must be between 100,000 and 1,000,000,000,000,000, not ";
    run("--fuel", "0", &format!("{fuel}0"));
    run("--fuel", "2000T", &format!("{fuel}2,000,000,000,000,000"));
    run(
        "--memory",
        "0",
        "--memory must be between 2 MiB and 1 GiB, not 0 B",
    );
    run(
        "--memory",
        "2GiB",
        "--memory must be between 2 MiB and 1 GiB, not 2 GiB",
    );
    run(
        "--deadline",
        "0s",
        "--deadline must be between 1ms and 364d23h, not 0ms",
    );
    run(
        "--deadline",
        "366d",
        "--deadline must be between 1ms and 364d23h, not 366d",
    );
    run(
        "--active",
        "0ms",
        "--active must be between 1ms and 7d, not 0ms",
    );
    run(
        "--active",
        "8d",
        "--active must be between 1ms and 7d, not 8d",
    );
    run(
        "--grace",
        "1h",
        "--grace must be between 0ms and 10m, not 1h",
    );
    run(
        "--fuel",
        "much",
        "invalid value 'much' for '--fuel <N>': `much` is not a number: write a whole number",
    );
    run(
        "--memory",
        "64 MB",
        "invalid value '64 MB' for '--memory <SIZE>': `64 MB` is not a size",
    );
    run(
        "--deadline",
        "5",
        "invalid value '5' for '--deadline <DURATION>': `5` is not a duration",
    );
    // A deadline past the usual time to live only lengthens that.
    let late = house.json(&["run", "guest.wasm", "echo", "--deadline", "30d"]);
    assert_eq!(late["limits"]["deadline"], 30 * 86_400_000_u64);
}

#[test]
fn a_foreign_directory_is_left_untouched() {
    let house = House::new();
    std::fs::create_dir(house.path("photos")).unwrap();
    std::fs::write(house.path("photos/cat.jpg"), "meow").unwrap();
    std::fs::write(house.path("file"), "").unwrap();
    let echo = ["run", "guest.wasm", "echo", "--data-dir"];
    let run = |dir, code, sentence| check(&house, &[&echo[..], &[dir]].concat(), code, sentence);
    run(
        "photos",
        2,
        "photos is not a data directory of this version of Stepwell: it holds `cat.jpg`",
    );
    let left: Vec<_> = std::fs::read_dir(house.path("photos")).unwrap().collect();
    assert_eq!(left.len(), 1);
    run("file", 4, "the data directory file can't be opened: ");
    check(
        &house,
        &["tasks", "list", "--data-dir", "nowhere"],
        2,
        "there is no data directory `nowhere`",
    );
}

#[test]
fn a_damaged_directory_is_named_and_not_made_worse() {
    let house = House::new();
    house.works();
    copy(&house.path("data"), &house.path("copy"));
    let damage = |file: &Path| std::fs::write(file, "garbage").unwrap();
    damage(&house.path("copy/version"));
    let ran = house.ran(&["tasks", "list", "--data-dir", "copy"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.err
            .contains("error: the data directory is damaged at copy: "),
        "{ran:?}"
    );
    assert!(
        ran.err
            .contains("restore it from a backup, or move it away"),
        "{ran:?}"
    );
    std::fs::copy(house.path("data/version"), house.path("copy/version")).unwrap();
    assert_eq!(
        house.json(&["tasks", "list", "--data-dir", "copy"])["tool"],
        "echo"
    );
    damage(&house.path("copy/format"));
    check(
        &house,
        &["tasks", "list", "--data-dir", "copy"],
        2,
        "copy is not a data directory of this version of Stepwell",
    );
}

#[test]
fn errors_are_json_too_where_that_is_asked_for() {
    let house = House::new();
    let ran = house.ran(&["run", "guest.wasm", "nothing", "--json"]);
    let error = &ran.json()["error"];
    assert_eq!((ran.code, error["exit_code"].as_i64()), (2, Some(2)));
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("the component has no tool `nothing`")
    );
    assert!(error["hint"].is_string());
    let ran = house.ran(&["run", "--json"]);
    assert_eq!(
        (ran.code, ran.json()["error"]["exit_code"].as_i64()),
        (2, Some(2))
    );
}
