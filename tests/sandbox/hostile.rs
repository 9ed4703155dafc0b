//! Guests that are out to do harm end with their kind, within their limits.

use std::sync::Arc;
use std::time::Duration;

use stepwell::clock::Stopwatch;
use stepwell::limit::{Limits, Name};
use stepwell::sandbox::{Call, Ending, Meter, Options, Sandbox};
use stepwell::task::{Failure, Kind, Usage};
use stepwell_guest_examples::TEST_GUEST;

use crate::host::{Fake, Ran, Run, sandbox};
use crate::wat::{Parts, tool};

fn failed(ran: &Ran) -> &Failure {
    match &ran.ending {
        Ending::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn small() -> Limits {
    Limits {
        fuel: 100_000_000,
        memory: 4 << 20,
        ..Limits::default()
    }
}

async fn run_wat(parts: Parts, limits: Limits) -> Ran {
    let component = tool(parts);
    let mut run = Run::of(&component, "tool", "{}");
    run.limits = limits;
    run.run().await
}

async fn run_guest(tool: &str, arguments: &str, limits: Limits) -> Ran {
    let mut run = Run::of(TEST_GUEST, tool, arguments);
    run.limits = limits;
    run.run().await
}

#[tokio::test]
async fn one_that_does_nothing_returns() {
    let ran = run_wat(Parts::default(), small()).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert!(
        ran.usage.fuel > 0 && ran.usage.fuel < 1_000,
        "{:?}",
        ran.usage
    );
    assert_eq!(ran.usage.memory_peak, 64 << 10);
}

#[tokio::test]
async fn one_that_spins_is_out_of_fuel() {
    for ran in [
        run_guest("spin", "{}", small()).await,
        run_wat(
            Parts {
                call: "(loop $l br $l)",
                ..Parts::default()
            },
            small(),
        )
        .await,
    ] {
        let failure = failed(&ran);
        assert_eq!(failure.kind, Kind::OutOfFuel);
        assert_eq!(&*failure.message, "fuel: 100000000 of 100000000 used");
        assert_eq!(ran.usage.fuel, 100_000_000);
    }
}

#[tokio::test]
async fn one_that_spins_lets_others_run() {
    let limits = Limits {
        fuel: 5_000_000_000,
        ..Limits::default()
    };
    let spins = tokio::spawn(run_guest("spin", "{}", limits));
    let mut turns = 0;
    let start = Stopwatch::start();
    // A timer of somebody else's: what is tested is that it goes off meanwhile.
    let mut timer = tokio::time::interval(Duration::from_millis(1));
    while !spins.is_finished() {
        timer.tick().await;
        turns += 1;
    }
    let ran = spins.await.unwrap();
    assert_eq!(failed(&ran).kind, Kind::OutOfFuel);
    assert!(turns > 5, "{turns} turns in {:?}", start.elapsed());
}

#[tokio::test]
async fn one_that_allocates_without_end_is_out_of_memory() {
    let call =
        "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    for ran in [
        run_guest("allocate", "{}", small()).await,
        run_wat(
            Parts {
                call,
                ..Parts::default()
            },
            small(),
        )
        .await,
    ] {
        let failure = failed(&ran);
        assert_eq!(failure.kind, Kind::OutOfMemory, "{failure}");
        assert!(
            failure.message.contains("of 4194304 bytes held"),
            "{failure}"
        );
        assert!(ran.usage.memory_peak <= 4 << 20, "{:?}", ran.usage);
    }
}

#[tokio::test]
async fn memory_is_summed_over_memories_from_the_start() {
    let core = "(memory $second 16)";
    let parts = |call, core, pages| Parts {
        core,
        pages,
        call,
        ..Parts::default()
    };
    let limits = || Limits {
        memory: 2 << 20,
        ..small()
    };
    // 1 MiB and 1 MiB fit; a page more does not.
    let ran = run_wat(parts("", core, 16), limits()).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert_eq!(ran.usage.memory_peak, 2 << 20);
    let ran = run_wat(parts("", core, 17), limits()).await;
    assert_eq!(failed(&ran).kind, Kind::OutOfMemory);
    let grow =
        "(if (i32.eq (memory.grow $second (i32.const 1)) (i32.const -1)) (then unreachable))";
    let ran = run_wat(parts(grow, core, 16), limits()).await;
    assert_eq!(failed(&ran).kind, Kind::OutOfMemory);
    let ran = run_wat(parts(grow, core, 15), limits()).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
}

#[tokio::test]
async fn growth_that_fails_is_given_back_once() {
    // A page, which is had; four billion, and more than the second memory's own maximum, which are
    // not; then just what fits, and a page more.
    let core = "(memory $second 1 2)";
    let call = "(drop (memory.grow 0 (i32.const 1)))
        (drop (memory.grow $second (i32.const -1)))
        (drop (memory.grow $second (i32.const 8)))
        (if (i32.eq (memory.grow 0 (i32.const 29)) (i32.const -1)) (then unreachable))
        (if (i32.ne (memory.grow 0 (i32.const 1)) (i32.const -1)) (then unreachable))";
    let limits = Limits {
        memory: 2 << 20,
        // Asking for four billion pages is paid for, too.
        fuel: 10_000_000_000_000,
        ..small()
    };
    let parts = Parts {
        core,
        call,
        ..Parts::default()
    };
    let ran = run_wat(parts, limits).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert_eq!(ran.usage.memory_peak, 2 << 20);
}

#[tokio::test]
async fn one_that_recurses_traps() {
    let call = "(drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))";
    for ran in [
        run_guest(
            "recurse",
            "{}",
            Limits {
                fuel: 1_000_000_000,
                ..small()
            },
        )
        .await,
        run_wat(
            Parts {
                call,
                ..Parts::default()
            },
            small(),
        )
        .await,
    ] {
        let failure = failed(&ran);
        assert_eq!(failure.kind, Kind::Trap, "{failure}");
        assert!(failure.message.contains("stack"), "{failure}");
        assert!(failure.message.len() < 4_096, "{failure}");
    }
}

#[tokio::test]
async fn one_that_floods_its_output_completes_and_the_rest_is_counted() {
    let limits = Limits {
        log: 64 << 10,
        fuel: 10_000_000_000,
        ..Limits::default()
    };
    let ran = run_guest("flood", r#"{"bytes": 10000000}"#, limits).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert!(ran.usage.log_bytes <= 64 << 10, "{:?}", ran.usage);
    let seen = ran.seen.lock().unwrap();
    let printed: usize = seen.lines.iter().map(|(_, line)| line.len() + 1).sum();
    assert_eq!(printed as u64 + ran.usage.log_dropped, 10_000_000);
    // A kept line counts as the record that it is.
    let kept = printed as u64 + 32 * seen.lines.len() as u64;
    assert_eq!(kept, ran.usage.log_bytes);
}

#[tokio::test]
async fn one_that_returns_a_text_over_and_over_is_past_its_output() {
    // A list of 64 texts, which are all the same 512 KiB.
    let call = "(local $n i32) (i32.store (i32.const 260) (i32.const 8192))
        (i32.store (i32.const 264) (i32.const 64))
        (loop $l
            (i32.store (i32.add (i32.const 8196) (i32.mul (local.get $n) (i32.const 36))) (i32.const 65536))
            (i32.store (i32.add (i32.const 8200) (i32.mul (local.get $n) (i32.const 36))) (i32.const 524288))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $n) (i32.const 64))))";
    let parts = Parts {
        call,
        pages: 16,
        ..Parts::default()
    };
    let ran = run_wat(parts, small()).await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::Output),
        "{:?}",
        ran.ending
    );
    assert!(failed(&ran).message.contains("at once"), "{:?}", ran.ending);
    let ran = run_guest("repeat_pointer", "{}", small()).await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::Output),
        "{:?}",
        ran.ending
    );
    let ran = run_guest("big_output", r#"{"bytes": 1100000}"#, Limits::default()).await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::Output),
        "{:?}",
        ran.ending
    );
}

