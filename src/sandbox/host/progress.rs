//! `stepwell:tool/progress`: what the task's owner is told while the tool is at work.

use crate::limit::MESSAGE_BYTES_MAX;
use crate::sandbox::bindings::stepwell::tool::progress::Host;
use crate::sandbox::guest::Guest;
use crate::text::clean_line;

impl Host for Guest {
    async fn report(
        &mut self,
        done: f64,
        total: Option<f64>,
        message: String,
    ) -> wasmtime::Result<()> {
        self.charge(message.len());
        // What is no number says nothing about how far the work is.
        if done.is_finite() {
            let total = total.filter(|total| total.is_finite());
            let message = clean_line(&message, MESSAGE_BYTES_MAX);
            self.durable.report(done, total, message);
        }
        Ok(())
    }
}
