//! Pausing: a task leaves at its next boundary, wherever it is when it is asked.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod common;

use common::{House, ending, me, step, within};
use serde_json::json;
use stepwell::task::Record;

/// One that is asked to pause between its admission and its loading is not asked in vain.
#[tokio::test]
async fn a_task_that_has_just_begun_is_paused() {
    let house = House::new().await;
    for round in 0..10 {
        // Boundaries at which nothing is written, so that no record tells of the attempt.
        let idle = json!({"repeat": 50_000, "ops": [{"begin": "x"}, {"abandon": "x"}]});
        let first = json!({"on_attempt": 1, "ops": [idle]});
        let task = house.script(json!({"ops": [first, step("a")]})).await;
        let has_begun = |record: &Record| record.attempt > 0;
        within(house.runtime.wait_for(&task, has_begun))
            .await
            .unwrap();
        let paused = within(house.runtime.pause(&task, &me())).await.unwrap();
        assert_eq!(paused.status().as_str(), "paused");
        assert_eq!(house.lines("effects").len(), round);
        house.runtime.resume(&task, &me()).await.unwrap();
        let record = house.end(&task).await;
        assert_eq!((ending(&record).as_str(), record.attempt), ("completed", 2));
    }
}
