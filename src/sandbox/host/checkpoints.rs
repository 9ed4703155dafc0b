//! `stepwell:tool/checkpoints`: state that the next attempt starts from.

use crate::limit::Name;
use crate::sandbox::End;
use crate::sandbox::bindings::stepwell::tool::checkpoints::{Checkpoint, Host, Stop};
use crate::sandbox::failure::past;
use crate::sandbox::guest::Guest;

impl Host for Guest {
    async fn load(&mut self) -> wasmtime::Result<Option<Checkpoint>> {
        let loaded = self.durable.load().await;
        let Some(loaded) = self.answer(loaded)? else {
            return Ok(None);
        };
        let checkpoint = Checkpoint {
            id: loaded.id,
            state: loaded.state.map(|state| state.to_vec()),
            client: loaded.client.map(|client| client.to_string()),
        };
        let bytes = checkpoint.state.as_ref().map_or(0, Vec::len);
        self.charge(bytes + checkpoint.client.as_ref().map_or(0, String::len));
        Ok(Some(checkpoint))
    }

    async fn save(&mut self, state: Vec<u8>) -> wasmtime::Result<Result<String, Stop>> {
        self.charge(state.len());
        let (used, max) = (state.len() as u64, self.limits.checkpoint);
        if used > max {
            let failure = past(Name::Checkpoint, "the state to save", (used, max));
            return Err(self.end(End::Failed(failure)));
        }
        let saved = self.durable.save(state).await;
        Ok(self.answer(saved)?.map_err(Stop::from))
    }
}
