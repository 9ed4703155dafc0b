//! Measuring two things in turn, so that what else the machine does meets both.

use std::time::Duration;

use crate::table::percentile;

/// What was measured of Stepwell and of its baseline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) stepwell: Duration,
    pub(crate) baseline: Duration,
}

/// Baseline, Stepwell, baseline, `rounds` times: the median of each.
pub(crate) fn in_turn(
    rounds: usize,
    mut stepwell: impl FnMut() -> anyhow::Result<Duration>,
    mut baseline: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<Pair> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(baseline()?);
        ours.push(stepwell()?);
        theirs.push(baseline()?);
    }
    Ok(Pair {
        stepwell: percentile(&mut ours, 50.0),
        baseline: percentile(&mut theirs, 50.0),
    })
}

/// How much of `took` each of `count` things has.
pub(crate) fn each(took: Duration, count: usize) -> Duration {
    took / u32::try_from(count).unwrap_or(u32::MAX).max(1)
}
