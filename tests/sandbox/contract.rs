//! The host's side of the contract.

use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::json;
use stepwell::limit::Limits;
use stepwell::sandbox::{End, Ending, Grant};
use stepwell::task::{Failure, Kind, Source, ToolError, Usage};
use stepwell_guest_examples::TEST_GUEST;

use crate::host::{Ran, Run};
use crate::wat::{Parts, tool};

async fn journal(arguments: &str, with: impl FnOnce(&mut Run<'_>)) -> Ran {
    let mut run = Run::of(TEST_GUEST, "journal", arguments);
    with(&mut run);
    run.run().await
}

#[tokio::test]
async fn what_a_tool_returns_arrives() {
    let ran = Run::of(TEST_GUEST, "echo", r#"{"a": [1, "x"]}"#)
        .run()
        .await;
    let Ending::Returned(output) = ran.ending else {
        panic!("{:?}", ran.ending);
    };
    assert_eq!(output.structured, Some(json!({"a": [1, "x"]})));
    let ran = Run::of(TEST_GUEST, "no such", "{}").run().await;
    let Ending::Error(ToolError::Final(failure)) = ran.ending else {
        panic!("{:?}", ran.ending);
    };
    assert_eq!(failure.kind, Kind::InvalidArguments);
}

#[tokio::test]
async fn steps_are_completed_and_counted() {
    let ran = journal(r#"{"count": 3, "bytes": 10}"#, |_| {}).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    let seen = ran.seen.lock().unwrap();
    assert_eq!(seen.steps.len(), 3);
    assert_eq!(seen.steps["step/2"], [b'x'; 10]);
    // What the meter shows inside a host call grows with every call, by what it costs at least.
    let fuel: Vec<u64> = seen.usage.iter().map(|usage| usage.fuel).collect();
    assert!(
        fuel.windows(2).all(|pair| pair[1] > pair[0] + 1_000),
        "{fuel:?}"
    );
    assert!(fuel[2] < ran.usage.fuel);
}

#[tokio::test]
async fn an_end_from_the_durable_side_unwinds_the_guest() {
    let failure = Failure::new(Kind::Misuse, "because");
    for end in [End::Suspended, End::Lost, End::Failed(failure)] {
        let ran = journal("{}", |run| run.end = Some(("step/5".into(), end.clone()))).await;
        assert_eq!(ran.ending, Ending::Ended(end));
        assert_eq!(ran.seen.lock().unwrap().steps.len(), 5);
    }
}

#[tokio::test]
async fn a_raised_meter_is_paid_once_when_the_call_returns() {
    let limits = Limits {
        fuel: 10_000_000,
        ..Limits::default()
    };
    let recorded = Usage {
        fuel: 9_000_000,
        host_calls: 100,
        ..Usage::default()
    };
    let ran = journal(r#"{"count": 2, "bytes": 1}"#, |run| {
        run.limits = limits.clone();
        run.recorded = Some(recorded);
    })
    .await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    let usage = std::mem::take(&mut ran.seen.lock().unwrap().usage);
    assert_eq!(usage[0].fuel, 9_000_000);
    assert!(usage[1].fuel > 9_000_000 && usage[1].fuel < 9_100_000);
    assert!(ran.usage.host_calls > 100);
    // What is left is what it ends with.
    let ran = journal("{}", |run| {
        run.limits = limits;
        run.recorded = Some(recorded);
    })
    .await;
    assert!(matches!(&ran.ending, Ending::Failed(failure) if failure.kind == Kind::OutOfFuel));
    assert_eq!(ran.usage.fuel, 10_000_000);
}

#[tokio::test]
async fn fuel_is_the_same_every_time() {
    let mut used = Vec::new();
    for _ in 0..2 {
        let ran = journal(r#"{"count": 50, "bytes": 100}"#, |_| {}).await;
        used.push(ran.usage.fuel);
    }
    assert_eq!(used[0], used[1]);
}

#[tokio::test]
async fn what_is_past_a_limit_of_its_own_ends_the_attempt() {
    let check = async |ops: serde_json::Value, kind: &str, message: &str| {
        let arguments = json!({"ops": ops}).to_string();
        let mut run = Run::of(TEST_GUEST, "script", &arguments);
        run.limits.step_output = 1_024;
        run.limits.checkpoint = 64;
        run.limits.questions = 1;
        let ran = run.run().await;
        let Ending::Ended(End::Failed(failure)) = ran.ending else {
            panic!("{:?}", ran.ending);
        };
        assert_eq!(failure.kind.to_string(), format!("limit-exceeded({kind})"));
        assert_eq!(&*failure.message, message);
        assert!(ran.seen.lock().unwrap().steps.is_empty());
    };
    let output = "x".repeat(1_025);
    check(
        json!([{"begin": "a"}, {"complete": "a", "output": output}]),
        "step_output",
        "step_output: 1025 of 1024 (the output of the step `a`)",
    )
    .await;
    check(
        json!([{"save": "x".repeat(65)}]),
        "checkpoint",
        "checkpoint: 65 of 64 (the state to save)",
    )
    .await;
    let ask = |name| json!({"name": name, "message": "?"});
    check(
        json!([{"ask": [ask("a"), ask("b")]}]),
        "questions",
        "questions: 2 of 1 (asked at once)",
    )
    .await;
}

/// The steps interface, as far as these tests need it, lowered for a core module.
const STEPS: &str = r#"
    (import "stepwell:tool/steps@0.1.0" (instance $steps
        (export "step" (type $step (sub resource)))
        (alias outer 1 $stop (type $st))
        (export "stop" (type $stp (eq $st)))
        (type $e (enum "repeatable" "once"))
        (export "effect" (type $effect (eq $e)))
        (type $d (record (field "step" (own $step)) (field "earlier" (option (list u8)))))
        (export "doubt" (type $doubt (eq $d)))
        (type $n (variant (case "run" (own $step)) (case "replay" (list u8))
            (case "in-doubt" $doubt)))
        (export "entry" (type $entry (eq $n)))
        (export "begin" (func (param "name" string) (param "input" (list u8))
            (param "effect" $effect) (result (result $entry (error $stp)))))))
    (alias export $steps "step" (type $step))
    (core module $libc (memory (export "memory") 1)
        (data (i32.const 8) "one")
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
    (core instance $libc (instantiate $libc))
    (core func $begin (canon lower (func $steps "begin") (memory (core memory $libc "memory"))
        (realloc (core func $libc "realloc"))))
    (core func $drop (canon resource.drop $step))
    (core instance $host (export "begin" (func $begin)) (export "drop" (func $drop))
        (export "memory" (memory $libc "memory")))"#;

#[tokio::test]
async fn a_step_that_is_dropped_is_abandoned() {
    let parts = Parts {
        imports: STEPS,
        with: r#"(with "host" (instance $host))"#,
        core_imports: r#"
            (import "host" "begin" (func $begin (param i32 i32 i32 i32 i32 i32)))
            (import "host" "drop" (func $drop (param i32)))
            (import "host" "memory" (memory $libc 1))"#,
        call: "(call $begin (i32.const 8) (i32.const 3) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 64))
            (call $drop (i32.load $libc (i32.const 76)))",
        ..Parts::default()
    };
    let component = tool(parts);
    let ran = Run::of(&component, "tool", "{}").run().await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert_eq!(ran.seen.lock().unwrap().abandoned, ["one"]);
}

#[tokio::test]
async fn only_what_was_granted_can_be_reached_and_only_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let opened = Arc::new(opened);
    let arguments = json!({"ops": [{"write": "/world/a", "text": "x"}]}).to_string();
    let run = |writable: Option<bool>| {
        let mut run = Run::of(TEST_GUEST, "script", &arguments);
        run.grants = writable
            .map(|writable| Grant {
                folder: opened.clone(),
                path: "/world".into(),
                writable,
            })
            .into_iter()
            .collect();
        run.run()
    };
    run(None).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    run(Some(false)).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let ran = run(Some(true)).await;
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "{:?}",
        ran.ending
    );
}

/// What `script` noted of these operations.
async fn transcript(ops: serde_json::Value) -> (Vec<serde_json::Value>, Ran) {
    let arguments = json!({ "ops": ops }).to_string();
    let ran = Run::of(TEST_GUEST, "script", &arguments).run().await;
    let Ending::Returned(output) = &ran.ending else {
        panic!("{:?}", ran.ending);
    };
    let noted = output.structured.as_ref().unwrap()["transcript"].clone();
    (noted.as_array().unwrap().clone(), ran)
}

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let (noted, _) = transcript(json!([
        {"read": "/etc/passwd"},
        {"list": "/"},
        {"write": "a", "text": "x"},
        {"connect": "127.0.0.1:1"},
        {"connect": "localhost:1"},
        {"env": true},
        {"args": true},
    ]))
    .await;
    for (at, what) in ["read", "list", "write", "connect", "connect"]
        .iter()
        .enumerate()
    {
        assert!(noted[at][what]["error"].is_string(), "{}", noted[at]);
    }
    assert_eq!(noted[5], json!({"env": []}));
    assert_eq!(noted[6], json!({"args": []}));
}

#[tokio::test]
async fn what_is_printed_and_logged_goes_into_the_log_in_order() {
    let (_, ran) = transcript(json!([
        {"print": "one\u{1b}[31m"},
        {"eprint": "two"},
        {"print": "three"},
    ]))
    .await;
    let seen = ran.seen.lock().unwrap();
    let lines: Vec<_> = seen
        .lines
        .iter()
        .map(|(source, line)| (*source, &**line))
        .collect();
    let expect = [
        (Source::Stdout, "one[31m"),
        (Source::Stderr, "two"),
        (Source::Stdout, "three"),
    ];
    assert_eq!(lines, expect);
}

#[tokio::test]
async fn a_component_describes_its_tools_without_a_task() {
    let sandbox = crate::host::sandbox();
    let load = |bytes: &[u8]| sandbox.load(&sandbox.compile(bytes).unwrap()).unwrap();
    let guest = load(TEST_GUEST);
    assert!(guest.is_durable());
    let tools = sandbox.describe(&guest).await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "script"));
    let spins = load(&tool(Parts {
        core: "(func $start (loop $l br $l)) (start $start)",
        ..Parts::default()
    }));
    assert_eq!(
        sandbox.describe(&spins).await.unwrap_err().kind,
        Kind::OutOfFuel
    );
}
