//! The engine: one configuration, one pool of slots.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, Engine, ModuleVersionStrategy, OperatorCost, PoolingAllocationConfig,
    VariableOperatorCost,
};

use super::{Error, Options};
use crate::limit::{self, Name};

/// The memories, tables and core instances that one component may have. A component of Python has
/// some twenty core instances; hardly any has a second memory.
const MEMORIES_MAX: u32 = 8;
const TABLES_MAX: u32 = 32;

/// Slots beside those for tasks: for components that describe themselves.
pub(super) const DESCRIBE_SLOTS: u32 = 4;

/// What a slot keeps of its pages when a guest goes: they are zeroed, and the next one need not
/// fault them in again. Giving them back to the system costs more than that, because every core
/// that runs a thread of this process is interrupted for it; so these are as large as what a usual
/// guest touches. Rust puts a stack of 1 MiB before a program's data.
///
/// Only those pages are zeroed that the guest has used, where the system can say which (Linux 6.7):
/// zeroing the others would fault them in first, and loading or dropping a guest in a slot that is
/// new takes ten times as long then, in which nobody can make its thread yield.
const MEMORY_RESIDENT: usize = 1_280 << 10;
const TABLE_RESIDENT: usize = 16 << 10;
const STACK_RESIDENT: usize = 64 << 10;

/// Maps that the rest of the process may need.
const MAPS_ELSEWHERE: u64 = 5_000;

/// Growing memory costs the host far more than the one instruction it is.
const FUEL_PER_PAGE: u8 = 255;

/// The engine, and what a compiled form of it depends on.
pub(super) fn engine(options: &Options) -> Result<(Engine, String), Error> {
    let slots = check_maps(options.slots)?;
    let refused = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
    // A compiled form names the major version of wasmtime only, so that a fix of the compiler
    // would not reach a form that was made before it. The full version is in the hash.
    let plain = Engine::new(&config()).map_err(refused)?;
    let mut hash = DefaultHasher::new();
    plain.precompile_compatibility_hash().hash(&mut hash);
    let version = format!("stepwell-1-{:016x}", hash.finish());
    let mut config = config();
    config.allocation_strategy(pool(slots));
    let strategy = ModuleVersionStrategy::Custom(version.clone());
    config.module_version(strategy).map_err(refused)?;
    let engine = Engine::new(&config).map_err(refused)?;
    Ok((engine, version))
}

fn config() -> Config {
    let mut config = Config::new();
    let cost = OperatorCost {
        variable: VariableOperatorCost {
            memory_grow_per_page: FUEL_PER_PAGE,
            ..VariableOperatorCost::default()
        },
        ..OperatorCost::default()
    };
    config
        .consume_fuel(true)
        .operator_cost(cost)
        .epoch_interruption(true)
        .memory_init_cow(true)
        // What is left of one guest on a stack is not for the next one.
        .async_stack_zeroing(true)
        .wasm_memory64(false)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20));
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let total = slots + DESCRIBE_SLOTS;
    let instances = per_component(Name::Instances);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(total)
        .total_stacks(total)
        .total_core_instances(total.saturating_mul(instances))
        .total_memories(total.saturating_mul(MEMORIES_MAX))
        .total_tables(total.saturating_mul(TABLES_MAX))
        .max_core_instances_per_component(instances)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(4 << 20)
        .max_memory_size(per_component(Name::Memory) as usize)
        .table_elements(per_component(Name::TableElements) as usize)
        .linear_memory_keep_resident(MEMORY_RESIDENT)
        .table_keep_resident(TABLE_RESIDENT)
        .async_stack_keep_resident(STACK_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The most of a limit that any task may have: the slots are made for it.
fn per_component(name: Name) -> u32 {
    let limit = limit::ALL.iter().find(|limit| limit.name == name);
    limit.map_or(0, |limit| u32::try_from(limit.max).unwrap_or(u32::MAX))
}

/// Refuses more slots than the machine has memory maps for: where those run out, an allocation
/// fails somewhere, and takes the whole process with it.
fn check_maps(slots: usize) -> Result<u32, Error> {
    // Not Linux, or no `/proc`: nothing to compare with.
    let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let allowed = allowed.and_then(|text| text.trim().parse().ok());
    maps_suffice(slots, allowed.unwrap_or(u64::MAX))
}

fn maps_suffice(slots: usize, allowed: u64) -> Result<u32, Error> {
    // A stack has a guard. A memory has one too, and a third map once part of it is in use.
    let per_slot = u64::from(2 + 3 * MEMORIES_MAX);
    let total = (slots as u64).saturating_add(DESCRIBE_SLOTS.into());
    let needed = total
        .saturating_mul(per_slot)
        .saturating_add(MAPS_ELSEWHERE);
    match u32::try_from(slots) {
        Ok(slots) if needed <= allowed => Ok(slots),
        _ => {
            let room = allowed.saturating_sub(MAPS_ELSEWHERE) / per_slot;
            let room = room.saturating_sub(DESCRIBE_SLOTS.into());
            Err(Error::MapCount {
                slots,
                needed,
                allowed,
                slots_max: usize::try_from(room).unwrap_or(usize::MAX),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_slots_than_maps_are_refused_with_the_way_out() {
        assert_eq!(maps_suffice(256, 65_530), Ok(256));
        let error = maps_suffice(10_000, 65_530).unwrap_err();
        let Error::MapCount {
            slots_max, needed, ..
        } = error.clone()
        else {
            panic!("{error}");
        };
        assert!(maps_suffice(slots_max, 65_530).is_ok());
        assert!(maps_suffice(slots_max + 1, 65_530).is_err());
        assert!(maps_suffice(10_000, needed).is_ok());
        let text = error.to_string();
        assert!(
            text.contains(&format!("vm.max_map_count={needed}")),
            "{text}"
        );
    }
}
