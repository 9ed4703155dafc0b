//! Stepwell as a library: `cargo run --example embed`.

use std::io::Write as _;

use serde_json::json;
use stepwell::runtime::{Options, Request, Runtime};
use stepwell_guest_examples::TEST_GUEST;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join("stepwell-embed");
    let runtime = Runtime::start(Options::new(folder)).await?;

    // A component is registered once; its digest names it from then on.
    let component = runtime.add(TEST_GUEST.to_vec()).await?.manifest.component;

    // When `submit` returns, the task is on disk: it survives a crash of this process.
    let mut request = Request::new(component, "echo", json!({"hello": "world"}));
    request.limits.fuel = 1_000_000_000;
    request.key = Some("greeting".into());
    let task = runtime.submit(request).await?.record.key();

    let record = runtime.wait(&task).await?;
    let output = runtime.output(&task).await?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{} is {}", record.id, record.status())?;
    writeln!(
        stdout,
        "used {} of {} fuel",
        record.usage.fuel, record.spec.limits.fuel
    )?;
    writeln!(
        stdout,
        "returned {}",
        output.and_then(|it| it.structured).unwrap_or_default()
    )?;

    runtime.drain(std::time::Duration::from_secs(5)).await;
    Ok(())
}
