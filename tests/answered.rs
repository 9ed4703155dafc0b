//! A request that the host answered at once is a task like others, but nothing ever ran.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod common;

use std::time::Duration;

use common::{House, ending, me, refused, within};
use serde_json::{Value, json};
use stepwell::id::CheckpointId;
use stepwell::runtime::{Answered, Cancellation, Error};
use stepwell::store::Filter;
use stepwell::task::{Entry, Illegal, Spec, Status};

const HOUR: Duration = Duration::from_secs(3_600);

fn listing() -> Answered {
    Answered {
        owner: me(),
        method: "tools/list".into(),
        arguments: json!({"cursor": null}),
        output: json!({"tools": []}),
        ttl: HOUR * 2,
        key: Some("k".into()),
        name: Some("listing".into()),
    }
}

#[tokio::test]
async fn it_has_ended_when_it_is_accepted_and_goes_with_its_time() {
    let house = House::still().await;
    let accepted = house.runtime.answered(listing()).await.unwrap();
    let (record, task) = (accepted.record.clone(), accepted.record.key());
    assert!(accepted.is_new);
    assert_eq!(
        (record.status(), record.spec.component),
        (Status::Completed, Spec::HOST)
    );
    assert_eq!(ending(house.end(&task).await), "completed");
    let expected = [Entry::Status {
        from: None,
        to: Status::Completed,
    }];
    assert_eq!(house.events(&task).await, expected);
    let output = house.runtime.output_bytes(&task).await.unwrap().unwrap();
    let output: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(output, json!({"tools": []}));
    let again = house.runtime.answered(listing()).await.unwrap();
    assert_eq!((again.is_new, again.record.key()), (false, task.clone()));

    let house = house.crash().await;
    assert_eq!(
        house.runtime.named(&me(), "listing").await.unwrap(),
        Some(task.clone())
    );
    let all = Filter::default();
    let page = house
        .runtime
        .list(&me().tenant, all, None, 10)
        .await
        .unwrap();
    assert_eq!(page.records, [record]);
    house.runtime.adopt(&task).await.unwrap();
    assert!(!house.runtime.is_loaded(&task));
    house.hand.as_ref().unwrap().advance(HOUR * 2);
    within(async {
        while house.runtime.record(&task).await.is_ok() {
            house.runtime.retain().await.unwrap();
        }
    })
    .await;
    assert_eq!(house.runtime.tenant(&me().tenant).stored, 0);
    assert!(house.runtime.answered(listing()).await.unwrap().is_new);
}

#[tokio::test]
async fn nobody_can_go_on_from_it() {
    let house = House::still().await;
    let task = house
        .runtime
        .answered(listing())
        .await
        .unwrap()
        .record
        .key();
    let reason = "the host itself has answered this task, so there is nothing to go on from";
    assert_eq!(
        refused(house.runtime.fork(&task, &me(), None, None).await),
        reason
    );
    let restored = house
        .runtime
        .restore(&task, &me(), CheckpointId(0))
        .await
        .unwrap();
    assert_eq!(restored.not_resumed, Some(Illegal::Answered));
    let cancel = Cancellation::graceful(me());
    let error = house.runtime.cancel(&task, cancel).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Illegal(Illegal::Ended(Status::Completed))
    ));
}

#[tokio::test]
async fn it_is_held_to_limits_too() {
    let house = House::still().await;
    let answer = async |answered| house.runtime.answered(answered).await;
    let long = Answered {
        output: json!("x".repeat(2 << 20)),
        ..listing()
    };
    assert_eq!(
        refused(answer(long).await),
        "the answer: 2097154 bytes, and at most 1048576 are taken"
    );
    let short = Answered {
        ttl: HOUR,
        ..listing()
    };
    assert!(refused(answer(short).await).starts_with("ttl must be between"));
    let keyless = Answered {
        key: Some(String::new()),
        ..listing()
    };
    assert!(matches!(answer(keyless).await, Err(Error::InvalidKey)));
    let first = answer(listing()).await.unwrap().record.key();
    let other = Answered {
        key: None,
        ..listing()
    };
    assert!(matches!(answer(other).await, Err(Error::NameTaken(task)) if task == first));
}
