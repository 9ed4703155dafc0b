//! `[mcp]`: how calls are answered.

use std::time::Duration;

use super::table::Table;
use super::value;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;

/// How calls are answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mcp {
    /// How long a call under `auto` is waited for before it is answered as a task.
    pub inline_window: Duration,
    /// How long a client that can't take tasks is kept waiting: a call that comes near it is
    /// answered with the id of its task. It lies below the time after which clients give up.
    pub patience: Duration,
    /// Whether `task_start`, `task_status`, `task_result` and `task_cancel` are offered as tools,
    /// for clients that know no tasks.
    pub task_tools: bool,
    /// How soon a client is told to ask again, at the soonest.
    pub poll_interval_min: Duration,
    /// And at the latest.
    pub poll_interval_max: Duration,
    /// The longest that a client may wish its task's record to be kept.
    pub ttl_max: Duration,
    /// The most subscriptions that are open at once, of everybody.
    pub subscriptions_max: usize,
    /// The most of them of one principal.
    pub principal_subscriptions_max: usize,
}

impl Default for Mcp {
    fn default() -> Self {
        Self {
            inline_window: Duration::from_secs(2),
            patience: Duration::from_secs(50),
            task_tools: false,
            poll_interval_min: Duration::from_millis(500),
            poll_interval_max: Duration::from_secs(30),
            ttl_max: Duration::from_millis(30 * DAY),
            subscriptions_max: 10_000,
            principal_subscriptions_max: 2_000,
        }
    }
}

impl Mcp {
    pub(super) fn section(table: &mut Table<'_>) -> Self {
        let usual = Self::default();
        let window = (0, 10 * MINUTE);
        let interval = (100, 10 * MINUTE);
        let mcp = Self {
            inline_window: table.duration("inline_window", usual.inline_window, window),
            patience: table.duration("patience", usual.patience, (SECOND, 60 * MINUTE)),
            task_tools: table
                .read("task_tools", value::flag)
                .unwrap_or(usual.task_tools),
            poll_interval_min: table.duration(
                "poll_interval_min",
                usual.poll_interval_min,
                interval,
            ),
            poll_interval_max: table.duration(
                "poll_interval_max",
                usual.poll_interval_max,
                interval,
            ),
            ttl_max: table.duration("ttl_max", usual.ttl_max, (60 * MINUTE + 1, 365 * DAY)),
            subscriptions_max: table.count(
                "subscriptions_max",
                usual.subscriptions_max,
                (1, 100_000),
            ),
            principal_subscriptions_max: table.count(
                "principal_subscriptions_max",
                usual.principal_subscriptions_max,
                (1, 100_000),
            ),
        };
        table.ordered(
            ("inline_window", mcp.inline_window),
            ("patience", mcp.patience),
        );
        table.ordered(
            ("poll_interval_min", mcp.poll_interval_min),
            ("poll_interval_max", mcp.poll_interval_max),
        );
        mcp
    }
}
