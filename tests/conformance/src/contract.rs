//! The contract, as wit-bindgen generates it.

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
    path: "../../wit",
    world: "tool",
    export_macro_name: "export_contract",
});
