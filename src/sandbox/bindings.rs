//! What wasmtime makes of `wit/tool.wit`.

#![allow(clippy::pedantic, reason = "nobody wrote this")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "tool",
    imports: { default: async | trappable },
    exports: { default: async },
    require_store_data_send: true,
    with: { "stepwell:tool/steps.step": crate::sandbox::host::Step },
});