#[tokio::test]
async fn handles_tables_and_instances_have_an_end() {
    let limits = Limits {
        handles: 64,
        ..Limits::default()
    };
    let ran = run_guest("begin_many", "{}", limits).await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::Handles),
        "{:?}",
        ran.ending
    );

    let core = "(table $t 1 funcref)";
    let call = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 30000)) (i32.const -1)) (then unreachable))";
    let ran = run_wat(
        Parts {
            core,
            call,
            ..Parts::default()
        },
        small(),
    )
    .await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::TableElements),
        "{:?}",
        ran.ending
    );
    let core = "(table $t 15000 funcref) (table $u 15000 funcref)";
    let ran = run_wat(
        Parts {
            core,
            ..Parts::default()
        },
        small(),
    )
    .await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::TableElements),
        "{:?}",
        ran.ending
    );

    let imports =
        "(core module $m) (core instance (instantiate $m)) (core instance (instantiate $m))";
    let limits = Limits {
        instances: 2,
        ..small()
    };
    let ran = run_wat(
        Parts {
            imports,
            ..Parts::default()
        },
        limits,
    )
    .await;
    assert_eq!(
        failed(&ran).kind,
        Kind::LimitExceeded(Name::Instances),
        "{:?}",
        ran.ending
    );
}

#[tokio::test]
async fn a_trap_names_where_without_escapes() {
    let core = "(func $\"\\1b[2Jevil\\u{202e}\" unreachable)";
    let call = "(call $\"\\1b[2Jevil\\u{202e}\")";
    let ran = run_wat(
        Parts {
            core,
            call,
            ..Parts::default()
        },
        small(),
    )
    .await;
    let failure = failed(&ran);
    assert_eq!(failure.kind, Kind::Trap);
    assert!(failure.message.contains("`[2Jevil`"), "{failure}");
    let ran = run_guest("trap", "{}", small()).await;
    assert_eq!(failed(&ran).kind, Kind::Trap);
}

