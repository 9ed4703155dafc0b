//! Looking at a component without keeping it.

use super::Error;
use crate::clock::Clock;
use crate::id::Digest;
use crate::registry;
use crate::sandbox::{self, Sandbox};
use crate::tool::Manifest;

/// What a component says of its tools. It needs no data directory, and leaves nothing behind.
pub async fn inspect(component: Vec<u8>) -> Result<Manifest, Error> {
    let sandbox = Sandbox::new(&sandbox::Options {
        slots: 1,
        clock: Clock::system(),
        ..sandbox::Options::default()
    })?;
    let digest = Digest::of(&component);
    let compiler = sandbox.clone();
    let loaded = tokio::task::spawn_blocking(move || {
        let compiled = compiler.compile(&component)?;
        compiler.load(&compiled)
    });
    let loaded = loaded.await.map_err(|_| registry::Error::CutOff)?;
    let loaded = loaded.map_err(registry::Error::Component)?;
    let definitions = sandbox.describe(&loaded).await;
    let definitions = definitions.map_err(registry::Error::Describe)?;
    Ok(registry::manifest(digest, definitions)?)
}
