//! What a guest does in the world outside, in its steps.

use std::sync::Arc;

use crate::host::{CALL_COST, EFFECT_COST, Host};
use crate::sdk::answer;
use crate::world::{Break, Service, Step};

/// How many times the services of a flaky guest fail at most.
const FLAKES_MAX: u32 = 3;

impl Host {
    /// Has a service do `what`. It may fail before it did, or after.
    pub(crate) fn effect(
        &mut self,
        name: &Arc<str>,
        what: &str,
        service: Service,
    ) -> Step<Option<String>> {
        self.enter(EFFECT_COST, false, || format!("effect {what}"))?;
        let fails = self.guest.flaky && {
            self.flakes += 1;
            self.flakes <= FLAKES_MAX
        };
        let fail = if fails { self.chooser.choose(3) } else { 0 };
        if fails {
            self.script.flakes.push(fail);
        }
        let Some(working) = self.loaded.work.get(name) else {
            return Err(Break::Bad(format!("an effect outside its step: {what}")));
        };
        let doubt = (working.once, working.in_doubt);
        self.ghost.before_effect((what, &working.key), doubt)?;
        if fail == 1 {
            return Ok(None);
        }
        self.ghost.performed.insert(what.into());
        self.world.act(service, &working.key, what);
        Ok((fail == 0).then(|| answer(what)))
    }

    /// Asks a service whether it did `what`.
    pub(crate) fn query(
        &mut self,
        name: &Arc<str>,
        what: &str,
        service: Service,
    ) -> Step<Option<String>> {
        self.enter(CALL_COST, false, || format!("query {what}"))?;
        let working = self.loaded.work.get(name);
        let knows = working.is_some_and(|step| self.world.knows(service, &step.key, what));
        Ok(knows.then(|| answer(what)))
    }
}