#[tokio::test]
async fn an_exit_is_no_way_to_end() {
    let imports = r#"(import "wasi:cli/exit@0.2.3" (instance $exit
            (export "exit" (func (param "status" (result))))))
        (core func $exit (canon lower (func $exit "exit")))
        (core instance $host (export "exit" (func $exit)))"#;
    let parts = Parts {
        imports,
        with: r#"(with "host" (instance $host))"#,
        core_imports: r#"(import "host" "exit" (func $exit (param i32)))"#,
        call: "(call $exit (i32.const 0))",
        ..Parts::default()
    };
    let ran = run_wat(parts, small()).await;
    let failure = failed(&ran);
    assert_eq!(failure.kind, Kind::Trap);
    assert!(failure.message.contains("exit(0)"), "{failure}");
}

#[tokio::test]
async fn host_calls_cost_fuel_and_are_held_up() {
    let limits = Limits {
        fuel: 1_000_000,
        ..Limits::default()
    };
    let ran = run_guest("journal", "{}", limits).await;
    assert_eq!(failed(&ran).kind, Kind::OutOfFuel, "{:?}", ran.ending);
    assert!(ran.usage.host_calls < 2_000, "{:?}", ran.usage);
    // Some 20,000 calls, 10,000 a second.
    let limits = Limits {
        calls_per_second: 10_000,
        ..Limits::default()
    };
    let watch = Stopwatch::start();
    let ran = run_guest("journal", r#"{"count": 10000, "bytes": 1}"#, limits).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert!(
        watch.elapsed() > Duration::from_millis(900),
        "{:?}",
        watch.elapsed()
    );
}

