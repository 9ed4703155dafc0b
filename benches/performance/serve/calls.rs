//! Calls that are answered with their result: over HTTP under two policies, and over stdio.

use bytes::Bytes;

use super::baseline::Baseline;
use super::client::calls;
use super::server::Server;
use super::stdio::Pipe;
use super::{CALLERS, median, rate, stated, tokio, wire};
use crate::rounds::{Pair, in_turn};
use crate::table::{Amount, Reach, Row, Scale, Table};

/// What each call's answer has, and the baseline's too.
const RIGHT: &str = r#""number":7"#;

/// The first calls of a process are slower, and do not count.
const WARM_UP: usize = 200;

const ROUNDS: usize = 5;

pub(super) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let reaches = [
        ("never", [Reach::RatioMax(2.0), Reach::RatioMin(0.4)]),
        ("auto", [Reach::Stated, Reach::Stated]),
    ];
    for (policy, reaches) in reaches {
        over_http(table, scale, (policy, reaches))?;
    }
    for policy in ["never", "auto"] {
        over_stdio(table, scale, policy)?;
    }
    Ok(())
}

fn over_http(
    table: &mut Table,
    scale: &Scale,
    (policy, [one, many]): (&str, [Reach; 2]),
) -> anyhow::Result<()> {
    let tokio = tokio()?;
    let (server, baseline) = (Server::start(policy, "")?, Baseline::start()?);
    let message = wire::call("echo", &wire::arguments(), &wire::nothing());
    let request = Bytes::from(wire::http(&message));
    let ask = |address, how| tokio.block_on(calls(address, (&request, RIGHT), how));
    for address in [server.address, baseline.address] {
        ask(address, (1, WARM_UP))?;
    }
    let how = (1, scale.of(4_000, 20));
    let Pair {
        stepwell,
        baseline: bare,
    } = in_turn(
        scale.of(ROUNDS, 5),
        || Ok(ask(server.address, how)?.p50),
        || Ok(ask(baseline.address, how)?.p50),
    )?;
    table.add(Row {
        measure: format!("call over HTTP under `{policy}`, p50 at 1 caller, against axum"),
        stepwell: Amount::Time(stepwell),
        baseline: Some(Amount::Time(bare)),
        reach: one,
    });
    let how = (CALLERS, scale.of(500, 20));
    let Pair {
        stepwell,
        baseline: bare,
    } = in_turn(
        scale.of(ROUNDS, 5),
        || Ok(ask(server.address, how)?.each),
        || Ok(ask(baseline.address, how)?.each),
    )?;
    table.add(Row {
        measure: format!(
            "call over HTTP under `{policy}`, throughput at {CALLERS} callers, against axum"
        ),
        stepwell: rate(stepwell),
        baseline: Some(rate(bare)),
        reach: many,
    });
    baseline.end()?;
    server.end()
}

fn over_stdio(table: &mut Table, scale: &Scale, policy: &str) -> anyhow::Result<()> {
    let mut pipe = Pipe::open(policy)?;
    let message = wire::call("echo", &wire::arguments(), &wire::nothing());
    pipe.calls((&message, RIGHT), 1, WARM_UP)?;
    let count = scale.of(4_000, 20);
    let one = median(scale.of(ROUNDS, 5), || {
        Ok(pipe.calls((&message, RIGHT), 1, count)?.p50)
    })?;
    table.add(stated(
        format!("call over stdio under `{policy}`, p50 at 1 caller"),
        Amount::Time(one),
    ));
    let count = CALLERS * scale.of(500, 20);
    let many = median(scale.of(ROUNDS, 5), || {
        Ok(pipe.calls((&message, RIGHT), CALLERS, count)?.each)
    })?;
    table.add(stated(
        format!("call over stdio under `{policy}`, throughput at {CALLERS} callers"),
        rate(many),
    ));
    pipe.end()
}
