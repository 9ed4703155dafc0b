//! The waits of the contract: sleeps and questions.

use std::sync::Arc;

use stepwell::clock::Timestamp;
use stepwell::id::Digest;
use stepwell::task::{Attempt, Ending, Event, RowKind, Wait, Waited};

use crate::host::{CALL_COST, Host};
use crate::rules::Rule;
use crate::world::{Break, Step, need};

impl Host {
    /// Sleeps or asks; whether the tool was told to stop instead.
    pub(crate) fn wait(&mut self, name: &str, ask: bool) -> Step<bool> {
        let replayed = self.disk.row(&self.at(name)).is_some();
        self.enter(CALL_COST, replayed, || format!("wait {name}"))?;
        self.rules.before_boundary(&mut self.loaded.attempt);
        let kind = if ask { RowKind::Answer } else { RowKind::Sleep };
        let names = [(Arc::from(name), Digest::of(b""))];
        let (record, wants) = (&self.disk.record, self.wants);
        let waited = self
            .loaded
            .attempt
            .wait(record, wants, kind, &names)
            .map_err(|failure| Break::End(Ending::Failed(failure)))?;
        match waited {
            Waited::Over(_) => Ok(false),
            Waited::Told => {
                self.script.naps |= !ask;
                self.raise();
                Ok(false)
            }
            Waited::Stop => {
                if self.rules.drops(Rule::RaiseLate) {
                    self.raise();
                }
                self.tell()?;
                Ok(true)
            }
            Waited::Suspend => Err(Break::Drop),
            Waited::Wait(open) => {
                self.raise();
                let wait = self.waiting(&open, ask)?;
                self.write(Event::Waits(wait))?;
                Err(Break::Drop)
            }
        }
    }

    /// What the task waits for. A question's name outside is never another question's.
    fn waiting(&mut self, open: &[Arc<str>], ask: bool) -> Step<Wait> {
        let name = open.first().cloned().unwrap_or_default();
        if !ask {
            let until = Timestamp(self.now.0 + 60_000);
            return Ok(Wait::Timer { name, until });
        }
        let asked = [(name.clone(), Arc::from("?"), Arc::from(""))];
        let mut questions = Attempt::questions(&self.disk.record, open, asked);
        let this = (self.at(&name), self.disk.record.generation);
        for question in &mut questions {
            question.key = self.rules.question_key(&self.disk.record, &question.name);
            let key = question.key.clone();
            let other = self.ghost.asked.entry(key).or_insert_with(|| this.clone());
            need(*other == this, || {
                format!("question key used again outside: {}", question.key)
            })?;
        }
        Ok(Wait::Input { questions })
    }
}
