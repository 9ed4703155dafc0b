//! Operations in stages, with a checkpoint after each but the last: what a tool looks like that
//! goes on from where it saved.

use serde_json::{Value, json};

use super::{Leave, Script};
use crate::contract::stepwell::tool::checkpoints;
use crate::{invalid, number};

impl Script {
    /// Begins with the stage that the checkpoint names, and has the outputs of those before.
    pub(super) fn stages(&mut self, stages: &[Value]) -> Result<(), Leave> {
        let first = self.load()?;
        for (number, stage) in stages.iter().enumerate().skip(first) {
            let operations = stage
                .as_array()
                .ok_or_else(|| invalid("a stage is a list"))?;
            self.run_all(operations)?;
            let next = number + 1;
            if next == stages.len() {
                break;
            }
            let state = json!({ "stage": next, "outputs": self.outputs });
            match checkpoints::save(state.to_string().as_bytes()) {
                Ok(id) => self.note(json!({ "saved": id }))?,
                Err(stop) => self.stopped(stop)?,
            }
        }
        Ok(())
    }

    fn load(&mut self) -> Result<usize, Leave> {
        let Some(state) = checkpoints::load().and_then(|checkpoint| checkpoint.state) else {
            return Ok(0);
        };
        let state: Value = serde_json::from_slice(&state).map_err(invalid)?;
        let outputs = state.get("outputs").and_then(Value::as_array);
        self.outputs = outputs.cloned().unwrap_or_default();
        let stage = number(&state, "stage")?;
        self.note(json!({ "stage": stage }))?;
        Ok(usize::try_from(stage).map_err(invalid)?)
    }
}
