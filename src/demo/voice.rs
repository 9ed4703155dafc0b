//! How the demo speaks: lines in plain words, with colours where there are any.

use std::io::Write as _;

/// Where the demo speaks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Whether standard output is for something else: then it speaks on standard error.
    pub aside: bool,
    /// Whether there are colours.
    pub colour: bool,
}

impl Voice {
    /// Says a line. Where nobody listens any more, the demo goes on: its exit code says the rest.
    pub(super) fn say(self, line: &str) {
        let _ = if self.aside {
            writeln!(std::io::stderr().lock(), "{line}")
        } else {
            writeln!(std::io::stdout().lock(), "{line}")
        };
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
