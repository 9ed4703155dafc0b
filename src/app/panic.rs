//! What is said when the program itself has a bug.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::PanicHookInfo;

/// Replaces Rust's report by one sentence, with a backtrace only where one is asked for.
pub(super) fn hook() {
    std::panic::set_hook(Box::new(|info| {
        let text = describe(info);
        // The store's engine panics at some kinds of damage, which the store catches and reports
        // as what it is.
        if crate::cli::is_opening() {
            tracing::debug!(text, "a panic while the store was opened");
            return;
        }
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "error: stepwell has a bug: {text}");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            let _ = writeln!(stderr, "{backtrace}");
        }
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let words = payload.downcast_ref::<&str>().copied();
    let words = words.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    format!("{} ({place})", words.unwrap_or("a panic"))
}
