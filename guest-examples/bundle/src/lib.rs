//! The guest examples, and the guests of the tests and the benchmarks, as components. They are
//! built together with this crate, so that a test and the demo never run an old one, or none.

macro_rules! component {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm"))
    };
}

/// Reads, cleans and aggregates files of any size, a checkpoint per chunk.
pub const ETL_PIPELINE: &[u8] = component!("etl_pipeline");

/// Keeps a CPU busy, for the benchmarks.
pub const KERNEL_TOOLS: &[u8] = component!("kernel_tools");

/// Writes a notice to the log, and keeps nothing.
pub const NOTIFY: &[u8] = component!("notify");

/// Reports that a task was given up, and keeps nothing.
pub const NOTIFY_TIMEOUT: &[u8] = component!("notify_timeout");

/// A support conversation that asks, waits for days, and can be restored.
pub const SUPPORT_SESSION: &[u8] = component!("support_session");

/// An order in steps that take effect once, and their undoing.
pub const TRADE_EXECUTION: &[u8] = component!("trade_execution");

/// The tools that MCP's conformance suite calls: see `tests/conformance/README.md`.
pub const CONFORMANCE: &[u8] = component!("conformance");

/// The tools that the tests of the runtime call: see `tests/guest/README.md`.
pub const TEST_GUEST: &[u8] = component!("test_guest");

/// The examples by the name of their one tool. The guests of the tests and of the benchmarks are
/// not among them.
pub const EXAMPLES: [(&str, &[u8]); 5] = [
    ("etl_pipeline", ETL_PIPELINE),
    ("notify", NOTIFY),
    ("notify_timeout", NOTIFY_TIMEOUT),
    ("support_session", SUPPORT_SESSION),
    ("trade_execution", TRADE_EXECUTION),
];

#[cfg(test)]
mod tests {
    /// What a WebAssembly file of the component layer starts with.
    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    #[test]
    fn all_of_them_are_components() {
        for (name, bytes) in super::EXAMPLES {
            assert!(bytes.starts_with(&COMPONENT), "{name}");
        }
        for bytes in [super::CONFORMANCE, super::TEST_GUEST, super::KERNEL_TOOLS] {
            assert!(bytes.starts_with(&COMPONENT));
        }
    }
}
