//! Tenants share one runtime: what each may load and line up, and what it is told past that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, hold, me, ops, refused, step, within};
use serde_json::json;
use stepwell::id::{Principal, TaskKey, TenantId};
use stepwell::limit::Limits;
use stepwell::runtime::{Cancellation, Error, Options, Request, Share, TenantGauges};
use stepwell::task::Status;
use tokio::task::{JoinHandle, yield_now};

const MIB: u64 = 1 << 20;

fn tenant(name: &str) -> TenantId {
    name.to_owned().try_into().unwrap()
}

/// A script of these operations, for somebody of this tenant.
fn script(house: &House, of: &str, script: impl IntoIterator<Item = serde_json::Value>) -> Request {
    let owner = Principal {
        tenant: tenant(of),
        ..me()
    };
    Request {
        owner,
        ..house.request("script", ops(script))
    }
}

/// A call of which nothing is kept.
fn call(house: &House, request: Request) -> JoinHandle<Result<(), Error>> {
    let runtime = house.runtime.clone();
    tokio::spawn(async move { runtime.call(request, |_| {}).await.map(drop) })
}

/// Returns once what the tenant holds is as `is` wants it.
async fn until(house: &House, of: &str, is: impl Fn(TenantGauges) -> bool) {
    within(async {
        while !is(house.runtime.tenant(&tenant(of))) {
            yield_now().await;
        }
    })
    .await;
}

/// Takes a slot for the tenant until `gate` is opened.
async fn busy(house: &House, of: &str, gate: &str) -> TaskKey {
    let task = house.submit(script(house, of, hold(gate))).await;
    house.at(gate).await;
    task
}

#[tokio::test]
async fn a_tenant_at_its_cap_keeps_its_work_in_line_while_anothers_runs() {
    let house = House::with(|options| options.tenants.usual.running_max = 1).await;
    let first = busy(&house, "a", "gate").await;
    let second = house.submit(script(&house, "a", [step("task")])).await;
    let third = call(&house, script(&house, "a", [step("call")]));
    until(&house, "a", |held| held.queued == 2).await;
    let other = house.submit(script(&house, "b", [step("other")])).await;
    assert_eq!(ending(house.end(&other).await), "completed");
    let request = script(&house, "b", [step("another")]);
    within(call(&house, request)).await.unwrap().unwrap();
    let waits = house.runtime.record(&second).await.unwrap();
    assert_eq!((waits.status(), waits.attempt), (Status::Queued, 0));
    let held = house.runtime.tenant(&tenant("a"));
    assert_eq!((held.running, held.queued), (1, 2));
    house.go("gate");
    for task in [&first, &second] {
        assert_eq!(ending(house.end(task).await), "completed");
    }
    within(third).await.unwrap().unwrap();
    let mut effects = house.lines("effects");
    effects[2..].sort();
    assert_eq!(effects, ["other", "another", "call", "task"]);
}

