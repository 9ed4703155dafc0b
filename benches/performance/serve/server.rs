//! The server that is measured: the program itself, with the test guest in it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{child, disk};

/// `stepwell serve` over HTTP. Dropping it kills it.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Server {
    /// With the tools `echo` and `script` under `policy`, and these settings beside it.
    pub(super) fn start(policy: &str, settings: &str) -> anyhow::Result<Self> {
        let folder = configured(policy, settings)?;
        let mut command = command(&folder);
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let said = process.stderr.take().context("a server without output")?;
        let mut said = BufReader::new(said);
        let address = ready(&mut said);
        // What it says later is for whoever looks on.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
        let Ok(address) = address else {
            process.kill()?;
            process.wait()?;
            return Err(address.err().context("no address")?);
        };
        Ok(Self {
            address,
            process,
            _folder: folder,
        })
    }

    /// The bytes of memory that it holds.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        child::resident(&self.process.id().to_string())
    }

    /// Ends it in order.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        let process = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(process.context("a server without a number")?, Signal::TERM)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to do.
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// The program on a folder that is configured.
pub(super) fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    command.arg("serve").arg("--config");
    command.arg(folder.path().join("stepwell.toml"));
    command
}

/// A folder with a configuration, the component, and room for the data.
pub(super) fn configured(policy: &str, settings: &str) -> anyhow::Result<TempDir> {
    let folder = disk::folder()?;
    let path = |name: &str| folder.path().join(name);
    fs::write(path("guest.wasm"), stepwell_guest_examples::TEST_GUEST)?;
    let config = format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\n{settings}\n\
         [[components]]\npath = \"guest.wasm\"\n\
         [components.tools.echo]\npolicy = \"{policy}\"\n\
         [components.tools.script]\npolicy = \"{policy}\"\n"
    );
    fs::write(path("stepwell.toml"), config)?;
    Ok(folder)
}

/// Where the server listens, once it says so.
fn ready(said: &mut impl std::io::BufRead) -> anyhow::Result<SocketAddr> {
    let mut all = String::new();
    for line in said.by_ref().lines() {
        let line = line?;
        let address = line.strip_prefix("stepwell is ready: http://");
        if let Some(address) = address.and_then(|address| address.strip_suffix("/mcp")) {
            return Ok(address.parse()?);
        }
        all = all + &line + "\n";
    }
    anyhow::bail!("the server did not start:\n{all}")
}
