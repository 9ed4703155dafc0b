//! What Stepwell's limits cost a guest that computes.
//!
//! A loop, recursion of two kinds and SHA-256, called by way of [`Runtime::call`], with fuel counted and the
//! epoch ticking, against the same component in bare wasmtime: the same configuration of the
//! compiler, but neither fuel nor epoch, and nobody in between. Both make a fresh instance for each
//! call, which takes microseconds where the work takes a tenth of a second. What is stated besides
//! is the same code compiled natively, which shows what WebAssembly itself costs; natively, SHA-256
//! may use the processor's own instructions for it.
//!
//! The three take turns, and the fastest round of each counts: whatever else the machine does only
//! ever makes a round slower.
//!
//! [`Runtime::call`]: stepwell::runtime::Runtime::call

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use stepwell_guest_examples::KERNEL_TOOLS;
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, ResourceTable, Val,
};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::crowd::{House, call, request};
use crate::table::{Amount, Reach, Row, Scale, Table};

const TOOLS: &str = "stepwell:tool/tools@0.1.0";

struct Kernel {
    what: &'static str,
    tool: &'static str,
    native: fn(u64) -> u64,
    size: u64,
    ratio_max: f64,
}

/// The work, and how much longer it may take for being limited: counting costs a loop next to
/// nothing, and a call, which looks at fuel and epoch each time, far more.
fn kernels(scale: &Scale) -> [Kernel; 4] {
    let size = |full, part| scale.of(full, part) as u64;
    [
        Kernel {
            what: "a loop",
            tool: "scatter",
            native: kernels::scatter,
            size: size(100_000_000, 10),
            ratio_max: 1.05,
        },
        Kernel {
            what: "recursion, half of which is compiled to a loop",
            tool: "fibonacci",
            native: kernels::fibonacci,
            size: if scale.is_quick { 30 } else { 35 },
            ratio_max: 1.35,
        },
        Kernel {
            what: "recursion",
            tool: "tree",
            native: kernels::tree,
            size: if scale.is_quick { 18 } else { 23 },
            ratio_max: 1.35,
        },
        Kernel {
            what: "SHA-256",
            tool: "sha256",
            native: kernels::sha256,
            size: size(16 << 20, 4),
            ratio_max: 1.10,
        },
    ]
}

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let house = House::open(|_| {})?;
    let component = house.add(KERNEL_TOOLS)?;
    let bare = Bare::new().map_err(|error| told(&error))?;
    for kernel in kernels(scale) {
        let Kernel { what, size, .. } = kernel;
        let expected = (kernel.native)(size).to_string();
        let mut took = [Duration::MAX; 3];
        for _ in 0..scale.of(9, 3) {
            let limited = || {
                let arguments = json!({"size": size});
                let request = request(component, kernel.tool, arguments);
                let called = call(house.runtime.clone(), request);
                let output = house.serving.block_on(called)?;
                result(&output.structured.context("nothing structured")?)
            };
            let bare = || bare.call(kernel.tool, size);
            let native = || Ok(black_box(kernel.native)(black_box(size)).to_string());
            let round = [
                timed(limited, &expected)?,
                timed(bare, &expected)?,
                timed(native, &expected)?,
            ];
            for (least, took) in took.iter_mut().zip(round) {
                *least = took.min(*least);
            }
        }
        let [limited, bare, native] = took.map(Amount::Time);
        let row = |against: &str, baseline, reach| Row {
            measure: format!("{what}, {against}"),
            stepwell: limited,
            baseline: Some(baseline),
            reach,
        };
        let reach = Reach::RatioMax(kernel.ratio_max);
        table.add(row("against bare wasmtime", bare, reach));
        table.add(row("against native code", native, Reach::Stated));
    }
    Ok(())
}

/// How long `work` takes to come to what it should.
fn timed(
    work: impl FnOnce() -> anyhow::Result<String>,
    expected: &str,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let result = work()?;
    let took = begun.elapsed();
    ensure!(result == expected, "{result}, not {expected}");
    Ok(took)
}

/// What a tool came to.
fn result(output: &Value) -> anyhow::Result<String> {
    let result = output.get("result").and_then(Value::as_str);
    Ok(result.context("no result")?.to_owned())
}

/// wasmtime's errors are no standard ones.
fn told(error: &wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// The component in wasmtime alone.
struct Bare {
    engine: Engine,
    instance: InstancePre<Wasi>,
    call: ComponentExportIndex,
}

#[derive(Default)]
struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = (&mut self.ctx, &mut self.table);
        WasiCtxView { ctx, table }
    }
}

impl Bare {
    /// As the sandbox configures its engine, less the limits.
    fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .consume_fuel(false)
            .epoch_interruption(false)
            .memory_init_cow(true)
            .async_stack_zeroing(true)
            .wasm_memory64(false)
            .relaxed_simd_deterministic(true);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, KERNEL_TOOLS)?;
        let tools = component.get_export_index(None, TOOLS);
        let call = component.get_export_index(tools.as_ref(), "call");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        // Of the contract the tools use nothing.
        linker.define_unknown_imports_as_traps(&component)?;
        Ok(Self {
            engine,
            instance: linker.instantiate_pre(&component)?,
            call: call.ok_or_else(|| wasmtime::Error::msg("there is no `call`"))?,
        })
    }

    /// Calls a tool in a fresh instance, and returns its `result`.
    fn call(&self, tool: &str, size: u64) -> anyhow::Result<String> {
        let arguments = json!({"size": size}).to_string();
        let returned = self.returned(&[tool.to_owned(), arguments].map(Val::String));
        let returned = returned.map_err(|error| told(&error))?;
        let output = match &returned {
            Val::Result(Ok(Some(output))) => match &**output {
                Val::Record(fields) => fields.iter().find(|(name, _)| name == "structured"),
                _ => None,
            },
            _ => None,
        };
        let Some((_, Val::Option(Some(json)))) = output else {
            anyhow::bail!("{returned:?} is not structured");
        };
        let Val::String(json) = &**json else {
            anyhow::bail!("{json:?} is no text");
        };
        result(&serde_json::from_str(json)?)
    }

    fn returned(&self, arguments: &[Val; 2]) -> wasmtime::Result<Val> {
        let mut store = Store::new(&self.engine, Wasi::default());
        let instance = self.instance.instantiate(&mut store)?;
        let call = instance.get_func(&mut store, self.call);
        let call = call.ok_or_else(|| wasmtime::Error::msg("`call` is no function"))?;
        let mut results = [Val::Bool(false)];
        call.call(&mut store, arguments, &mut results)?;
        let [returned] = results;
        Ok(returned)
    }
}
