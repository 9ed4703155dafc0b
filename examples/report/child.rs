//! The process that is killed: this program once more.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use stepwell::id::Digest;
use stepwell::runtime::{Grant, Options, Request, Runtime};
use stepwell_guest_examples::TEST_GUEST;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::kills::Way;

/// The argument that leads those of the child.
pub(crate) const FLAG: &str = "--child";

/// What a step takes.
pub(crate) const STEP: Duration = Duration::from_millis(30);

/// A child that is at work. Dropping it kills it.
pub(crate) struct Child {
    process: std::process::Child,
    done: mpsc::UnboundedReceiver<usize>,
}

impl Child {
    /// Starts a process for the tasks that are left.
    pub(crate) fn start(way: Way, folder: &Path, left: &BTreeSet<usize>) -> anyhow::Result<Self> {
        let words = Way::ALL.iter().find(|(_, it)| *it == way);
        let (word, _) = words.context("a way without a word")?;
        let left: Vec<_> = left.iter().map(usize::to_string).collect();
        let mut process = Command::new(env::current_exe()?)
            .args([FLAG, word, &left.join(",")])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = process.stdout.take().context("a child without output")?;
        let (tell, done) = mpsc::unbounded_channel();
        // Ends with the child.
        std::thread::spawn(move || {
            let lines = BufReader::new(said).lines().map_while(Result::ok);
            for number in lines.filter_map(|line| line.parse().ok()) {
                // Where the child was killed, nobody listens any more.
                let _ = tell.send(number);
            }
        });
        Ok(Self { process, done })
    }

    /// The next task that it has done; nothing, if it has ended.
    pub(crate) async fn says(&mut self) -> Option<usize> {
        self.done.recv().await
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
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does the tasks that the arguments name, says of each when it is done, and waits for the end.
pub(crate) async fn play(words: &[String]) -> anyhow::Result<()> {
    let [word, left, folder] = words else {
        anyhow::bail!("a child has three arguments");
    };
    let ways = Way::ALL.iter().find(|(known, _)| known == word);
    let (_, way) = *ways.context("no such way")?;
    let folder = Path::new(folder);
    let steps: Vec<u64> = serde_json::from_str(&fs::read_to_string(folder.join("steps"))?)?;
    let mut options = Options::new(folder.join("data"));
    options.run_found = way == Way::GoesOn;
    let runtime = Runtime::start(options).await?;
    let component = runtime.add(TEST_GUEST.to_vec()).await?;
    let component = component.manifest.component;
    let mut tasks = JoinSet::new();
    for number in left.split(',') {
        let number: usize = number.parse()?;
        let steps = *steps.get(number).context("no such task")?;
        let request = request(component, folder, number, steps)?;
        tasks.spawn(see_through(runtime.clone(), request, number, way));
    }
    let all = async {
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        std::future::pending().await
    };
    tokio::select! {
        failed = all => failed,
        () = let_go() => Ok(()),
    }
}

/// Returns when the parent is gone: nobody is left then who would end this process.
async fn let_go() {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    let _ = told.await;
}

fn request(component: Digest, folder: &Path, number: usize, steps: u64) -> anyhow::Result<Request> {
    let grant: Grant = format!("{}:/world:rw", folder.join("world").display()).parse()?;
    let ms = u64::try_from(STEP.as_millis())?;
    let effect = json!({"path": format!("/world/{number}"), "line": "{i}"});
    let step = json!({"step": {"name": "step {i}", "effect_line": effect, "output": "done"}});
    let operations = [json!({"sleep": "work {i}", "ms": ms}), step];
    let arguments: Value = json!({"ops": [{"repeat": steps, "ops": operations}]});
    Ok(Request {
        grants: vec![grant],
        ..Request::new(component, "script", arguments)
    })
}

async fn see_through(
    runtime: Runtime,
    request: Request,
    number: usize,
    way: Way,
) -> anyhow::Result<()> {
    match way {
        Way::Anew => {
            let called = runtime.call(request, |_| {}).await?;
            called
                .result
                .map_err(|failure| anyhow::anyhow!("{failure}"))?;
        }
        Way::GoesOn => {
            let key = Some(format!("task {number}"));
            let accepted = runtime.submit(Request { key, ..request }).await?;
            let record = runtime.wait(&accepted.record.key()).await?;
            let output = runtime.output(&record.key()).await?;
            anyhow::ensure!(output.is_some(), "it ended {}", record.status());
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{number}")?;
    Ok(out.flush()?)
}
