//! What a person reads first.

use crate::house::House;

fn shown(words: &[&str]) -> String {
    let house = House::new();
    let ran = house.ran(words);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
    ran.out
}

#[test]
fn help() {
    insta::assert_snapshot!("help", shown(&["--help"]));
    insta::assert_snapshot!("help_run", shown(&["run", "--help"]));
    insta::assert_snapshot!("help_tasks", shown(&["tasks", "--help"]));
}

#[test]
fn tools_are_listed_with_what_they_take() {
    insta::assert_snapshot!("tools", shown(&["tools", "notify.wasm"]));
    let house = House::new();
    let tools = house.json(&["tools", "support.wasm"]);
    assert_eq!(tools["tools"][0]["name"], "support_session");
    assert_eq!(tools["tools"][0]["task_support"], "required");
    assert!(tools["tools"][0]["input_schema"]["properties"]["issues"].is_object());
    assert!(
        !house.path("data").exists(),
        "looking at a component keeps nothing"
    );
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(
            shown(&["completions", shell]).contains("stepwell"),
            "{shell}"
        );
    }
}

#[test]
fn version() {
    let version = concat!("stepwell ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(shown(&["--version"]), version);
}