#[tokio::test]
async fn a_host_call_is_paid_before_the_guest_makes_room_for_its_answer() {
    // The guest's realloc grows a memory, which is where wasmtime would lose a change of its fuel.
    let imports = r#"
        (import "stepwell:tool/task@0.1.0" (instance $task
            (type $i (record (field "id" string) (field "attempt" u32)
                (field "traceparent" (option string))))
            (export "info" (type $info (eq $i)))
            (export "current" (func (result $info)))))
        (core module $libc (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (drop (memory.grow (i32.const 0))) i32.const 1024))
        (core instance $libc (instantiate $libc))
        (core func $current (canon lower (func $task "current")
            (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
        (core instance $host (export "current" (func $current)))"#;
    let parts = Parts {
        imports,
        with: r#"(with "host" (instance $host))"#,
        core_imports: r#"(import "host" "current" (func $current (param i32)))"#,
        call: "(local $n i32)
            (loop $l
                (call $current (i32.const 64))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $n) (i32.const 1000))))",
        ..Parts::default()
    };
    let ran = run_wat(parts, small()).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert_eq!(ran.usage.host_calls, 1_000);
    assert!(ran.usage.fuel > 500_000, "{:?}", ran.usage);
}

#[tokio::test]
async fn one_that_blocks_in_the_host_is_cut_off_with_its_future() {
    let sandbox = sandbox();
    let run = || run_guest("sleep_host", "{}", small());
    run_guest("echo", "{}", small()).await;
    // More often than there are slots: each is given back.
    for _ in 0..2 * sandbox.slots() {
        let cut = tokio::time::timeout(Duration::from_millis(2), run()).await;
        assert!(cut.is_err());
    }
    let ran = run_guest("echo", "{}", small()).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
}

#[tokio::test]
async fn one_that_is_cut_off_while_it_spins_has_used_what_it_burnt() {
    let sandbox = sandbox();
    let bytes = tool(Parts {
        call: "(loop $l br $l)",
        ..Parts::default()
    });
    for (bytes, tool) in [(&*bytes, "tool"), (TEST_GUEST, "spin")] {
        let component = sandbox.load(&sandbox.compile(bytes).unwrap()).unwrap();
        let limits = Limits {
            fuel: 1_000_000_000_000_000,
            ..Limits::default()
        };
        let meter = Arc::new(Meter::new(&limits, &Usage::default()));
        let call = Call {
            tool: tool.into(),
            arguments: "{}".into(),
            limits,
            grants: Vec::new(),
        };
        let durable = Box::new(Fake::new(meter.clone()));
        let attempt = sandbox.attempt(&component, call, meter.clone(), durable);
        let mut attempt = std::pin::pin!(attempt);
        let mut used = [0; 3];
        for used in &mut used {
            let cut = tokio::time::timeout(Duration::from_millis(100), &mut attempt).await;
            assert!(cut.is_err());
            *used = meter.fuel_used();
        }
        // A loop takes a nanosecond or so for each turn.
        assert!(used[0] > 5_000_000, "{tool}: {used:?}");
        assert!(used.is_sorted_by(|a, b| a + 5_000_000 < *b), "{used:?}");
    }
}

#[tokio::test]
async fn one_finds_nothing_of_the_one_before_it() {
    // Fills its memory, or looks for what another left: in every page of 2 MiB past its own data.
    let each = |what: &str| {
        format!(
            "(local $at i32) (drop (memory.grow (i32.const 31)))
            (local.set $at (i32.const 8192))
            (loop $l {what}
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $l (i32.lt_u (local.get $at) (i32.const 2097152))))"
        )
    };
    let fill = each("(i64.store (local.get $at) (i64.const 0x5ec2e75ec2e75ec2))");
    let look = each("(if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))");
    for _ in 0..8 {
        for call in [&fill, &look] {
            let call = call.clone().leak();
            let ran = run_wat(
                Parts {
                    call,
                    ..Parts::default()
                },
                small(),
            )
            .await;
            assert!(
                matches!(ran.ending, Ending::Returned(_)),
                "{:?}",
                ran.ending
            );
        }
    }
}

