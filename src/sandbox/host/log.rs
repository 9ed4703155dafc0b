//! `stepwell:tool/log`: the task's log.

use crate::sandbox::bindings::stepwell::tool::log::{Host, Level};
use crate::sandbox::guest::Guest;
use crate::task::Source;

impl Host for Guest {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.charge(message.len());
        let source = match level {
            Level::Debug => Source::Debug,
            Level::Info => Source::Info,
            Level::Warning => Source::Warning,
            Level::Error => Source::Error,
        };
        self.log.message(source, &message);
        Ok(())
    }
}
