//! A folder with components, a world that counts effects, and a data directory.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stepwell_guest_examples::{NOTIFY, SUPPORT_SESSION, TEST_GUEST};
use tempfile::TempDir;

pub(crate) struct House(TempDir);

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command that is at work.
pub(crate) struct Running {
    pub(crate) process: Child,
    said: Lines<BufReader<ChildStderr>>,
    err: String,
}

impl House {
    pub(crate) fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(house.path("world")).unwrap();
        std::fs::write(house.path("guest.wasm"), TEST_GUEST).unwrap();
        std::fs::write(house.path("notify.wasm"), NOTIFY).unwrap();
        std::fs::write(house.path("support.wasm"), SUPPORT_SESSION).unwrap();
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program, at home here, with nothing of whoever runs the tests.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
        command.args(words).current_dir(self.0.path());
        for name in [
            "RUST_LOG",
            "STEPWELL_LOG",
            "RUST_BACKTRACE",
            "NO_COLOR",
            "XDG_DATA_HOME",
        ] {
            command.env_remove(name);
        }
        command
            .env("STEPWELL_DATA_DIR", "data")
            .env("HOME", self.0.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn ran(&self, words: &[&str]) -> Ran {
        Ran::of(&mut self.command(words))
    }

    /// Runs a command that has to end with 0 and prints one JSON value.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let ran = self.ran(&[words, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }

    /// Starts a command.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        let mut process = self.command(words).spawn().unwrap();
        let said = BufReader::new(process.stderr.take().unwrap()).lines();
        Running {
            process,
            said,
            err: String::new(),
        }
    }

    /// The lines of the world's effects.
    pub(crate) fn effects(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("world/effects")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Lets a guest go on that waits for the gate.
    pub(crate) fn open_gate(&self) {
        std::fs::write(self.path("world/gate"), "").unwrap();
    }

    /// A good run works: whatever happened before has broken nothing.
    pub(crate) fn works(&self) {
        let echo = self.json(&["run", "guest.wasm", "echo", "--args", r#"{"a":1}"#]);
        assert_eq!(echo["result"]["structured"], json!({"a": 1}));
    }
}

/// The words that run a script that may write in the world.
pub(crate) fn script<'a>(arguments: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "run",
        "guest.wasm",
        "script",
        "--dir",
        "world:/world:rw",
        "--args",
        arguments,
    ];
    [&words, more].concat()
}

/// A step with an effect in the world.
pub(crate) fn step(name: &str) -> Value {
    json!({"step": {"name": name, "effect_line": {"path": "/world/effects", "line": name}}})
}

/// Says that it is here, and waits until the gate is open.
pub(crate) fn gate() -> [Value; 2] {
    [
        json!({"log": "here"}),
        json!({"wait_file": "/world/gate", "ms": 60_000}),
    ]
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let ran = Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        ran.is_tidy();
        ran
    }

    /// The one JSON value that was printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Every line as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn is_tidy(&self) {
        for word in [
            "panicked",
            "stack backtrace",
            "stepwell has a bug",
            "\u{1b}[",
        ] {
            assert!(!self.err.contains(word), "{word}: {self:?}");
            assert!(!self.out.contains(word), "{word}: {self:?}");
        }
        assert!(self.err.matches("error: ").count() <= 1, "{self:?}");
    }
}

impl Running {
    /// Waits for a line of its words that contains `text`.
    pub(crate) fn until(&mut self, text: &str) -> String {
        for line in self.said.by_ref() {
            let line = line.unwrap();
            self.err.push_str(&line);
            self.err.push('\n');
            if line.contains(text) {
                return line;
            }
        }
        panic!("`{text}` was not said: {}", self.err);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    pub(crate) fn end(mut self) -> Ran {
        for line in self.said.by_ref() {
            self.err.push_str(&line.unwrap());
            self.err.push('\n');
        }
        let mut out = String::new();
        self.process
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        let code = self.process.wait().unwrap().code().unwrap_or(-1);
        let ran = Ran {
            code,
            out,
            err: self.err,
        };
        ran.is_tidy();
        ran
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
