//! The transitions of a task: which arrows there are, and what each of them keeps.

use stepwell::clock::Timestamp;
use stepwell::id::{CheckpointId, TaskId};
use stepwell::limit::{Limits, TOOL_CHECKPOINTS_MAX};
use stepwell::task::{
    CannotFork, Effect, Ending, Event, How, Illegal, Mode, Origin, Outcome, Reason, State, Status,
    ToolError, Usage, fork,
};

#[path = "task/boundary.rs"]
mod boundary;
#[path = "task/given.rs"]
mod given;

use given::{
    Task, answered, asks, cancel, client_saved, deadline, done, due, ended, events, failed,
    graceful, is_ended, restored, saved, sleeps, states, status, suspended, transient,
};

/// The table of a task's life: from, and where to.
const ARROWS: &[(Status, &[Status])] = {
    use Status::{
        Cancelled, Completed, Failed, Paused, Queued, Running, WaitingInput, WaitingTimer,
    };
    &[
        (Queued, &[Running, Cancelled, Failed, Paused]),
        (
            Running,
            &[
                Queued,
                WaitingTimer,
                WaitingInput,
                Paused,
                Completed,
                Failed,
                Cancelled,
            ],
        ),
        (WaitingTimer, &[Queued, Paused, Failed, Cancelled]),
        (WaitingInput, &[Queued, Paused, Failed, Cancelled]),
        (
            Paused,
            &[Queued, WaitingTimer, WaitingInput, Failed, Cancelled],
        ),
    ]
};

