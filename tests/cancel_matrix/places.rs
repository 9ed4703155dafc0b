//! The places of a task's life at which it is cancelled while it is queued or at work.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::id::TaskKey;
use stepwell::limit::Limits;
use stepwell::runtime::Request;
use stepwell::task::{How, Mode, Reason};

use crate::case::{Case, Expect, SLOTS, settled};
use crate::common::{House, ending, me, within};

pub(crate) const HOUR: u64 = 3_600_000;

/// What a cancel comes to where the tool may tidy up, or may not.
pub(crate) async fn tidied_or_cut(
    case: &Case<'_>,
    task: &TaskKey,
    before: &[&str],
    doubts: &[&str],
) {
    let tidied = [before, &["undo"]].concat();
    let expect = match case.is_immediate() {
        false => Expect {
            how: How::Clean,
            effects: &tidied,
            doubts: &[],
        },
        true => Expect {
            how: How::Immediate,
            effects: before,
            doubts,
        },
    };
    let record = case.ends(task, expect).await;
    assert_eq!(case.is_told(record.attempt), !case.is_immediate());
}

/// Where the tool had done nothing that lasts, it is not asked, whatever the mode.
pub(crate) async fn not_started(case: &Case<'_>, task: &TaskKey) {
    let (how, effects, doubts) = (How::NotStarted, &[][..], &[][..]);
    let expect = Expect {
        how,
        effects,
        doubts,
    };
    case.ends(task, expect).await;
}

