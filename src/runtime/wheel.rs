//! Every instant at which something is to happen to a task, in one ordered set.
//!
//! A waiting task is a record and an entry here, nothing more. The wheel knows no clock: whoever
//! turns it says what time it is.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::id::TaskKey;

/// What is to happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Alarm {
    /// A retry may be queued.
    Retry,
    /// A sleep is over.
    Wake,
    /// The deadline has come.
    Deadline,
}

/// The alarms that are set.
#[derive(Default)]
pub(super) struct Wheel(BTreeSet<(Timestamp, TaskKey, Alarm)>);

impl Wheel {
    /// Sets an alarm. Setting the same one twice is as setting it once.
    pub(super) fn set(&mut self, at: Timestamp, task: TaskKey, alarm: Alarm) {
        self.0.insert((at, task, alarm));
    }

    /// Takes an alarm back.
    pub(super) fn unset(&mut self, at: Timestamp, task: &TaskKey, alarm: Alarm) {
        self.0.remove(&(at, task.clone(), alarm));
    }

    /// When the next alarm goes off.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, ..)| *at)
    }

    /// Takes an alarm that has gone off by `now`.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(TaskKey, Alarm)> {
        let due = self.next().is_some_and(|at| at <= now);
        let (_, task, alarm) = due.then(|| self.0.pop_first()).flatten()?;
        Some((task, alarm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{TaskId, TenantId};

    #[test]
    fn alarms_go_off_in_order_and_not_early() {
        let task = TaskKey {
            tenant: TenantId::local(),
            id: TaskId::random(),
        };
        let mut wheel = Wheel::default();
        wheel.set(Timestamp(20), task.clone(), Alarm::Wake);
        wheel.set(Timestamp(10), task.clone(), Alarm::Deadline);
        wheel.set(Timestamp(15), task.clone(), Alarm::Retry);
        wheel.unset(Timestamp(15), &task, Alarm::Retry);
        assert_eq!(wheel.pop(Timestamp(9)), None);
        assert_eq!(
            wheel.pop(Timestamp(30)),
            Some((task.clone(), Alarm::Deadline))
        );
        assert_eq!(wheel.next(), Some(Timestamp(20)));
        assert_eq!(wheel.pop(Timestamp(30)), Some((task, Alarm::Wake)));
        assert_eq!(wheel.pop(Timestamp(30)), None);
    }
}
