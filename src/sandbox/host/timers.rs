//! `stepwell:tool/timers`: waiting that outlives the process.

use crate::sandbox::bindings::stepwell::tool::timers::{Host, Stop};
use crate::sandbox::guest::Guest;

impl Host for Guest {
    async fn sleep(&mut self, name: String, duration: u64) -> wasmtime::Result<Result<(), Stop>> {
        self.charge(name.len());
        let slept = self.durable.sleep(name, duration).await;
        Ok(self.answer(slept)?.map_err(Stop::from))
    }
}
