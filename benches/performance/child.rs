//! This program once more, in a process of its own: for what is only seen of a fresh process, and
//! for what is killed.

use std::env;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use stepwell::runtime::{Options, Runtime};

use crate::{echo, serve, startup, tuning};

/// The argument that leads those of a child.
pub(crate) const FLAG: &str = "--child";

/// What a child does, given a folder and more words.
type Role = fn(&Path, &[String]) -> anyhow::Result<()>;

const ROLES: &[(&str, Role)] = &[
    ("start", start),
    ("finish", startup::finish),
    ("ready", startup::ready),
    ("bare", startup::bare),
    ("etl", tuning::etl),
    ("echo", echo::client),
    ("axum", serve::baseline),
];

/// After the start, what was put off is done before the memory is looked at.
const SETTLING: Duration = Duration::from_secs(1);

/// A child that is at work. Dropping it kills it.
pub(crate) struct Child {
    process: std::process::Child,
    said: Lines<BufReader<ChildStdout>>,
    begun: Instant,
}

impl Child {
    pub(crate) fn start(role: &str, folder: &Path, words: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(FLAG).arg(role).arg(folder).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let begun = Instant::now();
        let mut process = command.spawn().context("a child can't be started")?;
        let said = process.stdout.take().context("a child without output")?;
        Ok(Self {
            process,
            said: BufReader::new(said).lines(),
            begun,
        })
    }

    /// What it says next, and how long after its start that was.
    pub(crate) fn says(&mut self) -> anyhow::Result<(Value, Duration)> {
        let line = self.said.next().context("a child ended too early")??;
        Ok((serde_json::from_str(&line)?, self.begun.elapsed()))
    }

    /// Lets it come to its end.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "a child ended with {status}");
        Ok(())
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to do.
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Plays the role that the arguments after [`FLAG`] name.
pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let [role, folder, words @ ..] = words else {
        anyhow::bail!("a child with too few words");
    };
    let (_, play) = ROLES
        .iter()
        .find(|(known, _)| known == role)
        .with_context(|| format!("no such role: {role}"))?;
    play(Path::new(folder), words)
}

/// Tells the parent.
pub(crate) fn say(value: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

/// Returns when the parent lets go.
pub(crate) fn wait_for_end() -> anyhow::Result<()> {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The threads that the command has, too.
pub(crate) fn tokio() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_all().build()?)
}

/// Starts a runtime on the folder, and says how long that took and what it holds then.
fn start(folder: &Path, _: &[String]) -> anyhow::Result<()> {
    let tokio = tokio()?;
    let begun = Instant::now();
    let runtime = tokio.block_on(Runtime::start(Options::new(folder)))?;
    let took = begun.elapsed();
    say(&json!(took.as_secs_f64()))?;
    std::thread::sleep(SETTLING);
    say(&json!(resident("self")?))?;
    wait_for_end()?;
    tokio.block_on(runtime.drain(Duration::from_secs(5)));
    Ok(())
}

/// The bytes of memory that a process holds, by its number or `self`.
pub(crate) fn resident(process: &str) -> anyhow::Result<u64> {
    let status = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(status).context("this needs Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(size.context("no VmRSS")?.parse::<u64>()? * 1_024)
}
