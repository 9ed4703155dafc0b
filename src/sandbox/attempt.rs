//! One attempt: an instance, a call, an end.

use std::sync::Arc;

use wasmtime::{Engine, Store};

use super::bindings::exports::stepwell::tool::tools;
use super::failure::ending;
use super::guest::{Guest, Setup};
use super::output;
use super::{Call, Component, Durable, Ending, Meter};
use crate::clock::Clock;
use crate::limit::MESSAGE_BYTES_MAX;
use crate::task::{Failure, Kind};
use crate::text::clean_line;

/// Runs a call to its end.
pub(super) async fn run(
    (engine, clock): (Engine, Clock),
    component: Component,
    call: Call,
    (meter, durable): (Arc<Meter>, Box<dyn Durable>),
) -> Ending {
    let setup = Setup {
        clock: &clock,
        limits: call.limits.clone(),
        grants: &call.grants,
        meter,
        durable,
    };
    let mut store = match Guest::store(&engine, setup) {
        Ok(store) => store,
        Err(error) => return Ending::Failed(host(&error)),
    };
    let returned = returned(&mut store, &component, &call).await;
    settle(&mut store);
    match returned {
        Ok(Ok(returned)) => match output::output(returned, &call.limits) {
            Ok(output) => Ending::Returned(output),
            Err(failure) => Ending::Failed(failure),
        },
        Ok(Err(error)) => Ending::Error(output::error(error)),
        Err(error) => ending(&error, store.data_mut()),
    }
}

async fn returned(
    store: &mut Store<Guest>,
    component: &Component,
    call: &Call,
) -> wasmtime::Result<Result<tools::Output, tools::Error>> {
    // Making an instance runs code of the guest already, under the same limits.
    let tool = component.tool.instantiate_async(&mut *store).await?;
    tool.stepwell_tool_tools()
        .call_call(store, &call.tool, &call.arguments)
        .await
}

/// Brings the meter and the log up to date with what the guest did last.
pub(super) fn settle(store: &mut Store<Guest>) {
    if let Ok(left) = store.get_fuel() {
        // What the last host call cost is paid even where it was the last.
        store.data().meter.pay(left);
    }
    let guest = store.data_mut();
    guest.log.flush();
    guest.hand_on_lines();
}

/// The attempt could not even begin.
pub(super) fn host(error: &wasmtime::Error) -> Failure {
    let message = format!("the guest can't be set up: {error:#}");
    Failure::new(Kind::Host, clean_line(&message, MESSAGE_BYTES_MAX))
}
