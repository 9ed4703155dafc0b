//! `stepwell:tool/steps`: work that is done once.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::limit::Name;
use crate::sandbox::bindings::stepwell::tool::steps::{Doubt, Effect, Entry, Host, HostStep, Stop};
use crate::sandbox::failure::past;
use crate::sandbox::guest::Guest;
use crate::sandbox::{End, Entry as Entered};

/// A step at work, as the guest holds it.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the bindings hand it on as public")]
pub struct Step {
    name: Arc<str>,
    key: Arc<str>,
}

impl Host for Guest {
    async fn begin(
        &mut self,
        name: String,
        input: Vec<u8>,
        effect: Effect,
    ) -> wasmtime::Result<Result<Entry, Stop>> {
        self.charge(name.len() + input.len());
        let step: Arc<str> = name.as_str().into();
        let once = matches!(effect, Effect::Once);
        let entered = self.durable.begin(name, input, once).await;
        let entry = match self.answer(entered)? {
            Err(stop) => return Ok(Err(stop.into())),
            Ok(Entered::Run { key }) => Entry::Run(self.table.push(Step { name: step, key })?),
            Ok(Entered::Replay(output)) => {
                self.charge(output.len());
                Entry::Replay(output.to_vec())
            }
            Ok(Entered::InDoubt { key, earlier }) => {
                self.charge(earlier.as_ref().map_or(0, |earlier| earlier.len()));
                Entry::InDoubt(Doubt {
                    step: self.table.push(Step { name: step, key })?,
                    earlier: earlier.map(|earlier| earlier.to_vec()),
                })
            }
        };
        Ok(Ok(entry))
    }
}

impl HostStep for Guest {
    async fn key(&mut self, step: Resource<Step>) -> wasmtime::Result<String> {
        Ok(self.table.get(&step)?.key.to_string())
    }

    async fn complete(&mut self, step: Resource<Step>, output: Vec<u8>) -> wasmtime::Result<()> {
        self.charge(output.len());
        let step = self.table.delete(step)?;
        if output.len() as u64 > self.limits.step_output {
            let what = format!("the output of the step `{}`", step.name);
            let (used, max) = (output.len() as u64, self.limits.step_output);
            return Err(self.end(End::Failed(past(Name::StepOutput, &what, (used, max)))));
        }
        let completed = self.durable.complete(&step.name, output).await;
        self.answer(completed)
    }

    async fn abandon(&mut self, step: Resource<Step>) -> wasmtime::Result<()> {
        let step = self.table.delete(step)?;
        self.durable.abandon(&step.name);
        Ok(())
    }

    async fn drop(&mut self, step: Resource<Step>) -> wasmtime::Result<()> {
        self.abandon(step).await
    }
}
