//! What a tenant may use in a day and have kept: counted over restarts, and refused past it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, hold, me, ops, refused, step, within};
use serde_json::json;
use stepwell::audit::Act;
use stepwell::runtime::{Error, Options, Request, Share};
use stepwell::store::Note;
use stepwell_guest_examples::{NOTIFY, TEST_GUEST};

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn capped(share: Share) -> impl FnOnce(&mut Options) {
    move |options| options.tenants.usual = share
}

fn over(error: &Error) -> (&'static str, u64, Option<u64>) {
    match error {
        Error::TenantOverBudget {
            cap, max, resets, ..
        } => (cap, *max, resets.map(|at| at.0)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_days_fuel_is_counted_over_restarts_and_begins_anew_at_midnight() {
    let share = Share {
        fuel_per_day: Some(1),
        ..Share::default()
    };
    let house = House::still_with(capped(share)).await;
    let request = || house_request(&house);
    let task = house.script(ops([step("a")])).await;
    let record = house.end(&task).await;
    let used = house.runtime.tenant(&me().tenant);
    assert_eq!(used.fuel_today, record.usage.fuel);
    let error = house.runtime.submit(request()).await.unwrap_err();
    let midnight = house.runtime.clock().now().next_day().0;
    assert_eq!(over(&error), ("fuel_per_day", 1, Some(midnight)));
    assert_eq!(error.code(), "tenant-over-budget");
    let text = error.to_string();
    assert!(
        text.contains("past its fuel_per_day") && text.contains("begins anew at"),
        "{text}"
    );
    refused(house.runtime.call(request(), |_| {}).await);
    over(
        &house
            .runtime
            .fork(&task, &me(), None, None)
            .await
            .unwrap_err(),
    );

    let house = house.crash().await;
    assert_eq!(
        house.runtime.tenant(&me().tenant),
        house.runtime.tenant(&me().tenant)
    );
    assert_eq!(
        house.runtime.tenant(&me().tenant).fuel_today,
        used.fuel_today
    );
    over(
        &house
            .runtime
            .submit(house_request(&house))
            .await
            .unwrap_err(),
    );
    house.hand.as_ref().unwrap().advance(DAY);
    assert_eq!(house.runtime.tenant(&me().tenant).fuel_today, 0);
    let child = house.runtime.fork(&task, &me(), None, None).await.unwrap();
    house.end(&child.key()).await;
}

fn house_request(house: &House) -> Request {
    house.request("script", ops([step("a")]))
}

#[tokio::test]
async fn a_call_of_which_nothing_is_kept_is_charged_for_all_the_same() {
    let house = House::still().await;
    let notify = house.runtime.add(NOTIFY.to_vec()).await.unwrap();
    let request = Request::new(
        notify.manifest.component,
        "notify",
        json!({"message": "hi"}),
    );
    let called = within(house.runtime.call(request, |_| {})).await.unwrap();
    let fuel = || house.runtime.tenant(&me().tenant).fuel_today;
    assert!(called.usage.fuel > 0);
    assert_eq!(fuel(), called.usage.fuel);
    // One whose caller goes away is charged for what it came to use.
    let spin = ops([json!({"print": "it spins"}), json!({"spin_forever": true})]);
    let (runtime, spin) = (house.runtime.clone(), house.request("script", spin));
    let (said, mut saying) = tokio::sync::mpsc::unbounded_channel();
    let listen = move |entry| drop(said.send(entry));
    let spinning = tokio::spawn(async move { runtime.call(spin, listen).await.map(drop) });
    within(saying.recv()).await.expect("it says that it spins");
    spinning.abort();
    within(async {
        while house.runtime.gauges().running > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let spent = fuel();
    assert!(spent > called.usage.fuel);
    let house = house.reopen().await;
    assert_eq!(house.runtime.tenant(&me().tenant).fuel_today, spent);
}

#[tokio::test]
async fn what_is_kept_is_counted_and_comes_free_again() {
    let share = Share {
        stored_max: Some(10_000),
        ..Share::default()
    };
    let house = House::still_with(capped(share)).await;
    let stored = || house.runtime.tenant(&me().tenant).stored;
    let long = json!({"step": {"name": "long", "output": "x".repeat(12_000)}});
    let at_work = house
        .script(ops([long].into_iter().chain(hold("gate"))))
        .await;
    house.at("gate").await;
    assert!(stored() > 12_000);
    let error = house
        .runtime
        .submit(house_request(&house))
        .await
        .unwrap_err();
    assert_eq!(over(&error), ("stored_max", 10_000, None));
    let note = Note {
        name: "n".into(),
        bytes: b"{}"[..].into(),
        expires: house.runtime.clock().now().plus(DAY),
    };
    over(
        &house
            .runtime
            .put_note(&me(), "session", note)
            .await
            .unwrap_err(),
    );
    house.go("gate");
    let record = house.end(&at_work).await;
    assert_eq!(
        record.status().as_str(),
        "completed",
        "it is not ended by it"
    );

    let house = house.reopen().await;
    house.hand.as_ref().unwrap().advance(DAY * 8);
    within(async {
        while house.runtime.tenant(&me().tenant).stored > 0 {
            house.runtime.retain().await.unwrap();
        }
    })
    .await;
    // What nobody needs any more was forgotten with the last task that did.
    house.runtime.add(TEST_GUEST.to_vec()).await.unwrap();
    let task = house.submit(house_request(&house)).await;
    house.end(&task).await;
    let page = house.runtime.audit_after(0, 1_000, None).await.unwrap();
    let refusals = page.entries.iter().filter_map(|it| match &it.entry.act {
        Act::Refused { what, code, .. } => Some((what.to_string(), code.to_string())),
        _ => None,
    });
    let over = |what: &str| (what.to_owned(), "tenant-over-budget".to_owned());
    assert_eq!(refusals.collect::<Vec<_>>(), [over("submit"), over("note")]);
}