#[tokio::test]
async fn a_full_line_refuses_its_tenant_by_the_name_of_the_cap() {
    let house = House::with(|options| {
        options.running_max = 1;
        options.tenants.usual.queued_max = 2;
        let narrow = Share {
            queued_max: 1,
            ..Share::default()
        };
        options.tenants.special.insert(tenant("narrow"), narrow);
    })
    .await;
    let mut tasks = vec![busy(&house, "a", "gate").await];
    for (of, max) in [("a", 2), ("narrow", 1)] {
        for name in 0..max {
            let request = script(&house, of, [step(&name.to_string())]);
            tasks.push(house.submit(request).await);
        }
        let request = || script(&house, of, [step("refused")]);
        let submitted = house.runtime.submit(request()).await.map(drop);
        let called = house.runtime.call(request(), |_| {}).await.map(drop);
        for refused in [submitted, called] {
            let Err(error @ Error::TenantBusy { queued, max: cap }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!((queued, cap), (max, max));
            let expect = format!(
                "{max} tasks of this tenant are queued already (its `queued_max` is {max}); try \
                 again later"
            );
            assert_eq!(error.to_string(), expect);
        }
    }
    house.go("gate");
    for task in &tasks {
        assert_eq!(ending(house.end(task).await), "completed");
    }
    assert_eq!(house.lines("effects").len(), 3);
}

#[tokio::test]
async fn two_tenants_with_long_lines_leave_room_for_a_third() {
    let house = House::with(|options| {
        options.running_max = 1;
        options.queued_max = 20;
        options.tenants.usual.queued_max = 10;
    })
    .await;
    let mut tasks = vec![busy(&house, "a", "gate").await];
    for (of, places) in [("a", 10), ("b", 8)] {
        for _ in 0..places {
            tasks.push(house.submit(script(&house, of, [])).await);
        }
    }
    let error = refused(house.runtime.submit(script(&house, "b", [])).await);
    let expect = "18 tasks are queued already (`queued_max` is 20, its last tenth for tenants with \
                  few); try again later";
    assert_eq!(error, expect);
    tasks.push(house.submit(script(&house, "c", [])).await);
    let again = house.runtime.submit(script(&house, "c", [])).await;
    assert!(matches!(
        again,
        Err(Error::Busy {
            queued: 19,
            max: 20
        })
    ));
    house.go("gate");
    for task in &tasks {
        assert_eq!(ending(house.end(task).await), "completed");
    }
}

#[tokio::test]
async fn what_could_never_be_loaded_is_refused_by_the_name_of_the_cap() {
    let house = House::with(|options| {
        options.tenants.usual.memory_max = 32 * MIB;
        let wide = Share::default();
        options.tenants.special.insert(tenant("wide"), wide);
        options.memory_max = 48 * MIB;
    })
    .await;
    for (of, max) in [("a", 32 * MIB), ("wide", 48 * MIB)] {
        let within = |memory| Request {
            limits: Limits {
                memory,
                ..Limits::default()
            },
            ..script(&house, of, [])
        };
        let submitted = house.runtime.submit(within(max + 1)).await.map(drop);
        let called = house.runtime.call(within(max + 1), |_| {}).await.map(drop);
        for refused in [submitted, called] {
            let Err(error @ Error::NoRoom { .. }) = refused else {
                panic!("{refused:?}")
            };
            let expect = format!(
                "the memory limit of {} bytes is past the {max} that the tenant may load at once \
                 (`memory_max`)",
                max + 1
            );
            assert_eq!(error.to_string(), expect);
        }
        let task = house.submit(within(max)).await;
        assert_eq!(ending(house.end(&task).await), "completed");
    }
}

#[tokio::test]
async fn what_a_tenant_held_is_given_back_however_it_ended() {
    let house = House::with(|options| options.running_max = 1).await;
    let ends = busy(&house, "a", "gate").await;
    let fails = house
        .submit(script(&house, "a", [json!({"trap": true})]))
        .await;
    let cancelled = house.submit(script(&house, "a", [step("cancelled")])).await;
    let called = call(&house, script(&house, "a", [step("called")]));
    let dropped = call(&house, script(&house, "a", [step("dropped")]));
    until(&house, "a", |held| held.queued == 4).await;
    let last = house.submit(script(&house, "a", hold("last"))).await;
    let has_one = || {
        let held = house.runtime.tenant(&tenant("a"));
        (held.running, held.memory) == (1, 64 * MIB)
    };
    assert!(has_one());
    let cancel = Cancellation::graceful(me());
    house.runtime.cancel(&cancelled, cancel).await.unwrap();
    dropped.abort();
    until(&house, "a", |held| held.queued == 3).await;
    house.go("gate");
    assert_eq!(ending(house.end(&ends).await), "completed");
    assert_eq!(ending(house.end(&fails).await), "failed trap");
    house.at("last").await;
    assert!(has_one(), "what the others held is given back");
    house.go("last");
    assert_eq!(ending(house.end(&last).await), "completed");
    within(called).await.unwrap().unwrap();
    let record = house.end(&cancelled).await;
    assert_eq!(ending(&record), "cancelled not-started");
    until(&house, "a", |held| {
        (held.running, held.queued, held.memory) == (0, 0, 0)
    })
    .await;
    assert!(house.runtime.tenant(&tenant("a")).cpu > Duration::ZERO);
    assert_eq!(house.runtime.tenant(&tenant("b")), TenantGauges::default());
    assert_eq!(house.lines("effects"), ["called"]);
}

#[tokio::test]
async fn what_tidies_up_goes_before_what_goes_on_and_that_before_what_is_new() {
    let house = House::still_with(|options| options.running_max = 1).await;
    let nap = |millis: u32| json!({"sleep": "nap", "ms": millis});
    let goes_on = script(&house, "a", [nap(60_000), step("goes on")]);
    let goes_on = house.submit(goes_on).await;
    let mut tidies_up = script(&house, "a", [step("begun"), nap(3_600_000)]);
    tidies_up.arguments["on_stop"] = json!([step("tidies up")]);
    let tidies_up = house.submit(tidies_up).await;
    for task in [&goes_on, &tidies_up] {
        house.until(task, "waiting(timer)").await;
    }
    let first = busy(&house, "a", "gate").await;
    let new = house.submit(script(&house, "a", [step("new")])).await;
    let mark = house.submit(script(&house, "a", [step("mark")])).await;
    let cancel = || Cancellation::graceful(me());
    house.runtime.cancel(&tidies_up, cancel()).await.unwrap();
    let hand = house.hand.as_ref().unwrap();
    hand.advance(Duration::from_secs(60));
    house.until(&goes_on, "queued").await;
    // Those before it have come to their line when this one has left it.
    house.runtime.cancel(&mark, cancel()).await.unwrap();
    until(&house, "a", |held| held.queued == 1).await;
    house.go("gate");
    for (task, expect) in [
        (&first, "completed"),
        (&tidies_up, "cancelled clean"),
        (&goes_on, "completed"),
        (&new, "completed"),
    ] {
        assert_eq!(ending(house.end(task).await), expect);
    }
    let effects = house.lines("effects");
    assert_eq!(effects, ["begun", "tidies up", "goes on", "new"]);
}

#[tokio::test]
async fn a_setting_with_which_nothing_would_run_is_refused_by_its_name() {
    let dir = common::scratch::scratch();
    let data_dir = dir.path().join("data");
    let mut settings = Vec::new();
    for (name, least) in [
        ("weight", 1),
        ("running_max", 1),
        ("queued_max", 1),
        ("memory_max", 2 * MIB),
    ] {
        let mut share = Share::default();
        let mut all = Options::new(&data_dir);
        match name {
            "weight" => share.weight = 0,
            "running_max" => (share.running_max, all.running_max) = (0, 0),
            "queued_max" => (share.queued_max, all.queued_max) = (0, 0),
            _ => (share.memory_max, all.memory_max) = (2 * MIB - 1, 2 * MIB - 1),
        }
        let (mut usual, mut special) = (Options::new(&data_dir), Options::new(&data_dir));
        usual.tenants.usual = share;
        special.tenants.special.insert(tenant("acme"), share);
        settings.push((usual, format!("tenants.usual.{name}"), least));
        settings.push((special, format!("tenants.special.acme.{name}"), least));
        if name != "weight" {
            settings.push((all, name.to_owned(), least));
        }
    }
    for (options, name, least) in settings {
        let error = refused(stepwell::runtime::Runtime::start(options).await);
        let value = least - 1;
        let expect = format!("the setting `{name}` is {value}, and must be at least {least}");
        assert_eq!(error, expect);
    }
    assert!(!data_dir.exists(), "nothing was begun");
}
