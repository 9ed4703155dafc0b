//! Builds the guests with a cargo of its own, for `wasm32-wasip2`, and puts the components
//! where `src/lib.rs` embeds them.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";

const COMPONENTS: [&str; 8] = [
    "conformance",
    "etl_pipeline",
    "kernel_tools",
    "notify",
    "notify_timeout",
    "support_session",
    "test_guest",
    "trade_execution",
];

/// What the guests are made of, from the root of the repository. Not the whole folders: a
/// build of a guest by hand leaves its own things there.
const SOURCES: [&str; 22] = [
    "guest-examples/Cargo.toml",
    "guest-examples/Cargo.lock",
    "guest-examples/etl",
    "guest-examples/etl_pipeline",
    "guest-examples/kernel_tools",
    "guest-examples/kernels",
    "guest-examples/notify",
    "guest-examples/notify_timeout",
    "guest-examples/support_session",
    "guest-examples/trade_execution",
    "guest-examples/bundle/build.rs",
    "tests/conformance/Cargo.toml",
    "tests/conformance/src",
    "tests/guest/Cargo.toml",
    "tests/guest/src",
    "sdk/Cargo.toml",
    "sdk/README.md",
    "sdk/src",
    "wit",
    "Cargo.toml",
    "clippy.toml",
    "rust-toolchain.toml",
];

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[expect(
    clippy::print_stderr,
    reason = "that is how a build script says why it failed"
)]
fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the guest examples cannot be built: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // `<target>/<profile>/build/<package>/out`: the profiles share the guests.
    let target_dir = out.ancestors().nth(4).unwrap_or(&out).join("guests");
    have_target(&root)?;
    build_guests(&root.join("guest-examples"), &target_dir)?;
    for component in COMPONENTS {
        let file = format!("{component}.wasm");
        let built = target_dir.join(TARGET).join("release").join(&file);
        fs::copy(&built, out.join(&file))
            .map_err(|error| format!("{}: {error}", built.display()))?;
    }
    Ok(())
}

fn build_guests(workspace: &Path, target_dir: &Path) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--locked",
        "--release",
        "--workspace",
        "--target",
        TARGET,
    ]);
    cargo
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(workspace);
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_build(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("see cargo's messages above".into())
    }
}

/// Whether a variable says how this crate is built, rather than how cargo works here: flags,
/// wrappers (clippy's is one) and target folders are not for the guests.
fn is_of_this_build(name: &str) -> bool {
    const KEPT: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_INCREMENTAL",
    ];
    const REMOVED: [&str; 7] = [
        "CARGO",
        "CLIPPY_",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "RUSTC_BOOTSTRAP",
    ];
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    starts(&REMOVED) && !starts(&KEPT)
}

/// Sees to it that the standard library for the target is there.
fn have_target(root: &Path) -> Result<()> {
    if has_target()? {
        return Ok(());
    }
    let toolchain = toolchain(root)?;
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET, "--toolchain", &toolchain]);
    let added = rustup.status().is_ok_and(|status| status.success());
    if added && has_target()? {
        return Ok(());
    }
    let by_hand = format!("rustup target add {TARGET} --toolchain {toolchain}");
    Err(
        format!("Rust has no target {TARGET} here, and it could not be added. Run `{by_hand}`.")
            .into(),
    )
}

fn has_target() -> Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("{}: {error}", rustc.to_string_lossy()))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(folder.trim()).is_dir())
}

/// The toolchain that is at work, or the one that the repository asks for.
fn toolchain(root: &Path) -> Result<String> {
    if let Ok(toolchain) = env::var("RUSTUP_TOOLCHAIN") {
        return Ok(toolchain);
    }
    let file = fs::read_to_string(root.join("rust-toolchain.toml"))?;
    let channel = file
        .lines()
        .find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.ok_or("rust-toolchain.toml names no channel")?;
    Ok(channel.trim_matches('"').to_owned())
}
