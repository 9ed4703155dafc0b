//! What has to be true of a task however often its process was killed, as it is seen from outside.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::Plan;

/// What was seen of a task that ended as it should.
pub(crate) struct Seen {
    /// Its end, with its result.
    pub(crate) end: String,
    /// How many doubts it was shown whose step the world knew, and how many whose step it did not.
    pub(crate) doubts: [u64; 2],
}

/// A step, as far as the world has seen it.
struct Step {
    is_once: bool,
    key: Option<String>,
    performed: u64,
    /// Whether the tool was told that it is done.
    is_done: bool,
}

/// The world's log, read line by line.
struct Reader {
    steps: BTreeMap<String, Step>,
    attempts: u64,
    /// Checkpoints that the tool was told are saved.
    saved: u64,
    /// Checkpoints that the attempt began with or saved.
    stage: u64,
    doubts: [u64; 2],
}

type Broken = String;

/// Checks the world's log and the owner's notes.
pub(crate) fn check(plan: &Plan, log: &[String], told: &[String]) -> Result<Seen, Broken> {
    let mut reader = Reader::new(plan);
    for line in log {
        reader
            .line(line)
            .map_err(|broken| format!("{broken}: `{line}`"))?;
    }
    reader.end()?;
    let end = check_told(told)?;
    if !end.starts_with(&format!("to {}: ", plan.ending)) {
        return Err(format!("it is not {}: {end}", plan.ending));
    }
    let doubts = reader.doubts;
    Ok(Seen { end, doubts })
}

impl Reader {
    fn new(plan: &Plan) -> Self {
        let step = |(name, is_once): &(String, bool)| {
            let step = Step {
                is_once: *is_once,
                key: None,
                performed: 0,
                is_done: false,
            };
            (name.clone(), step)
        };
        Self {
            steps: plan.steps.iter().map(step).collect(),
            attempts: 0,
            saved: 0,
            stage: 0,
            doubts: [0; 2],
        }
    }

    fn line(&mut self, line: &str) -> Result<(), Broken> {
        if let Some(effect) = line.strip_prefix("effect ") {
            let (name, key) = effect.split_once(' ').ok_or("no key")?;
            return self.performed(name, key);
        }
        let Ok((_, entry)) = serde_json::from_str::<(u32, Value)>(line) else {
            return if line == "here" {
                Ok(())
            } else {
                Err("what is it".into())
            };
        };
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let number = |name: &str| entry.get(name).and_then(Value::as_u64);
        if entry.get("current").is_some() {
            self.begins();
            Ok(())
        } else if let Some(stage) = number("stage") {
            self.stage = stage;
            Ok(())
        } else if text("saved").is_some() {
            self.saves()
        } else if let Some(key) = text("run") {
            self.done(key, false)
        } else if let Some(doubt) = entry.get("doubt") {
            let key = doubt["key"].as_str().ok_or("a doubt without a key")?;
            let is_known = doubt["found"] == true;
            self.doubts[usize::from(!is_known)] += 1;
            self.done(key, true)
        } else if let Some(name) = text("replay") {
            self.replayed(name)
        } else {
            Ok(())
        }
    }

    /// An attempt begins.
    fn begins(&mut self) {
        self.attempts += 1;
        self.stage = 0;
    }

    fn saves(&mut self) -> Result<(), Broken> {
        self.stage += 1;
        if self.stage <= self.saved {
            return Err("a checkpoint that was acknowledged is lost".into());
        }
        self.saved = self.stage;
        Ok(())
    }

    /// The effect of a step is in the world.
    fn performed(&mut self, name: &str, key: &str) -> Result<(), Broken> {
        self.loaded()?;
        let step = self
            .steps
            .get_mut(name)
            .ok_or("a step that was not to be")?;
        step.performed += 1;
        if step.key.get_or_insert_with(|| key.to_owned()) != key {
            return Err("the same step with another key".into());
        }
        if step.is_done {
            return Err("a step that was acknowledged is done again".into());
        }
        if step.is_once && step.performed > 1 {
            return Err("a `once` step is done twice".into());
        }
        Ok(())
    }

    /// The tool was told that a step is done.
    fn done(&mut self, key: &str, in_doubt: bool) -> Result<(), Broken> {
        let of_key = |step: &&mut Step| step.key.as_deref() == Some(key);
        let step = self
            .steps
            .values_mut()
            .find(of_key)
            .ok_or("nobody did it")?;
        if step.is_done {
            return Err("a step is acknowledged twice".into());
        }
        if in_doubt && !step.is_once {
            return Err("a repeatable step is in doubt".into());
        }
        step.is_done = true;
        Ok(())
    }

    /// The tool was told that a step was done before.
    fn replayed(&mut self, name: &str) -> Result<(), Broken> {
        self.loaded()?;
        let step = self
            .steps
            .get_mut(name)
            .ok_or("a step that was not to be")?;
        if step.performed == 0 {
            return Err("a step is done that nobody did".into());
        }
        step.is_done = true;
        Ok(())
    }

    /// What the attempt began with is not older than what was acknowledged.
    fn loaded(&self) -> Result<(), Broken> {
        if self.stage < self.saved {
            return Err("a checkpoint that was acknowledged is lost".into());
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Broken> {
        for (name, step) in &self.steps {
            if !step.is_done {
                return Err(format!("step `{name}` was never done"));
            }
        }
        // Each attempt but the last can have left one effect behind that nobody knows of.
        let performed: u64 = self.steps.values().map(|step| step.performed).sum();
        let surplus = performed - self.steps.len() as u64;
        if surplus >= self.attempts {
            return Err(format!(
                "{surplus} steps too many in {} attempts",
                self.attempts
            ));
        }
        Ok(())
    }
}

/// What its owner was told stays true. Returns what the task came to.
fn check_told(told: &[String]) -> Result<String, Broken> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for line in told {
        let (what, which) = line.split_once(' ').unwrap_or((line, ""));
        let is = |what: &str| known.get(what).is_some_and(|it| which.starts_with(it));
        let is_broken = match what {
            "sleeps" => is("slept"),
            "asked" => is("answered"),
            "cancels" => is("cancelled"),
            _ => false,
        };
        let earlier = *known.entry(what).or_insert(which);
        if is_broken || earlier != which {
            return Err(format!("its owner is told otherwise: {line}"));
        }
    }
    match (known.get("came"), known.get("ended")) {
        (Some(came), Some(_)) => Ok((*came).to_owned()),
        _ => Err("its owner was not told how it ended".into()),
    }
}
