//! The rows that Stepwell writes, read back from its own store, so that the baseline writes the
//! same.
//!
//! Keys and values are those that are found on the disk once the runtime is closed. Only a head is
//! written over and over: it is found as it was at the end, so it gets the size with which the
//! rows come to exactly the bytes that the probe has seen. Where that is more than a few per cent
//! of them, Stepwell writes something that is not here, and nothing is measured.

use anyhow::{Context as _, ensure};
use serde_json::json;
use stepwell::id::TaskId;

use crate::bare::{Engine, Row, Space};
use crate::house::{House, RUNNING, journal};

/// The most that the rows may differ from what the probe has seen, in parts of the whole.
const PARTS: usize = 20;

/// The bytes of a task's id in a key.
const ID: usize = 16;

/// The rows of a task.
pub(crate) struct Task {
    /// Those of its acceptance.
    pub(crate) accepted: Vec<Row>,
    /// Those of its end.
    pub(crate) ended: Vec<Row>,
}

/// The rows of each of the steps of one task.
pub(crate) async fn of_steps(count: usize) -> anyhow::Result<Vec<Vec<Row>>> {
    let house = House::open(RUNNING).await?;
    house.commits.take();
    let record = house.complete("journal", journal(count)).await?;
    let commits = house.commits.take_synced()?;
    ensure!(commits.len() == count + 2, "not one commit for each step");
    let steps = commits.iter().skip(1).take(count);
    let seen: usize = steps.map(|commit| commit.group.bytes).sum();
    let folder = house.close().await;
    let engine = Engine::open(folder.path())?;

    let mut steps = engine.rows(Space::Steps, record.id)?;
    // In the order of their names `10` comes before `2`.
    steps.sort_by_key(|row| (row.key.len(), row.key.clone()));
    let mut events = engine.rows(Space::Events, record.id)?;
    // Before those of the steps are those of being accepted and started, after them that of the end.
    let others = events.len().checked_sub(count);
    ensure!(
        others.is_some_and(|others| others <= 3),
        "more events than known"
    );
    events.drain(..others.unwrap_or(0).saturating_sub(1));
    let mut head = head(&engine, record.id)?;
    let beside: usize = steps
        .iter()
        .chain(events.iter().take(count))
        .map(Row::bytes)
        .sum();
    resize(&mut head, count, (beside, seen))?;

    let each = steps.into_iter().zip(events);
    let each: Vec<_> = each
        .map(|(step, event)| vec![head.clone(), step, event])
        .collect();
    ensure!(each.len() == count, "rows are missing");
    Ok(each)
}

/// The rows of a task that does nothing but return.
pub(crate) async fn of_task() -> anyhow::Result<Task> {
    let house = House::open(RUNNING).await?;
    house.commits.take();
    let record = house.complete("echo", json!({})).await?;
    let commits = house.commits.take_synced()?;
    let [acceptance, end] = commits.as_slice() else {
        anyhow::bail!("a task had {} synced commits", commits.len());
    };
    let seen = [acceptance.group.bytes, end.group.bytes];
    let folder = house.close().await;
    let engine = Engine::open(folder.path())?;

    let spec = engine.rows(Space::Facts, record.id)?;
    let (arguments, output): (Vec<_>, Vec<_>) = engine
        .rows(Space::Blobs, record.id)?
        .into_iter()
        .partition(|row| row.key.get(row.id_at + ID) == Some(&b'a'));
    let (listed, expiry): (Vec<_>, Vec<_>) = engine
        .rows(Space::Index, record.id)?
        .into_iter()
        .partition(|row| row.key.first() == Some(&b'c'));
    let mut events = engine.rows(Space::Events, record.id)?;
    let last = events.pop().context("no event of the end")?;
    events.truncate(1);

    let head = head(&engine, record.id)?;
    let accepted = [
        spec,
        arguments,
        listed.clone(),
        events,
        vec![live(&head, true)],
    ];
    let ended = [output, listed, expiry, vec![last, live(&head, false)]];
    Ok(Task {
        accepted: with_head(&head, accepted.concat(), seen[0])?,
        ended: with_head(&head, ended.concat(), seen[1])?,
    })
}

fn head(engine: &Engine, task: TaskId) -> anyhow::Result<Row> {
    engine.rows(Space::Heads, task)?.pop().context("no head")
}

/// The entry of the live set: it is gone when the task has ended.
fn live(head: &Row, is_there: bool) -> Row {
    Row {
        space: Space::Index,
        key: [b"l", head.key.as_slice()].concat(),
        value: is_there.then(|| vec![1]),
        id_at: head.id_at + 1,
    }
}

fn with_head(head: &Row, mut rows: Vec<Row>, seen: usize) -> anyhow::Result<Vec<Row>> {
    let mut head = head.clone();
    resize(&mut head, 1, (rows.iter().map(Row::bytes).sum(), seen))?;
    rows.push(head);
    Ok(rows)
}

/// Gives `head`, which was written `times` times beside rows of `beside` bytes, the size with which
/// it comes to all bytes that were seen.
fn resize(head: &mut Row, times: usize, (beside, seen): (usize, usize)) -> anyhow::Result<()> {
    let read = beside + times * head.bytes();
    ensure!(
        read.abs_diff(seen) <= seen / PARTS,
        "the rows have {read} bytes, where Stepwell wrote {seen}"
    );
    let len = (seen - beside) / times;
    let value = head.value.get_or_insert_default();
    value.resize(len.saturating_sub(head.key.len()), 7);
    Ok(())
}