#[test]
fn there_are_the_arrows_of_the_table_and_no_other() {
    let mut seen = Vec::new();
    for before in states() {
        for event in events() {
            let mut task = before.clone();
            if task.apply(event).is_ok() && status(&task) != status(&before) {
                seen.push((status(&before), status(&task)));
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let table = ARROWS.iter();
    let table = table.flat_map(|(from, to)| to.iter().map(|to| (*from, *to)));
    let mut table: Vec<_> = table.collect();
    table.sort_unstable();
    assert_eq!(seen, table);
}

#[test]
fn a_terminal_state_never_changes() {
    for ended in states().into_iter().filter(is_ended) {
        for event in events() {
            let mut task = ended.clone();
            let forked = matches!(event, Event::Forked { .. });
            let applied = task.apply(event);
            assert_eq!(applied.is_ok(), forked, "{applied:?}");
            assert_eq!(task.record.state, ended.record.state);
        }
    }
}

#[test]
fn a_recorded_cancel_wins_over_whatever_comes_after_it() {
    let endings = [
        ended(Ending::Returned),
        ended(Ending::Error(ToolError::Stopped)),
        ended(Ending::Forced { step: None }),
        failed(),
    ];
    for ending in endings {
        let task = Task::new().after([Event::Admitted, deadline(10), graceful(), ending]);
        assert_eq!(status(&task), Status::Cancelled);
        let reason = task.record.state.stop().map(|stop| stop.reason);
        assert_eq!(reason, Some(Reason::DeadlineExceeded), "the first decides");
    }
}

#[test]
fn an_older_attempt_writes_nothing() {
    let mut task = Task::new().after([Event::Admitted]);
    let old = task.fenced(7);
    task = task.after([Event::Crashed]);
    let queued = task.apply_as(old, done("late", false));
    let fenced = |attempt, newest| Some(Illegal::Fenced { attempt, newest });
    assert_eq!(queued.err(), fenced(1, 1));
    task = task.after([Event::Admitted]);
    let running = task.apply_as(old, done("late", false));
    assert_eq!(running.err(), fenced(1, 2));
    assert_eq!(task.record.usage, Usage::default());
}

#[test]
fn usage_never_decreases() {
    let mut task = Task::new().after([Event::Admitted]);
    let mut used = 0;
    for (fuel, expect) in [(5, 5), (3, 5), (9, 9), (0, 9)] {
        let fenced = task.fenced(fuel);
        assert!(task.apply_as(fenced, done("step", false)).is_ok());
        assert_eq!(task.record.usage.fuel, expect);
        assert!(expect >= used);
        used = expect;
    }
}

fn not_before(task: &Task) -> Option<Timestamp> {
    match &task.record.state {
        State::Queued { not_before, .. } => *not_before,
        _ => None,
    }
}

#[test]
fn a_transient_failure_is_retried_three_times_and_later_each_time() {
    let mut task = Task::new();
    for wait in [500, 1_000, 2_000] {
        task = task.after([Event::Admitted, transient()]);
        assert_eq!(not_before(&task), Some(Timestamp(task.now + wait)));
    }
    task = task.after([Event::Admitted, transient()]);
    assert_eq!(status(&task), Status::Failed);
}

#[test]
fn a_retry_never_lies_past_the_deadline_nor_after_the_tool_was_told() {
    let short = |deadline| {
        let limits = Limits {
            deadline,
            ..Limits::default()
        };
        status(&Task::accepted(limits).after([Event::Admitted, transient()]))
    };
    assert_eq!(short(2_501), Status::Queued);
    assert_eq!(short(2_500), Status::Failed);
    let stopped = Task::new().after([Event::Admitted, deadline(10), transient()]);
    assert_eq!(status(&stopped), Status::Failed);
    let untold = Task::new().after([Event::Admitted, graceful(), transient()]);
    assert_eq!(
        (status(&untold), not_before(&untold)),
        (Status::Queued, None)
    );
    let mut told = Task::new().after([Event::Admitted, graceful()]);
    let fenced = stepwell::task::Fenced {
        told: true,
        ..told.fenced(0)
    };
    assert!(told.apply_as(fenced, transient()).is_ok());
    assert_eq!(status(&told), Status::Cancelled);
}

#[test]
fn three_barren_attempts_are_enough() {
    let crash = || [Event::Admitted, Event::Crashed];
    let task = Task::new().after(crash()).after(crash());
    assert_eq!(status(&task), Status::Queued);
    assert_eq!(status(&task.clone().after(crash())), Status::Failed);
    let wrote = [Event::Admitted, done("step", false), Event::Crashed];
    let task = task.after(wrote).after(crash());
    assert_eq!(status(&task), Status::Queued);
}

#[test]
fn grace_only_shortens() {
    let grace = |task: &Task| task.record.state.stop().map(|stop| stop.grace);
    let mut task = Task::new().after([Event::Admitted, deadline(100)]);
    for (asked, expect) in [(200, 100), (50, 50), (80, 50)] {
        task = task.after([cancel(Mode::Graceful, asked)]);
        assert_eq!(grace(&task), Some(expect));
    }
}

#[test]
fn an_end_is_told_truthfully() {
    let how = |task: &Task| match &task.record.state {
        State::Finished {
            outcome: Outcome::Cancelled { how },
            ..
        } => how.to_string(),
        other => format!("{other:?}"),
    };
    let running = || Task::new().after([Event::Admitted]);
    assert_eq!(how(&Task::new().after([graceful()])), "not-started");
    let immediate = running().after([cancel(Mode::Immediate, 0)]);
    assert_eq!(how(&immediate), How::Immediate.to_string());
    let end = |task: Task, ending| how(&task.after([graceful(), ended(ending)]));
    assert_eq!(end(running(), Ending::Returned), "finished");
    assert_eq!(end(running(), Ending::Forced { step: None }), "forced");
    let tidied = running().after([done("undo", true)]);
    assert_eq!(end(tidied, Ending::Returned), "failed(in-doubt)");
    let stopped = Ending::Error(ToolError::Stopped);
    assert_eq!(end(running(), stopped.clone()), "failed(misuse)");
    let mut told = running().after([graceful()]);
    let fenced = stepwell::task::Fenced {
        told: true,
        ..told.fenced(0)
    };
    assert!(told.apply_as(fenced, ended(stopped)).is_ok());
    assert_eq!(how(&told), "clean");
}

#[test]
fn a_wait_goes_on_after_a_pause() {
    let asked = || Task::new().after([Event::Admitted, asks(), Event::Pause]);
    assert_eq!(
        status(&asked().after([Event::Resume])),
        Status::WaitingInput
    );
    let answered_in_pause = asked().after([answered("which")]);
    assert_eq!(status(&answered_in_pause), Status::Paused);
    assert_eq!(
        status(&answered_in_pause.after([Event::Resume])),
        Status::Queued
    );
    let other = asked().apply(answered("who"));
    assert_eq!(other.err(), Some(Illegal::NoQuestion("who".into())));
    let slept = Task::new().after([Event::Admitted, sleeps(), due()]);
    assert_eq!((status(&slept), slept.record.steps), (Status::Queued, 1));
}

fn forgotten(effects: &[Effect]) -> Vec<CheckpointId> {
    let forgotten = effects.iter().filter_map(|effect| match effect {
        Effect::ForgetCheckpoint(id) => Some(*id),
        _ => None,
    });
    forgotten.collect()
}

#[test]
fn the_newest_checkpoint_of_the_tool_and_ten_older_ones_are_kept() {
    let mut task = Task::new().after([Event::Admitted]);
    for _ in 0..=TOOL_CHECKPOINTS_MAX {
        let applied = task.apply(saved()).unwrap();
        assert_eq!(forgotten(&applied.effects), []);
    }
    let oldest = task.record.marks[0].id;
    let applied = task.apply(saved()).unwrap();
    assert_eq!(forgotten(&applied.effects), [oldest]);
    assert_eq!(task.record.marks.len(), TOOL_CHECKPOINTS_MAX + 1);
    assert_eq!(
        task.record.start,
        task.record.marks.last().map(|mark| mark.id)
    );
}

#[test]
fn a_clients_checkpoints_are_counted_apart_and_keep_what_they_start_from() {
    let limits = Limits {
        client_checkpoints: 2,
        ..Limits::default()
    };
    let mut task = Task::accepted(limits).after([Event::Admitted, saved(), client_saved()]);
    let start = task.record.start.unwrap();
    for _ in 0..2 * TOOL_CHECKPOINTS_MAX {
        task = task.after([saved()]);
    }
    let kept = |task: &Task, id| task.record.mark(id).is_some();
    assert!(kept(&task, start), "a client's checkpoint starts from it");
    assert!(task.record.needs_rows_of(1) && !task.record.needs_rows_of(2));
    let clients = |task: &Task| {
        let marks = task.record.marks.iter();
        marks.filter(|mark| mark.origin == Origin::Client).count()
    };
    task = task.after([client_saved(), client_saved()]);
    assert_eq!(clients(&task), 2);
    assert!(!kept(&task, start));
}

#[test]
fn a_restore_forgets_only_what_lies_after_it() {
    let mut task = Task::new().after([Event::Admitted, done("a", false), client_saved()]);
    let place = task.record.seq;
    task = task.after([
        done("b", false),
        saved(),
        done("c", false),
        suspended(false),
    ]);
    let later = task.record.seq;
    task = task.after([restored(place)]);
    assert!(task.record.is_alive(place - 1) && !task.record.is_alive(later - 1));
    assert_eq!((task.record.stretch, task.record.steps), (0, 1));
    assert_eq!(task.record.marks.len(), 1);
    let gone = task.apply(restored(later));
    assert_eq!(gone.err(), Some(Illegal::NoCheckpoint(CheckpointId(later))));
}

#[test]
fn behind_a_clean_up_there_is_no_way() {
    let tidied = [Event::Admitted, done("undo", true)];
    let mut task = Task::new().after(tidied).after([suspended(true)]);
    let refused = Illegal::CleanUp(vec!["undo".into()]);
    assert_eq!(task.apply(restored(0)).err(), Some(refused.clone()));
    let spec = (*task.record.spec).clone();
    for at in [None, Some(CheckpointId(0))] {
        let forked = fork(&task.record, TaskId::random(), spec.clone(), at);
        assert_eq!(forked.err(), Some(CannotFork::Illegal(refused.clone())));
    }
}

#[test]
fn the_first_fork_of_an_ended_task_goes_on_with_its_keys() {
    let fork_of = |task: &mut Task| {
        let id = TaskId::random();
        let spec = (*task.record.spec).clone();
        let child = fork(&task.record, id, spec, None).unwrap();
        task.apply(Event::Forked { child: id }).unwrap();
        (child.base == task.record.base, child.base == id)
    };
    let mut task = Task::new().after([Event::Admitted, suspended(true)]);
    assert_eq!(
        fork_of(&mut task),
        (false, true),
        "the paused task may go on"
    );
    task = task.after([Event::Resume, Event::Admitted, ended(Ending::Returned)]);
    assert_eq!(fork_of(&mut task), (true, false));
    assert_eq!(fork_of(&mut task), (false, true));
}
