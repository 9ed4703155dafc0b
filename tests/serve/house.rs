//! A folder with components, a configuration, a world that counts effects and a data directory; and
//! the server that is at home there.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stepwell_guest_examples::TEST_GUEST;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::pipe::{DeafPipe, Pipe};
use crate::warm;

/// Nothing here takes that long: what is waited for does not come any more.
pub(crate) const HUNG: Duration = Duration::from_secs(60);

/// The component of most tests: `script` does what its arguments say.
pub(crate) const GUEST: &str = r#"
[[components]]
path = "guest.wasm"
dirs = ["world:/world:rw"]
"#;

pub(crate) struct House(TempDir);

/// A server at work.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

/// A process, and what it says to whoever started it.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

/// How a process has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code, or the signal that it was killed with, as shells count it.
    pub(crate) code: i32,
    pub(crate) said: String,
}

impl House {
    /// With the test guest alone, and no keys.
    pub(crate) fn new() -> Self {
        Self::with(GUEST)
    }

    pub(crate) fn with(config: &str) -> Self {
        // In memory where that is possible: every start syncs many small files.
        let memory = Path::new("/dev/shm");
        let place = match memory.is_dir() {
            true => TempDir::new_in(memory),
            false => TempDir::new(),
        };
        let house = Self(place.expect("a folder"));
        std::fs::create_dir(house.path("world")).expect("a world");
        house.put("guest.wasm", TEST_GUEST);
        house.configure(config);
        warm::seed(&house.path("data"));
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }

    pub(crate) fn configure(&self, config: &str) {
        self.put("stepwell.toml", config.as_bytes());
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
        command
            .args(["serve", "--config", "stepwell.toml", "--data-dir", "data"])
            .args(words)
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            .stderr(Stdio::piped());
        for name in [
            "RUST_LOG",
            "STEPWELL_LOG",
            "STEPWELL_DATA_DIR",
            "XDG_DATA_HOME",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// A server over HTTP, once it is ready.
    pub(crate) fn serve(&self) -> Server {
        let mut command = self.command(&["--listen", "127.0.0.1:0"]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::start(command).0;
        let ready = process.until("stepwell is ready: http://");
        let address = ready
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.strip_suffix("/mcp"))
            .expect("an address");
        let address = address.parse().expect("an address");
        warm::keep(&self.path("data"));
        Server { process, address }
    }

    /// A server over standard input and output, once it is ready.
    pub(crate) fn pipe(&self) -> Pipe {
        let mut command = self.command(&["--stdio"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut process, (input, output)) = Process::start(command);
        process.until("stepwell is ready");
        warm::keep(&self.path("data"));
        Pipe::new(
            process,
            input.expect("its input"),
            output.expect("its output"),
        )
    }

    /// As [`Self::pipe`], of a client that never reads.
    pub(crate) fn deaf_pipe(&self) -> DeafPipe {
        let mut command = self.command(&["--stdio"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut process, (input, output)) = Process::start(command);
        process.until("stepwell is ready");
        DeafPipe {
            process,
            input,
            _output: output.expect("its output"),
        }
    }

    /// The lines of the world's effects.
    pub(crate) fn effects(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("world/effects")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Lets a guest go on that waits at the gate.
    pub(crate) fn open_gate(&self) {
        self.put("world/gate", b"");
    }
}

impl Server {
    /// A client without a key.
    pub(crate) fn agent(&self) -> Agent {
        Agent::new(self.address, None)
    }

    pub(crate) fn kill(self) {
        let ended = self.process.signalled(Signal::KILL);
        assert_eq!(ended.code, 128 + 9, "{ended:?}");
    }

    /// Ends it by a request to end, as a service manager does.
    pub(crate) fn end(self) -> Ended {
        let ended = self.process.signalled(Signal::TERM);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
    }
}

type Pipes = (
    Option<std::process::ChildStdin>,
    Option<std::process::ChildStdout>,
);

impl Process {
    fn start(command: &mut Command) -> (Self, Pipes) {
        let mut child = command.spawn().expect("the program starts");
        let errors = BufReader::new(child.stderr.take().expect("its words"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let pipes = (child.stdin.take(), child.stdout.take());
        let said = String::new();
        (Self { child, lines, said }, pipes)
    }

    /// Waits for a line of its words that contains `text`.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(HUNG);
            let line = line.unwrap_or_else(|_| panic!("`{text}` was not said, but: {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        let status = self.child.try_wait().expect("its status");
        status.is_none()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it can be signalled");
    }

    pub(crate) fn signalled(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        loop {
            match self.lines.recv_timeout(HUNG) {
                Ok(line) => self.said.push_str(&(line + "\n")),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.said),
            }
        }
        let status = self.child.wait().expect("its status");
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        let said = std::mem::take(&mut self.said);
        for word in ["panicked", "stepwell has a bug"] {
            assert!(!said.contains(word), "{said}");
        }
        Ended {
            code: code.unwrap_or(-1),
            said,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A step with an effect in the world. Where the process dies between the effect and its record, it
/// looks whether the effect is there.
pub(crate) fn step(name: &str) -> Value {
    json!({"step": {
        "name": name,
        "effect": "once",
        "effect_line": {"path": "/world/effects", "line": name},
    }})
}

/// Says how far it is, and waits until the gate is open.
pub(crate) fn gate() -> [Value; 2] {
    [
        json!({"progress": [1, 2, "at the gate"]}),
        json!({"wait_file": "/world/gate", "ms": 60_000}),
    ]
}

/// The arguments of a script with an effect before the gate and one after it.
pub(crate) fn gated() -> Value {
    let ops = [vec![step("before")], gate().to_vec(), vec![step("after")]].concat();
    json!({"ops": ops, "returns": "outputs"})
}

/// The arguments of a script that asks for a name.
pub(crate) fn asking(message: &str) -> Value {
    let schema =
        json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    json!({"ops": [{"ask": [{"name": "who", "message": message, "schema": schema.to_string()}]}]})
}