pub(crate) async fn before_the_start(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let mut others = Vec::new();
    for other in 0..SLOTS {
        let other = Case::new(house, mode)
            .script(case.hold(&format!("gate-{other}")))
            .await;
        others.push(other);
    }
    for other in 0..SLOTS {
        case.at(&format!("gate-{other}")).await;
    }
    let task = case.script([case.step("a")]).await;
    let gauges = house.runtime.gauges();
    assert_eq!((gauges.running, gauges.queued), (SLOTS, 1));
    let record = case.cancel(&task).await;
    assert_eq!(
        (ending(&record).as_str(), record.attempt),
        ("cancelled not-started", 0)
    );
    // Its place is free again while the others run on.
    within(async {
        while house.runtime.gauges().queued > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for (other, task) in others.iter().enumerate() {
        case.go(&format!("gate-{other}"));
        assert_eq!(ending(house.end(task).await), "completed");
    }
    not_started(&case, &task).await;
}

pub(crate) async fn between_steps(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let [here, wait] = case.hold("gate");
    let task = case
        .script([case.step("a"), here, wait, case.step("b")])
        .await;
    case.at("gate").await;
    case.cancel(&task).await;
    if case.is_immediate() {
        // It does not come past the gate.
        settled(house).await;
    }
    case.go("gate");
    tidied_or_cut(&case, &task, &["a"], &[]).await;
}

pub(crate) async fn between_steps_where_it_asks(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let [here, wait] = case.hold("gate");
    let asks = json!({"stop_requested": true});
    let ops = [
        case.once("a"),
        asks.clone(),
        here,
        wait,
        asks,
        case.step("b"),
    ];
    let task = case.script(ops).await;
    case.at("gate").await;
    case.cancel(&task).await;
    if case.is_immediate() {
        settled(house).await;
    }
    case.go("gate");
    tidied_or_cut(&case, &task, &["a"], &[]).await;
    assert_eq!(case.transcript(1)[1], json!({"stop_requested": null}));
}

/// The operations of a `once` step at work, which waits before its effect.
fn at_work(case: &Case<'_>) -> Vec<Value> {
    let begin = json!({"begin": "a", "effect": "once"});
    let [here, wait] = case.hold("gate");
    let complete = json!({"complete": "a", "output": "a"});
    vec![
        begin,
        here,
        wait,
        case.effect("a"),
        complete,
        case.step("b"),
    ]
}

pub(crate) async fn inside_a_step(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let task = case.script(at_work(&case)).await;
    case.at("gate").await;
    case.cancel(&task).await;
    if case.is_immediate() {
        settled(house).await;
        case.go("gate");
        return tidied_or_cut(&case, &task, &[], &["a"]).await;
    }
    // The step comes to its own end first.
    case.go("gate");
    tidied_or_cut(&case, &task, &["a"], &[]).await;
    let transcript = case.transcript(1);
    let done = transcript
        .iter()
        .position(|entry| entry["completed"] == "a");
    let told = transcript
        .iter()
        .position(|entry| entry["stop"] == "cancelled");
    assert!(done.is_some() && done < told, "{transcript:?}");
}

pub(crate) async fn inside_a_host_call(house: &House, mode: Mode) {
    never_comes_back(house, mode, json!({"sleep_host": 10 * HOUR})).await;
}

pub(crate) async fn while_it_computes(house: &House, mode: Mode) {
    never_comes_back(house, mode, json!({"spin_forever": true})).await;
}

/// A tool that comes to no boundary any more is cut off when the most grace of all is over.
async fn never_comes_back(house: &House, mode: Mode, op: Value) {
    let case = Case::new(house, mode);
    let task = case.script([case.step("a"), case.effect("gone"), op]).await;
    within(async {
        while case.effects().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    case.cancel(&task).await;
    let how = match mode {
        Mode::Immediate => How::Immediate,
        Mode::Graceful => {
            house
                .runtime
                .wait_for(&task, |it| it.state.stop().is_some())
                .await
                .unwrap();
            case.pass(Duration::from_secs(30));
            How::Forced { step: None }
        }
    };
    let (effects, doubts) = (&["a", "gone"][..], &[][..]);
    let expect = Expect {
        how,
        effects,
        doubts,
    };
    case.ends(&task, expect).await;
}

pub(crate) fn night() -> Value {
    json!({"sleep": "night", "ms": HOUR})
}

pub(crate) async fn in_a_short_sleep(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let nap = json!({"sleep": "nap", "ms": 900});
    let task = case
        .script([case.step("a"), case.effect("naps"), nap, case.step("b")])
        .await;
    within(async {
        while case.effects().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(house.runtime.is_loaded(&task));
    case.cancel(&task).await;
    tidied_or_cut(&case, &task, &["a", "naps"], &[]).await;
}

pub(crate) async fn during_replay(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let hold = json!({"on_attempt": 2, "ops": case.hold("gate")});
    let ops = [
        case.step("a"),
        hold,
        case.once("b"),
        night(),
        case.step("c"),
    ];
    let task = case.script(ops).await;
    house.until(&task, "waiting(timer)").await;
    case.pass(Duration::from_millis(HOUR));
    case.at("gate").await;
    case.cancel(&task).await;
    if case.is_immediate() {
        settled(house).await;
    }
    case.go("gate");
    // What was done is no doubt where it was not shown to this attempt.
    tidied_or_cut(&case, &task, &["a", "b"], &[]).await;
    if !case.is_immediate() {
        let shown: Vec<_> = case.transcript(2).into_iter().skip(3).take(2).collect();
        assert_eq!(shown, [json!({"replay": "b"}), json!({"slept": "night"})]);
    }
}

/// The clean-up is that of a deadline here; the task ends `cancelled` nevertheless.
pub(crate) async fn during_clean_up(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let [here, wait] = case.hold("gate");
    let [tidies, waits] = case.hold("tidies");
    let mut request: Request = case.request([case.step("a"), here, wait, case.step("b")]);
    request.arguments["on_stop"] = json!([tidies, waits, case.step("undo")]);
    request.limits = Limits {
        deadline: 60_000,
        ..Limits::default()
    };
    let task = house.submit(request).await;
    case.at("gate").await;
    case.pass(Duration::from_secs(60));
    house
        .runtime
        .wait_for(&task, |it| it.state.stop().is_some())
        .await
        .unwrap();
    case.go("gate");
    case.at("tidies").await;
    case.cancel(&task).await;
    if case.is_immediate() {
        settled(house).await;
    }
    case.go("tidies");
    let (how, effects) = match mode {
        Mode::Graceful => (How::Clean, &["a", "undo"][..]),
        Mode::Immediate => (How::Immediate, &["a"][..]),
    };
    let expect = Expect {
        how,
        effects,
        doubts: &[],
    };
    let record = case.ends(&task, expect).await;
    let reason = record.state.stop().map(|stop| stop.reason);
    assert_eq!(reason, Some(Reason::DeadlineExceeded));
    assert!(
        case.transcript(1)
            .iter()
            .any(|it| it["stop"] == "deadline-exceeded")
    );
}

pub(crate) async fn while_it_is_about_to_pause(house: &House, mode: Mode) {
    let case = Case::new(house, mode);
    let [here, wait] = case.hold("gate");
    let task = case
        .script([case.step("a"), here, wait, case.step("b")])
        .await;
    case.at("gate").await;
    let paused = {
        let (runtime, task) = (house.runtime.clone(), task.clone());
        tokio::spawn(async move { runtime.pause(&task, &me()).await })
    };
    tokio::task::yield_now().await;
    case.cancel(&task).await;
    if case.is_immediate() {
        settled(house).await;
    }
    case.go("gate");
    tidied_or_cut(&case, &task, &["a"], &[]).await;
    assert!(within(paused).await.unwrap().is_err());
}
