//! What is shown of a task while it runs: a bar on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Screen, Style, text};
use crate::task::Status;
use crate::view::{Entry, Event, Task};

/// How often the bar moves.
const TICK: std::time::Duration = std::time::Duration::from_millis(100);

/// By how many percent progress grows before it is worth a line.
const LINE_PERCENT: u8 = 5;

/// The bar counts in these, whatever the tool counts in.
const BAR_LENGTH: u64 = 1_000;

/// Shows what becomes of a task.
pub(super) struct Meter<'a> {
    screen: &'a Screen,
    bar: Option<ProgressBar>,
    percent: Option<u8>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(screen: &'a Screen) -> Self {
        let has_bar = screen.is_terminal && !screen.quiet;
        let bar = has_bar.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(spinner());
            bar.enable_steady_tick(TICK);
            bar
        });
        let percent = None;
        Self {
            screen,
            bar,
            percent,
        }
    }

    /// Shows what was logged.
    pub(super) fn events(&mut self, events: &[Event]) {
        for event in events {
            match &event.entry {
                Entry::Progress {
                    done,
                    total,
                    message,
                } => self.progress(*done, *total, message),
                // The bar counts the first, and there may be very many; whoever answers knows.
                Entry::StepDone { .. }
                | Entry::CheckpointSaved { .. }
                | Entry::OnceBegun { .. }
                | Entry::Answered { .. } => {}
                Entry::Status { to, .. } if !is_news(*to) => {}
                entry => self.line(&text::entry(entry)),
            }
        }
    }

    /// Shows where the task is.
    pub(super) fn task(&self, task: &Task) {
        let Some(bar) = &self.bar else { return };
        let (tool, status, steps) = (&task.tool, task.status, task.steps_done);
        let tool = crate::text::clean_line(tool, 120);
        bar.set_prefix(format!("{tool} {status} · {steps} steps"));
    }

    fn progress(&mut self, done: f64, total: Option<f64>, message: &str) {
        let fraction = total
            .filter(|total| *total > 0.0)
            .map(|total| (done / total).clamp(0.0, 1.0));
        if let Some(bar) = &self.bar {
            if let Some(fraction) = fraction {
                if bar.length().is_none() {
                    bar.set_style(measured());
                    bar.set_length(BAR_LENGTH);
                }
                bar.set_position(rounded(fraction * 1_000.0));
            }
            bar.set_message(crate::text::clean_line(message, 120));
            return;
        }
        let percent =
            fraction.map(|fraction| u8::try_from(rounded(fraction * 100.0)).unwrap_or(100));
        let is_news = match (self.percent, percent) {
            (Some(before), Some(now)) => now >= before.saturating_add(LINE_PERCENT) || now == 100,
            _ => true,
        };
        if is_news {
            self.percent = percent;
            let line = crate::text::clean_line(&text::progress(done, total, message), 4_096);
            self.screen.say(&format!("progress: {line}"));
        }
    }

    /// Says something about the task, above the bar where there is one.
    pub(super) fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(self.screen.paint(Style::Dim, line)),
            None => self.screen.say(line),
        }
    }

    /// Takes the bar away while something else has the terminal.
    pub(super) fn hide(&self) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Brings it back.
    pub(super) fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whether a status is worth a line; the end has lines of its own.
fn is_news(status: Status) -> bool {
    matches!(status, Status::WaitingTimer | Status::Paused)
}

fn spinner() -> ProgressStyle {
    style("{spinner} {prefix} [{elapsed}] {wide_msg}")
}

fn measured() -> ProgressStyle {
    style("{spinner} {prefix} [{bar:25}] {percent}% [{elapsed}] {wide_msg}").progress_chars("=> ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number between 0 and 1000"
)]
fn rounded(number: f64) -> u64 {
    number.clamp(0.0, 1_000.0) as u64
}
