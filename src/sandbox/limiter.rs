//! What one guest may hold: memory and table elements summed over the whole component, and a
//! number of core instances, memories and tables.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::Meter;
use crate::limit::Limits;

/// Sums what a guest holds, and refuses what is past its limits.
///
/// Growth that is refused is what a program expects when memory is out, so the guest isn't ended
/// for it; that it was refused is remembered, to tell why the guest gave up.
#[derive(Debug)]
pub(super) struct Limiter {
    meter: Arc<Meter>,
    memory_max: u64,
    elements_max: u64,
    parts_max: usize,
    memory: u64,
    elements: u64,
    /// What the growth that is under way adds. Should it fail after all, it is given back.
    memory_pending: u64,
    elements_pending: u64,
    memory_refused: Option<u64>,
    elements_refused: Option<u64>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits, meter: Arc<Meter>) -> Self {
        Self {
            meter,
            memory_max: limits.memory,
            elements_max: limits.table_elements,
            parts_max: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            memory: 0,
            elements: 0,
            memory_pending: 0,
            elements_pending: 0,
            memory_refused: None,
            elements_refused: None,
        }
    }

    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    /// The memory that the guest wanted in all when it was refused.
    pub(super) fn memory_refused(&self) -> Option<u64> {
        self.memory_refused
    }

    /// The table elements that the guest wanted in all when it was refused.
    pub(super) fn elements_refused(&self) -> Option<u64> {
        self.elements_refused
    }

    /// Growth that was under way has succeeded. A failure that is told from here on is of growth
    /// that was never asked about.
    pub(super) fn settle(&mut self) {
        (self.memory_pending, self.elements_pending) = (0, 0);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory_pending = 0;
        let more = desired.saturating_sub(current) as u64;
        let total = self.memory.saturating_add(more);
        if total > self.memory_max {
            self.memory_refused = Some(total);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = total;
        self.memory_pending = more;
        self.meter.note_memory(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory -= std::mem::take(&mut self.memory_pending);
        self.meter.note_memory(self.memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.elements_pending = 0;
        let more = desired.saturating_sub(current) as u64;
        let total = self.elements.saturating_add(more);
        if total > self.elements_max {
            self.elements_refused = Some(total);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = total;
        self.elements_pending = more;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.elements -= std::mem::take(&mut self.elements_pending);
        Ok(())
    }

    fn instances(&self) -> usize {
        self.parts_max
    }

    fn tables(&self) -> usize {
        self.parts_max
    }

    fn memories(&self) -> usize {
        self.parts_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Usage;

    const MIB: usize = 1 << 20;

    #[test]
    fn memories_are_summed_and_failed_growth_is_given_back() {
        let limits = Limits {
            memory: 4 << 20,
            ..Limits::default()
        };
        let meter = Arc::new(Meter::new(&limits, &Usage::default()));
        let mut limiter = Limiter::new(&limits, meter.clone());
        let failed = || wasmtime::Error::msg("no");
        // Two memories start with a MiB each.
        assert!(limiter.memory_growing(0, MIB, None).unwrap());
        assert!(limiter.memory_growing(0, MIB, None).unwrap());
        limiter.settle();
        // A failure that nobody was asked about gives nothing back.
        limiter.memory_grow_failed(failed()).unwrap();
        assert_eq!(meter.memory(), 2 << 20);
        assert!(limiter.memory_growing(MIB, 3 * MIB, None).unwrap());
        limiter.memory_grow_failed(failed()).unwrap();
        assert_eq!(meter.memory(), 2 << 20);
        // Past its own maximum a memory can't grow, which has nothing to do with the limit.
        assert!(!limiter.memory_growing(MIB, 2 * MIB, Some(MIB)).unwrap());
        assert_eq!(limiter.memory_refused(), None);
        assert!(!limiter.memory_growing(MIB, 4 * MIB, None).unwrap());
        assert_eq!(limiter.memory_refused(), Some(5 << 20));
        assert_eq!(limiter.memory(), 2 << 20);
    }
}
