//! The figures beside what the article wants.

use std::fmt;
use std::time::Duration;

use crate::{calls, cancels, kills};

/// The model's times are a hundredth of those that the article speaks of.
const SCALE: u32 = 100;

/// How many columns a text has.
const WIDTH: usize = 96;

/// What the article wants.
const TIMEOUTS_MAX: f64 = 0.05;
const RECOVERED_MIN: f64 = 0.95;
const GIVEN_BACK_MIN: f64 = 0.99;
const SHORT_MAX: Duration = Duration::from_secs(5 * 60);
const LONG_MAX: Duration = Duration::from_secs(30 * 60);

/// One line of the table.
struct Figure {
    what: String,
    without: String,
    with: String,
    target: String,
    is_met: Option<bool>,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Figures {
    lines: Vec<Figure>,
    notes: Vec<String>,
}

impl Figures {
    /// Whether all targets are met.
    pub(crate) fn are_met(&self) -> bool {
        self.lines.iter().all(|line| line.is_met != Some(false))
    }

    pub(crate) fn calls(&mut self, without: &calls::Seen, with: &calls::Seen) {
        let rate = |seen: &calls::Seen| part(seen.timed_out, seen.calls);
        self.add(
            "timeout rate: calls that a client gave up on",
            [percent(rate(without)), percent(rate(with))],
            "< 5 %",
            Some(rate(with) < TIMEOUTS_MAX),
        );
        for (kind, max, [without, with]) in [
            ("short", SHORT_MAX, [&without.short, &with.short]),
            ("long", LONG_MAX, [&without.long, &with.long]),
        ] {
            let max = max / SCALE;
            self.add(
                &format!("mean completion of {kind} calls"),
                [mean_of(without), mean_of(with)],
                &format!("< {} s", max.as_secs()),
                Some(mean(with).is_some_and(|mean| mean < max)),
            );
        }
        self.notes.push(format!(
            "Calls: {} each way; the tasks took {} requests. What a client gave up on has no \
             completion time, so the means without tasks are of the calls that were done in time. \
             How many are given up on without tasks follows from the mix of calls.",
            with.calls, with.requests
        ));
        self.notes.push(format!(
            "Times are a {SCALE}th of those that are modelled: the article's targets of 5 and 30 \
             minutes are {} and {} s here, a client's 60 s are {} ms.",
            (SHORT_MAX / SCALE).as_secs(),
            (LONG_MAX / SCALE).as_secs(),
            calls::TIMEOUT.as_millis()
        ));
    }

    pub(crate) fn kills(&mut self, without: &kills::Seen, with: &kills::Seen) {
        let rate = |seen: &kills::Seen| part(seen.recovered, seen.interrupted);
        self.add(
            "recovery: interrupted tasks that were completed",
            [percent(rate(without)), percent(rate(with))],
            "> 95 %",
            Some(rate(with) > RECOVERED_MIN),
        );
        let repeated = |seen: &kills::Seen| part(seen.repeated, seen.steps);
        self.add(
            "work repeated: of all steps that were done",
            [percent(repeated(without)), percent(repeated(with))],
            "",
            None,
        );
        self.add(
            "mean completion under kills",
            [mean_of(&without.took), mean_of(&with.took)],
            "",
            None,
        );
        let line = |seen: &kills::Seen| {
            format!(
                "{} kills, {} of {} tasks interrupted, {} of these completed, {} of {} steps done \
                 again",
                seen.kills, seen.interrupted, seen.tasks, seen.recovered, seen.repeated, seen.steps
            )
        };
        self.notes.push(format!(
            "Kills, without: {}; with: {}. The mean is of the tasks that were completed.",
            line(without),
            line(with)
        ));
    }

    pub(crate) fn cancels(&mut self, seen: &cancels::Seen) {
        let rate = seen.given_back();
        self.add(
            "clean-up after cancel: given back in 1 s",
            ["-".into(), percent(rate)],
            "> 99 %",
            Some(rate > GIVEN_BACK_MIN),
        );
        self.notes.push(format!(
            "Cancels: left after 1 s were {} of {} tasks, {} of {} slots, {} of {} bytes of \
             memory, {} of {} open files.",
            seen.tasks.left,
            seen.tasks.before,
            seen.slots.left,
            seen.slots.before,
            seen.memory.left,
            seen.memory.before,
            seen.files.left,
            seen.files.before
        ));
    }

    fn add(
        &mut self,
        what: &str,
        [without, with]: [String; 2],
        target: &str,
        is_met: Option<bool>,
    ) {
        self.lines.push(Figure {
            what: what.into(),
            without,
            with,
            target: target.into(),
            is_met,
        });
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, cells: [&str; 5]| {
            let [what, without, with, target, met] = cells;
            let line = format!("{what:<48}  {without:>10}  {with:>10}  {target:>8}  {met}");
            writeln!(f, "{}", line.trim_end())
        };
        row(f, ["", "without", "with tasks", "target", ""])?;
        for line in &self.lines {
            let met = line
                .is_met
                .map_or("", |met| if met { "met" } else { "MISSED" });
            let cells = [&line.what, &line.without, &line.with, &line.target];
            let [what, without, with, target] = cells.map(String::as_str);
            row(f, [what, without, with, target, met])?;
        }
        for note in &self.notes {
            write!(f, "\n{}", wrap(note, ""))?;
        }
        Ok(())
    }
}

/// Breaks a text into lines, each of which begins with `indent`.
pub(crate) fn wrap(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let is_full = |line: &String| line.len() + word.len() >= WIDTH;
        if lines.last().is_some_and(is_full) {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            let is_first = line.len() == indent.len();
            line.push_str(if is_first { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[expect(clippy::cast_precision_loss, reason = "counts of some hundreds")]
fn part(some: usize, all: usize) -> f64 {
    some as f64 / all.max(1) as f64
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

fn mean(times: &[Duration]) -> Option<Duration> {
    let count = u32::try_from(times.len()).ok().filter(|count| *count > 0)?;
    Some(times.iter().sum::<Duration>() / count)
}

fn mean_of(times: &[Duration]) -> String {
    mean(times).map_or("-".into(), |mean| format!("{:.2} s", mean.as_secs_f64()))
}
