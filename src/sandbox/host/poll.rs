//! `wasi:io/poll`, paid for by the entry: the host looks at everything in a list, each time. That
//! a list is no longer than the handles that a guest may hold, wasmtime sees to.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll::{Host, HostPollable};

use crate::sandbox::guest::Guest;

/// What an entry of a list costs.
const FUEL_PER_ENTRY: usize = 100;

impl Host for Guest {
    async fn poll(&mut self, list: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.charge(list.len().saturating_mul(FUEL_PER_ENTRY));
        self.table.poll(list).await
    }
}

impl HostPollable for Guest {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.table.ready(pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.table.block(pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::drop(&mut self.table, pollable)
    }
}
