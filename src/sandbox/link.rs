//! What a component can import: the contract, and WASI 0.2, interface by interface, so that any of
//! them can be replaced by one of ours.

use wasmtime::Engine;
use wasmtime::component::{
    Component as Compiled, HasData, HasSelf, InstancePre, Linker, ResourceTable,
};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sockets};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

use super::Error;
use super::bindings::stepwell::tool;
use super::guest::Guest;
use super::inspect::TEXT_MAX;
use crate::text::clean_line;

/// The packages of the contract that make a task durable.
const DURABLE: [&str; 4] = ["steps", "checkpoints", "timers", "elicitation"];

/// Everything that is provided.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    contract(&mut linker)?;
    basics(&mut linker)?;
    files(&mut linker)?;
    network(&mut linker)?;
    Ok(linker)
}

fn contract(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type Own = HasSelf<Guest>;
    tool::steps::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::checkpoints::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::progress::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::log::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::timers::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::elicitation::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::task::add_to_linker::<_, Own>(l, Guest::called)?;
    tool::types::add_to_linker::<_, Own>(l, Guest::called)
}

/// What the standard library of any language imports.
fn basics(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<Guest, Io>(l, |guest| guest.ctx().table)?;
    io::poll::add_to_linker::<Guest, HasSelf<Guest>>(l, Guest::called)?;
    io::streams::add_to_linker::<Guest, Io>(l, |guest| guest.ctx().table)?;
    clocks::wall_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    clocks::monotonic_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    random::random::add_to_linker::<Guest, WasiRandom>(l, |t| t.ctx().ctx.random())?;
    random::insecure::add_to_linker::<Guest, WasiRandom>(l, |t| t.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<Guest, WasiRandom>(l, |t| t.ctx().ctx.random())?;
    cli::environment::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::exit::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stdin::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stdout::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stderr::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_input::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_output::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdin::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdout::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stderr::add_to_linker::<Guest, WasiCli>(l, Guest::cli)
}

/// Folders, as far as they were granted.
fn files(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    filesystem::types::add_to_linker::<Guest, WasiFilesystem>(l, Guest::filesystem)?;
    filesystem::preopens::add_to_linker::<Guest, WasiFilesystem>(l, Guest::filesystem)
}

/// The network, refused: it is linked because standard libraries import it, used or not.
fn network(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<Guest, WasiSockets>(l, &options, Guest::sockets)?;
    sockets::instance_network::add_to_linker::<Guest, WasiSockets>(l, Guest::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<Guest, WasiSockets>(l, Guest::sockets)?;
    sockets::tcp::add_to_linker::<Guest, WasiSockets>(l, Guest::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<Guest, WasiSockets>(l, Guest::sockets)?;
    sockets::udp::add_to_linker::<Guest, WasiSockets>(l, Guest::sockets)?;
    sockets::udp_create_socket::add_to_linker::<Guest, WasiSockets>(l, Guest::sockets)
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// Links a component, or names the import that is in the way.
pub(super) fn link(
    linker: &Linker<Guest>,
    compiled: &Compiled,
) -> Result<InstancePre<Guest>, Error> {
    let error = match linker.instantiate_pre(compiled) {
        Ok(linked) => return Ok(linked),
        Err(error) => error,
    };
    let problem = clean_line(&format!("{error:#}"), TEXT_MAX);
    // wasmtime says ``component imports instance `NAME`, but ...``, with its own matching of
    // versions behind it.
    let name = problem.split('`').nth(1);
    let names = compiled.component_type();
    let mut names = names.imports(compiled.engine()).map(|(name, _)| name);
    match name {
        Some(name) if names.any(|import| import == name) => Err(Error::Import {
            import: name.to_owned(),
            problem,
        }),
        _ => Err(Error::Invalid(problem)),
    }
}

/// Whether it imports anything that makes a task durable.
pub(super) fn is_durable(compiled: &Compiled) -> bool {
    let names = compiled.component_type();
    let mut names = names.imports(compiled.engine()).map(|(name, _)| name);
    names.any(|name| {
        let interface = name.strip_prefix("stepwell:tool/");
        let interface = interface.and_then(|rest| rest.split('@').next());
        interface.is_some_and(|interface| DURABLE.contains(&interface))
    })
}
