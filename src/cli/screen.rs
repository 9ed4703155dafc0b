//! Where a command writes: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use super::Global;

/// The two streams, and what may be written to them.
#[derive(Clone, Debug)]
pub struct Screen {
    /// Whether standard output holds JSON.
    pub json: bool,
    /// Whether standard error is kept still.
    pub quiet: bool,
    /// Whether somebody looks at standard error.
    pub is_terminal: bool,
    is_output_terminal: bool,
    colour: bool,
}

/// How a text is set off where there are colours.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// What is to be seen first.
    Bold,
    /// What can be passed over.
    Dim,
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Wrong.
    Bad,
}

impl Screen {
    /// The process's own streams.
    pub fn new(global: &Global) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self {
            json: global.json,
            quiet: global.quiet,
            is_terminal,
            is_output_terminal: io::stdout().is_terminal(),
            colour: Self::is_colour_wanted(),
        }
    }

    /// Whether standard error takes colours: it is a terminal, and nobody said `NO_COLOR`.
    pub fn is_colour_wanted() -> bool {
        io::stderr().is_terminal() && !Self::is_colour_unwanted()
    }

    /// Whether standard output takes colours.
    pub fn is_output_coloured(&self) -> bool {
        self.is_output_terminal && !Self::is_colour_unwanted()
    }

    fn is_colour_unwanted() -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        is_set("NO_COLOR") || is_dumb
    }

    /// Whether somebody is there who can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.is_terminal && io::stdin().is_terminal()
    }

    /// Writes data. Text for a terminal is stripped of what would rewrite it.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if self.is_output_terminal {
            writeln!(stdout, "{}", crate::text::clean(text, usize::MAX))?;
        } else {
            writeln!(stdout, "{text}")?;
        }
        stdout.flush()
    }

    /// Writes one JSON value on a line of its own.
    pub fn value(&self, value: &Value) -> io::Result<()> {
        self.data(&value.to_string())
    }

    /// Says something that can be missed.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Says something that can't be missed. Nobody is there to hear that it could not be said.
    pub fn warn(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes a prompt, without an end of line.
    pub(super) fn prompt(text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    }

    /// The text, set off.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
