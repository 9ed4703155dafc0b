//! Cancelled more than once: the first decides who and why, later ones only hurry it.

use std::sync::Arc;
use std::time::Duration;

use stepwell::id::{Principal, TaskKey};
use stepwell::runtime::{Cancellation, Error};
use stepwell::task::{Actor, Cancel, How, Illegal, Mode, Status};

use crate::case::{Case, ends, terminals};
use crate::common::{House, me, within};

async fn held(case: &Case<'_>) -> TaskKey {
    let [here, wait] = case.hold("gate");
    let task = case
        .script([case.step("a"), here, wait, case.step("b")])
        .await;
    case.at("gate").await;
    task
}

/// Somebody else of the same tenant.
fn somebody() -> Principal {
    Principal {
        subject: "somebody".into(),
        ..me()
    }
}

fn within_grace(by: Principal, why: &str, seconds: u64) -> Cancellation {
    Cancellation {
        why: Some(why.into()),
        grace: Some(Duration::from_secs(seconds)),
        ..Cancellation::graceful(by)
    }
}

async fn cancel(house: &House, task: &TaskKey, cancel: Cancellation) -> (u64, Cancel) {
    let record = house
        .runtime
        .cancel(task, cancel)
        .await
        .expect("the task is live");
    let stop = record.state.stop().expect("the stop is on record");
    (stop.grace, stop.cancel.clone().expect("so is the cancel"))
}

#[tokio::test]
async fn the_first_decides_and_later_ones_only_shorten_its_grace() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let task = held(&case).await;
    let (grace, first) = cancel(&house, &task, within_grace(me(), "first", 8)).await;
    assert_eq!((grace, first.why.as_deref()), (8_000, Some("first")));
    for (seconds, left) in [(9, 8_000), (5, 5_000), (7, 5_000)] {
        let (grace, recorded) =
            cancel(&house, &task, within_grace(somebody(), "later", seconds)).await;
        assert_eq!((grace, recorded), (left, first.clone()));
    }
    case.go("gate");
    let record = ends(&house, &task, How::Clean, &[]).await;
    assert_eq!(case.effects(), ["a", "undo"]);
    let stop = record.state.stop().unwrap();
    assert_eq!((stop.grace, stop.cancel.as_ref()), (5_000, Some(&first)));
    let transcript = case.transcript(1);
    let told = transcript.iter().find(|it| it["stop"] == "cancelled");
    let grace = told.and_then(|it| it["grace"].as_u64());
    assert!(grace.is_some_and(|grace| grace <= 5_000), "{transcript:?}");
}

#[tokio::test]
async fn an_immediate_one_ends_what_a_graceful_one_began() {
    let house = House::new().await;
    let case = Case::new(&house, Mode::Graceful);
    let task = held(&case).await;
    let (_, first) = cancel(&house, &task, within_grace(me(), "first", 8)).await;
    let (_, recorded) = cancel(&house, &task, Cancellation::immediate(somebody())).await;
    assert_eq!(recorded, first);
    let record = ends(&house, &task, How::Immediate, &[]).await;
    assert_eq!(record.state.stop().unwrap().cancel, Some(first));
    case.go("gate");
    assert_eq!(case.effects(), ["a"]);
}

#[tokio::test]
async fn many_at_once_are_one() {
    let house = House::new().await;
    for mode in [Mode::Graceful, Mode::Immediate] {
        let case = Case::new(&house, mode);
        let task = held(&case).await;
        let cancels = (0..16).map(|number| {
            let (runtime, task) = (house.runtime.clone(), task.clone());
            let cancel = Cancellation {
                why: Some(format!("number {number}")),
                mode,
                ..Cancellation::graceful(me())
            };
            tokio::spawn(async move { runtime.cancel(&task, cancel).await })
        });
        let mut taken = Vec::new();
        for cancel in cancels.collect::<Vec<_>>() {
            match within(cancel).await.unwrap() {
                Ok(record) => taken.push(record.state.stop().unwrap().cancel.clone().unwrap()),
                Err(Error::Illegal(Illegal::Ended(Status::Cancelled))) => {}
                Err(error) => panic!("{error}"),
            }
        }
        case.go("gate");
        let record = house.end(&task).await;
        assert_eq!(terminals(&house, &task).await, ["cancelled"]);
        let recorded = record.state.stop().unwrap().cancel.clone().unwrap();
        assert_eq!(recorded.by, Actor::Principal(Arc::new(me())));
        assert!(taken.iter().all(|cancel| *cancel == recorded));
        let expected = match mode {
            Mode::Graceful => 16,
            Mode::Immediate => 1,
        };
        assert_eq!(taken.len(), expected);
    }
}
