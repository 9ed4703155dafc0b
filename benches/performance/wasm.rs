//! The baseline of a call: bare wasmtime, set up as carefully as Stepwell sets it up.
//!
//! The engine has the same configuration and the same pool, the component is compiled and linked
//! once, and each call has what anybody who does not trust the component has to give it: a store of
//! its own, with fuel, an epoch and a limit of what it may hold, and a WASI context with nothing
//! in it. The contract's imports are stubs: the tool that is called uses none.

use std::time::Duration;

use stepwell::limit::{self, Limits, Name};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, OperatorCost, PoolingAllocationConfig, Store, StoreLimits,
    StoreLimitsBuilder, VariableOperatorCost,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// As Stepwell's: the guests that it loads at once as a rule, and those that describe themselves.
const SLOTS: u32 = 260;
const MEMORIES_MAX: u32 = 8;
const TABLES_MAX: u32 = 32;

/// How often the epoch advances.
const TICK: Duration = Duration::from_millis(5);

#[allow(
    clippy::pedantic,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "nobody wrote this"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "tool",
        imports: { default: async | trappable },
        exports: { default: async },
        require_store_data_send: true,
    });
}

/// A component, ready to be called.
pub(crate) struct Wasm {
    engine: Engine,
    tool: bindings::ToolPre<Guest>,
    echo: String,
    limits: Limits,
}

struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    holds: StoreLimits,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl Wasm {
    pub(crate) fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        linker.define_unknown_imports_as_traps(&component)?;
        let tool = bindings::ToolPre::new(linker.instantiate_pre(&component)?)?;
        let ticked = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = ticked.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        });
        Ok(Self {
            engine,
            tool,
            echo: "echo".into(),
            limits: Limits::default(),
        })
    }

    /// One call, in a guest of its own, which has to return what it was given.
    pub(crate) async fn echo(&self, arguments: String) -> wasmtime::Result<()> {
        let holds = StoreLimitsBuilder::new()
            .memory_size(usize::try_from(self.limits.memory)?)
            .table_elements(usize::try_from(self.limits.table_elements)?)
            .instances(usize::try_from(self.limits.instances)?)
            .memories(usize::try_from(self.limits.instances)?)
            .tables(usize::try_from(self.limits.instances)?)
            .build();
        let guest = Guest {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            holds,
        };
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.holds);
        store.set_fuel(self.limits.fuel)?;
        store.epoch_deadline_async_yield_and_update(1);
        let tool = self.tool.instantiate_async(&mut store).await?;
        let tools = tool.stepwell_tool_tools();
        let output = tools.call_call(&mut store, &self.echo, &arguments).await?;
        let structured = output.ok().and_then(|output| output.structured);
        wasmtime::ensure!(structured == Some(arguments), "no echo");
        Ok(())
    }
}

/// wasmtime's error as everybody else's.
pub(crate) fn plain(error: &wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// See `src/sandbox/engine.rs`.
fn config() -> Config {
    let mut config = Config::new();
    let cost = OperatorCost {
        variable: VariableOperatorCost {
            memory_grow_per_page: 255,
            ..VariableOperatorCost::default()
        },
        ..OperatorCost::default()
    };
    config
        .consume_fuel(true)
        .operator_cost(cost)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .async_stack_zeroing(true)
        .wasm_memory64(false)
        .relaxed_simd_deterministic(true)
        .allocation_strategy(pool());
    config
}

fn pool() -> PoolingAllocationConfig {
    let instances = most(Name::Instances);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_stacks(SLOTS)
        .total_core_instances(SLOTS.saturating_mul(instances))
        .total_memories(SLOTS * MEMORIES_MAX)
        .total_tables(SLOTS * TABLES_MAX)
        .max_core_instances_per_component(instances)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(4 << 20)
        .max_memory_size(most(Name::Memory) as usize)
        .table_elements(most(Name::TableElements) as usize)
        .linear_memory_keep_resident(1_280 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The most of a limit that any task may have.
fn most(name: Name) -> u32 {
    let limit = limit::ALL.iter().find(|limit| limit.name == name);
    limit.map_or(0, |limit| u32::try_from(limit.max).unwrap_or(u32::MAX))
}
