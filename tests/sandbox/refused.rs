//! What is no component of ours is refused before it runs, in one clear sentence.

use stepwell::sandbox::Error;
use stepwell_guest_examples::TEST_GUEST;

use crate::host::sandbox;
use crate::wat::{Parts, tool};

/// Compiles and loads, and returns the sentence that refuses it.
fn refusal(component: &[u8]) -> (Error, String) {
    let sandbox = sandbox();
    let loaded = sandbox
        .compile(component)
        .and_then(|compiled| sandbox.load(&compiled));
    let Err(error) = loaded else {
        panic!("it was loaded");
    };
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 1_024, "{text}");
    (error, text)
}

fn check(component: &[u8], expect: &str) {
    let (_, text) = refusal(component);
    assert!(text.contains(expect), "{text}");
}

#[test]
fn files_that_are_no_components() {
    check(b"", "empty");
    check(b"hello", "it is a text");
    check(&wat::parse_str("(module)").unwrap(), "core module");
    check(&[0x7f, b'E', b'L', b'F', 0xff], "does not begin");
}

#[test]
fn truncated_components_never_load() {
    for cut in [9, 100, 1_000, TEST_GUEST.len() / 2, TEST_GUEST.len() - 1] {
        let (error, text) = refusal(&TEST_GUEST[..cut]);
        assert!(matches!(error, Error::Invalid(_)), "{text}");
    }
}

#[test]
fn a_component_that_nobody_can_call() {
    check(
        &wat::parse_str("(component)").unwrap(),
        "stepwell:tool/tools",
    );
}

#[test]
fn an_import_that_is_not_provided_is_named() {
    let with = |imports| {
        tool(Parts {
            imports,
            ..Parts::default()
        })
    };
    let http = r#"(import "wasi:http/outgoing-handler@0.2.3" (instance
        (export "handle" (func))))"#;
    let (error, text) = refusal(&with(http));
    let Error::Import { import, .. } = error else {
        panic!("{text}");
    };
    assert_eq!(import, "wasi:http/outgoing-handler@0.2.3");
    let wrong = r#"(import "stepwell:tool/progress@0.1.0" (instance
        (export "report" (func (param "done" string)))))"#;
    let (error, text) = refusal(&with(wrong));
    assert!(matches!(error, Error::Import { .. }), "{text}");
    assert!(text.contains("`stepwell:tool/progress@0.1.0`"), "{text}");
    let newer = r#"(import "stepwell:tool/log@0.9.0" (instance
        (export "write" (func (param "message" string)))))"#;
    check(&with(newer), "`stepwell:tool/log@0.9.0`");
    let module = r#"(import "some-module" (core module))"#;
    check(&with(module), "some-module");
}

#[test]
fn wasi_03_is_named() {
    let with = |imports| {
        tool(Parts {
            imports,
            ..Parts::default()
        })
    };
    let import = r#"(import "wasi:clocks/monotonic-clock@0.3.0" (instance
        (export "now" (func (result u64)))))"#;
    let (error, text) = refusal(&with(import));
    assert!(matches!(error, Error::Wasi03(_)), "{text}");
    assert!(
        text.contains("`wasi:clocks/monotonic-clock@0.3.0`"),
        "{text}"
    );
}

#[test]
fn native_code_from_elsewhere_is_not_taken() {
    let engine = wasmtime::Engine::default();
    let native = engine
        .precompile_component(&tool(Parts::default()))
        .unwrap();
    check(&native, "compiled already");
}

#[test]
fn what_is_switched_off() {
    for core in [
        "(memory $m i64 1)",
        "(memory $m 1 1 shared)",
        "(type $t (struct))",
        "(tag $t)",
    ] {
        let (error, text) = refusal(&tool(Parts {
            core,
            ..Parts::default()
        }));
        assert!(matches!(error, Error::Invalid(_)), "{text}");
    }
}

#[test]
fn what_no_slot_has_room_for() {
    let memories = "(memory 1)".repeat(9);
    let tables = "(table 1 funcref)".repeat(33);
    for core in [
        "(table $t 200000 funcref)",
        "(memory $m 32768)",
        &memories,
        &tables,
    ] {
        let core = core.to_owned().leak();
        let (error, text) = refusal(&tool(Parts {
            core,
            ..Parts::default()
        }));
        assert!(matches!(error, Error::TooLarge(_)), "{text}");
    }
    let instances = "(core instance (instantiate $m))".repeat(128);
    let imports = format!("(core module $m) {instances}").leak();
    let (error, text) = refusal(&tool(Parts {
        imports,
        ..Parts::default()
    }));
    assert!(matches!(error, Error::TooLarge(_)), "{text}");
}
