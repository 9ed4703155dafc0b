//! The demo, as it is run by whoever tries Stepwell for the first time.

#![cfg(feature = "demo")]

use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_shows_what_it_claims() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    let demo = demo
        .args(["demo", "--json"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let words = String::from_utf8(demo.stderr).unwrap();
    assert!(demo.status.success(), "{words}");
    let seen: Value = serde_json::from_slice(&demo.stdout).unwrap();
    for act in ["crash", "fuel", "cancel"] {
        assert_eq!(seen["acts"][act], true, "{act}: {words}");
    }
    assert!(
        words.contains("was killed with SIGKILL in the middle of a step"),
        "{words}"
    );
    assert!(words.contains("reserve, place, cancel, release"), "{words}");
    assert!(
        !words.contains("NO ") && !words.contains('\u{1b}'),
        "{words}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "it tidies up"
    );
}
