//! How much is kept of a call: what the tool says of itself, and what the configuration may say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod common;
#[path = "sandbox/wat.rs"]
mod wat;

use common::{House, ops, refused, step};
use stepwell::id::Digest;
use stepwell::runtime::{Error, Request};
use stepwell::task::Policy::{self, Always, Auto, Never, Required};
use stepwell_guest_examples::{ETL_PIPELINE, NOTIFY};

async fn add(house: &House, component: &[u8]) -> Digest {
    let registered = house.runtime.add(component.to_vec()).await.unwrap();
    registered.manifest.component
}

#[tokio::test]
async fn what_a_tool_says_of_itself_can_be_overridden_but_not_contradicted() {
    let house = House::still().await;
    let reader = wat::tool(wat::Parts {
        // Read-only, and tasks are optional.
        core: r#"(data (i32.const 128) "\01\01\00\00\00\00\00\00\01")"#,
        ..wat::Parts::default()
    });
    let reader = add(&house, &reader).await;
    let (etl, notify) = (add(&house, ETL_PIPELINE).await, add(&house, NOTIFY).await);
    let all = [Never, Auto, Required, Always];
    let cases: [(_, _, _, &[Policy]); 4] = [
        (house.component, "script", Auto, &all),
        (reader, "tool", Never, &all),
        (etl, "etl_pipeline", Required, &[Auto, Required, Always]),
        (notify, "notify", Never, &[Never]),
    ];
    for (component, tool, usual, may) in cases {
        let policy = async |wanted| house.runtime.policy(component, tool, wanted).await;
        assert_eq!(policy(None).await.unwrap(), usual, "{tool}");
        for wanted in all {
            match policy(Some(wanted)).await {
                Ok(policy) => assert!(policy == wanted && may.contains(&wanted), "{tool}"),
                Err(Error::Policy(why)) => {
                    assert!(!may.contains(&wanted), "{why}");
                    assert_eq!((&*why.tool, why.policy), (tool, wanted));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn a_request_is_held_to_the_policy_that_it_is_given() {
    let house = House::still().await;
    let with = |policy| Request {
        policy: Some(policy),
        ..house.request("script", ops([step("a")]))
    };
    let task = house.submit(with(Always)).await;
    assert_eq!(house.end(&task).await.spec.policy, Always);
    let expect = "the tool `script` keeps nothing of its calls, so it can't be run as a task";
    assert_eq!(refused(house.runtime.submit(with(Never)).await), expect);
    let named = Request {
        name: Some("mine".into()),
        ..with(Never)
    };
    assert_eq!(refused(house.runtime.call(named, |_| {}).await), expect);
    let called = house.runtime.call(with(Never), |_| {}).await.unwrap();
    assert!(called.result.is_ok());
    let notify = add(&house, NOTIFY).await;
    let kept = Request {
        policy: Some(Auto),
        ..Request::new(notify, "notify", serde_json::json!({"message": "x"}))
    };
    let expect =
        "the policy `auto` contradicts the tool `notify`, which says that tasks are forbidden";
    assert_eq!(refused(house.runtime.submit(kept).await), expect);
}
