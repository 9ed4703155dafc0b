//! The targets without libFuzzer: on the stable toolchain, for a time that is asked for.
//!
//! `plain [--seconds N] [--seed N] [TARGET]...` mutates the seeds of each target. An input that
//! panics, overflows the stack, or takes more than five seconds of CPU ends it with an error; the
//! input is in `fuzz/artifacts/TARGET`, and `plain --input FILE TARGET` runs it again.

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use stepwell_fuzz_targets::{ALL, Target};

mod mutate;

use mutate::Corpus;

/// The most CPU time of one input.
const CPU_MAX: Duration = Duration::from_secs(5);

/// The stack of the thread that runs inputs: what tokio's threads have.
const STACK: usize = 2 << 20;

struct Wishes {
    seconds: u64,
    seed: u64,
    input: Option<PathBuf>,
    targets: Vec<(&'static str, Target)>,
}

fn main() -> ExitCode {
    let done = wishes().and_then(|wishes| {
        let mut targets = wishes.targets.iter();
        targets.try_for_each(|target| run(*target, &wishes))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wishes() -> Result<Wishes, Box<dyn Error>> {
    let mut wishes = Wishes {
        seconds: 60,
        seed: 1,
        input: None,
        targets: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} takes a value"));
        match &*word {
            "--seconds" => wishes.seconds = value()?.parse()?,
            "--seed" => wishes.seed = value()?.parse()?,
            "--input" => wishes.input = Some(value()?.into()),
            name => {
                let target = ALL.iter().find(|(it, _)| *it == name);
                let known = ALL.map(|(name, _)| name).join(", ");
                wishes
                    .targets
                    .push(*target.ok_or(format!("`{name}` is none of {known}"))?);
            }
        }
    }
    if wishes.targets.is_empty() {
        wishes.targets.extend(ALL);
    }
    Ok(wishes)
}

fn run((name, target): (&'static str, Target), wishes: &Wishes) -> Result<(), Box<dyn Error>> {
    if let Some(input) = &wishes.input {
        println!("{}", target(&fs::read(input)?));
        return Ok(());
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let artifacts = here.join("artifacts").join(name);
    fs::create_dir_all(&artifacts)?;
    // It is written before each run: whatever ends the process leaves it.
    let file = artifacts.join("input");
    let kept = File::create(&file)?;
    let corpus = Corpus::new(&here.join("seeds").join(name), wishes.seed)?;
    let (seconds, watched) = (wishes.seconds, Arc::new(AtomicU64::new(0)));
    watch(&watched, file.clone());
    let worker = thread::Builder::new().stack_size(STACK);
    let worker = worker.spawn(move || work(target, corpus, &kept, &watched, seconds))?;
    match worker.join() {
        Ok(done) => {
            let (runs, found, slowest) = done?;
            println!("{name}: {runs} runs, {found} outcomes, the slowest {slowest:?} of CPU");
            fs::remove_file(&file)?;
            Ok(())
        }
        Err(_) => Err(format!("{name} panicked: {}", file.display()).into()),
    }
}

/// Runs inputs until the time is over: how many, with how many different outcomes, and the most CPU
/// time of one.
fn work(
    target: Target,
    mut corpus: Corpus,
    kept: &File,
    watched: &AtomicU64,
    seconds: u64,
) -> std::io::Result<(u64, usize, Duration)> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut runs, mut slowest) = (0, Duration::ZERO);
    // Each seed as it is, and then what can be made of them.
    while let Some(input) = corpus.next(Instant::now() < end) {
        kept.set_len(input.len() as u64)?;
        kept.write_all_at(&input, 0)?;
        let before = cpu();
        watched.store(before.as_nanos() as u64, Relaxed);
        let outcome = target(&input);
        watched.store(0, Relaxed);
        slowest = slowest.max(cpu() - before);
        corpus.ran(input, outcome);
        runs += 1;
    }
    Ok((runs, corpus.outcomes(), slowest))
}

/// Ends the process where an input takes too much.
fn watch(started: &Arc<AtomicU64>, file: PathBuf) {
    let started = started.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_millis(200));
            let at = Duration::from_nanos(started.load(Relaxed));
            if !at.is_zero() && cpu().saturating_sub(at) > CPU_MAX {
                eprintln!("error: more than {CPU_MAX:?} of CPU: {}", file.display());
                exit(1);
            }
        }
    });
}

/// The CPU time of this process, whichever thread of it works for an input.
fn cpu() -> Duration {
    static FIRST: OnceLock<Duration> = OnceLock::new();
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
    // Never zero: that is for nothing at work.
    now - *FIRST.get_or_init(|| now) + Duration::from_nanos(1)
}
