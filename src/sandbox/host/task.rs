//! `stepwell:tool/task`: the task that the tool is at work on.

use crate::sandbox::bindings::stepwell::tool::task::{Budget, Host, Info, Stop};
use crate::sandbox::guest::Guest;

impl Host for Guest {
    async fn current(&mut self) -> wasmtime::Result<Info> {
        let info = self.durable.current();
        Ok(Info {
            id: info.id,
            attempt: info.attempt,
            traceparent: info.traceparent,
        })
    }

    async fn remaining(&mut self) -> wasmtime::Result<Budget> {
        Ok(Budget {
            fuel: self.meter.fuel_left(),
            memory: self.limits.memory.saturating_sub(self.limiter.memory()),
            time: self.durable.time_left(),
        })
    }

    async fn stop_requested(&mut self) -> wasmtime::Result<Option<Stop>> {
        let answer = self.durable.stop_requested().await;
        Ok(self.answer(answer)?.map(Stop::from))
    }
}