#[tokio::test]
async fn a_list_to_poll_has_an_end() {
    // The same pollable, a thousand times and a thousand and twenty-five.
    let imports = r#"
        (import "wasi:io/poll@0.2.3" (instance $poll
            (export "pollable" (type $p (sub resource)))
            (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
        (alias export $poll "pollable" (type $p))
        (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock
            (alias outer 1 $p (type $p)) (export "pollable" (type $q (eq $p)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))
        (core module $libc (memory (export "memory") 2)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536))
        (core instance $libc (instantiate $libc))
        (core func $poll (canon lower (func $poll "poll")
            (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
        (core func $wait (canon lower (func $clock "subscribe-duration")))
        (core instance $host (export "poll" (func $poll)) (export "wait" (func $wait))
            (export "memory" (memory $libc "memory")))"#;
    let parts = |count| Parts {
        imports,
        with: r#"(with "host" (instance $host))"#,
        core_imports: r#"
            (import "host" "poll" (func $poll (param i32 i32 i32)))
            (import "host" "wait" (func $wait (param i64) (result i32)))
            (import "host" "memory" (memory $libc 2))"#,
        call: format!(
            "(local $at i32) (local $p i32)
            (local.set $p (call $wait (i64.const 0)))
            (local.set $at (i32.const 1024))
            (loop $l
                (i32.store $libc (local.get $at) (local.get $p))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br_if $l (i32.lt_u (local.get $at) (i32.const 8192))))
            (call $poll (i32.const 1024) (i32.const {count}) (i32.const 8))"
        )
        .leak(),
        ..Parts::default()
    };
    let ran = run_wat(parts(1_000), small()).await;
    assert!(
        matches!(ran.ending, Ending::Returned(_)),
        "{:?}",
        ran.ending
    );
    assert!(ran.usage.fuel > 100_000, "{:?}", ran.usage);
    let ran = run_wat(parts(1_025), small()).await;
    assert_eq!(failed(&ran).kind, Kind::LimitExceeded(Name::Handles));
}

#[tokio::test]
async fn one_more_than_there_are_slots_for_is_refused_and_a_slot_comes_back() {
    let options = Options {
        slots: 1,
        ..Options::default()
    };
    let sandbox = Sandbox::new(&options).unwrap();
    let bytes = tool(Parts {
        call: "(loop $l br $l)",
        ..Parts::default()
    });
    let component = sandbox.load(&sandbox.compile(&bytes).unwrap()).unwrap();
    let spin = || {
        let limits = Limits {
            fuel: 1_000_000_000_000,
            ..Limits::default()
        };
        let meter = Arc::new(Meter::new(&limits, &Usage::default()));
        let call = Call {
            tool: "tool".into(),
            arguments: "{}".into(),
            limits,
            grants: Vec::new(),
        };
        let durable = Box::new(Fake::new(meter.clone()));
        let attempt = sandbox.attempt(&component, call, meter.clone(), durable);
        (meter, attempt)
    };
    let start = || {
        let (meter, attempt) = spin();
        (meter, tokio::spawn(attempt))
    };
    let runs = async |meter: &Meter| {
        while meter.fuel_used() == 0 {
            tokio::task::yield_now().await;
        }
    };
    // A few slots are there for components that describe themselves.
    let mut spinning: Vec<_> = (0..5).map(|_| start()).collect();
    for (meter, _) in &spinning {
        runs(meter).await;
    }
    let Ending::Failed(failure) = spin().1.await else {
        panic!("it ran");
    };
    assert_eq!(failure.kind, Kind::Host);
    assert!(failure.message.contains("slot"), "{failure}");
    let (_, cut) = spinning.pop().unwrap();
    cut.abort();
    assert!(cut.await.unwrap_err().is_cancelled());
    let (meter, in_its_place) = start();
    runs(&meter).await;
    in_its_place.abort();
    spinning.iter().for_each(|(_, spins)| spins.abort());
}
