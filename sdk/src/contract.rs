//! The contract with the runtime, as wit-bindgen generates it from `wit/tool.wit`. All
//! that is unsafe in this crate is in here. An author sees none of it: [`crate::export!`]
//! names it, and [`crate::host`] and [`crate::tool`] translate.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::pedantic,
    clippy::mem_forget,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "tool",
    default_bindings_module: "stepwell_guest::contract",
    export_macro_name: "export_contract",
    pub_export_macro: true,
});
