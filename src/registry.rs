//! The registry: components, kept, compiled and described.
//!
//! A component is known by the digest of its bytes. What was added is kept in the data directory
//! until it is forgotten, so that a task is resumed with what it was started with. The compiled
//! form is a cache: sealed, because it is native code, and made again whenever it does not fit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cap_std::fs::Dir;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use crate::id::Digest;
use crate::limit::MESSAGE_BYTES_MAX;
use crate::sandbox::{self, Component, Sandbox, Verified};
use crate::task::Failure;
use crate::text::clean_line;
use crate::tool::{Definition, InvalidSchema, Manifest, Schema, Tool};
use shelf::Shelf;

mod shelf;

/// A component, ready to run, and its tools.
#[derive(Clone)]
pub struct Registered {
    /// Its tools, with the digest of its bytes.
    pub manifest: Manifest,
    /// What the sandbox runs.
    pub component: Component,
}

/// Why a component is not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It can't be compiled or loaded; nothing was kept.
    #[error(transparent)]
    Component(#[from] sandbox::Error),
    /// It does not describe its tools; nothing was kept.
    #[error("the component does not describe its tools: {0}")]
    Describe(Failure),
    /// One of its tools has a schema that can't be used; nothing was kept.
    #[error("the {which} schema of the tool `{tool}` is {source}")]
    Schema {
        /// The tool.
        tool: String,
        /// `input` or `output`.
        which: &'static str,
        /// What is wrong.
        source: InvalidSchema,
    },
    /// It took the host down before, and is not run again until the quarantine is lifted.
    #[error("component {digest} is quarantined: {reason}")]
    Quarantined {
        /// Which.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// The data directory can't be read or written. What was kept before still is.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: std::io::Error,
    },
    /// What is kept as this component is not what was added. Forget it, and add it again.
    #[error("what is kept as component {0} is damaged")]
    Damaged(Digest),
    /// The work was cut off: the process is about to end.
    #[error("the work on the component was cut off")]
    CutOff,
}

/// The components of this host. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    shelf: Shelf,
    sandbox: Sandbox,
    /// Those that are ready, or at work on: each is made once, whoever waits for it.
    ready: Mutex<HashMap<Digest, Slot>>,
    quarantined: Mutex<HashMap<Digest, String>>,
}

/// What is ready of one component. Whoever keeps or forgets it holds this meanwhile, so that the
/// memory and the folder say the same.
type Slot = Arc<RwLock<Option<Arc<Registered>>>>;

/// A slot, held.
struct Held {
    inner: Arc<Inner>,
    digest: Digest,
    slot: OwnedRwLockWriteGuard<Option<Arc<Registered>>>,
}

/// A component, linked, and what is to be kept of its compiled form, if that is new.
struct Prepared {
    component: Component,
    compiled: Option<Verified>,
}

impl Registry {
    /// Opens the registry in `folder`, which belongs to it alone. Creates what is missing.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "from here on the folder is the registry's"
    )]
    pub fn open(folder: Dir, sandbox: Sandbox) -> Result<Self, Error> {
        let shelf = Shelf::open(&folder)?;
        let quarantined = Mutex::new(shelf.quarantined()?);
        Ok(Self(Arc::new(Inner {
            shelf,
            sandbox,
            ready: Mutex::default(),
            quarantined,
        })))
    }

    /// Keeps a component and makes it ready. The same bytes, added again, are the same component;
    /// at once, they are compiled once.
    pub async fn add(&self, bytes: Vec<u8>) -> Result<Arc<Registered>, Error> {
        let digest = Digest::of(&bytes);
        self.refuse_quarantined(&digest)?;
        let held = self.hold(digest).await;
        match &*held.slot {
            Some(ready) => Ok(ready.clone()),
            None => {
                let bytes: Arc<[u8]> = bytes.into();
                let added = bytes.clone();
                let prepared = self.aside(move |inner| inner.prepare_added(&digest, &added));
                self.register(held, prepared.await?, Some(bytes)).await
            }
        }
    }

    /// A component that was added before, in this process or an earlier one.
    pub async fn get(&self, digest: Digest) -> Result<Option<Arc<Registered>>, Error> {
        self.refuse_quarantined(&digest)?;
        if let Some(ready) = self.ready(&digest) {
            return Ok(Some(ready));
        }
        let held = self.hold(digest).await;
        if let Some(ready) = &*held.slot {
            return Ok(Some(ready.clone()));
        }
        let prepared = self.aside(move |inner| inner.prepare_kept(&digest));
        match prepared.await? {
            Some(prepared) => self.register(held, prepared, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// A secret of this folder, for one purpose.
    pub fn secret(&self, purpose: &[u8]) -> [u8; 32] {
        self.0.shelf.secret(purpose)
    }

    /// The digests of all components that are kept.
    pub async fn list(&self) -> Result<Vec<Digest>, Error> {
        self.aside(|inner| inner.shelf.components()).await
    }

    /// Forgets a component: its bytes and its compiled form. Attempts that run go on. A quarantine
    /// stays.
    pub async fn forget(&self, digest: Digest) -> Result<(), Error> {
        let mut held = self.hold(digest).await;
        // The slot is held until the files are gone, even where nobody waits for that any more.
        self.aside(move |inner| {
            *held.slot = None;
            inner.shelf.forget(&digest)
        })
        .await
    }

    /// Refuses the component from now on, across restarts too: it took the host down.
    pub async fn quarantine(&self, digest: Digest, reason: String) -> Result<(), Error> {
        let reason = clean_line(&reason, MESSAGE_BYTES_MAX);
        lock(&self.0.quarantined).insert(digest, reason.clone());
        self.aside(move |inner| inner.shelf.quarantine(&digest, &reason))
            .await
    }

    /// Lifts a quarantine.
    pub async fn release(&self, digest: Digest) -> Result<(), Error> {
        self.aside(move |inner| inner.shelf.release(&digest))
            .await?;
        lock(&self.0.quarantined).remove(&digest);
        Ok(())
    }

    /// Why a component is in quarantine, if it is.
    pub fn is_quarantined(&self, digest: &Digest) -> Option<String> {
        lock(&self.0.quarantined).get(digest).cloned()
    }

    fn refuse_quarantined(&self, digest: &Digest) -> Result<(), Error> {
        match self.is_quarantined(digest) {
            Some(reason) => Err(Error::Quarantined {
                digest: *digest,
                reason,
            }),
            None => Ok(()),
        }
    }

    /// The component, where it is ready and nobody is at work on it: this is all that most calls
    /// need, and they do not wait for each other.
    fn ready(&self, digest: &Digest) -> Option<Arc<Registered>> {
        let slot = lock(&self.0.ready).get(digest)?.clone();
        slot.try_read().ok()?.clone()
    }

    /// Waits until nobody else is at work on the component.
    async fn hold(&self, digest: Digest) -> Held {
        let slot = lock(&self.0.ready).entry(digest).or_default().clone();
        Held {
            inner: self.0.clone(),
            digest,
            slot: slot.write_owned().await,
        }
    }

    /// Makes a component ready, and keeps what is new of it.
    async fn register(
        &self,
        mut held: Held,
        prepared: Prepared,
        added: Option<Arc<[u8]>>,
    ) -> Result<Arc<Registered>, Error> {
        let digest = held.digest;
        let Prepared {
            component,
            compiled,
        } = prepared;
        let described = self.0.sandbox.describe(&component).await;
        let definitions = described.map_err(Error::Describe)?;
        self.aside(move |inner| {
            let manifest = manifest(digest, definitions)?;
            if let Some(bytes) = added {
                inner.shelf.keep_component(&digest, &bytes)?;
            }
            if let Some(compiled) = compiled {
                inner.keep_compiled(&digest, &compiled);
            }
            let registered = Arc::new(Registered {
                manifest,
                component,
            });
            *held.slot = Some(registered.clone());
            Ok(registered)
        })
        .await
    }

    /// Runs what takes time, or waits for the disk, on a thread of its own.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or(Err(Error::CutOff))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut ready = lock(&self.inner.ready);
        // A slot with nothing in it is kept for those who wait for it: besides the map, this is
        // then not the only one that knows it.
        let known = Arc::strong_count(OwnedRwLockWriteGuard::rwlock(&self.slot));
        if self.slot.is_none() && known == 2 {
            ready.remove(&self.digest);
        }
    }
}

impl Inner {
    fn prepare_added(&self, digest: &Digest, bytes: &[u8]) -> Result<Prepared, Error> {
        match self.load(digest)? {
            Some(prepared) => Ok(prepared),
            None => self.compile(bytes),
        }
    }

    /// A component that is kept. Its own bytes are read only where they have to be compiled: the
    /// seal of the compiled form says whose it is.
    fn prepare_kept(&self, digest: &Digest) -> Result<Option<Prepared>, Error> {
        if !self.shelf.has_component(digest) {
            return Ok(None);
        }
        if let Some(prepared) = self.load(digest)? {
            return Ok(Some(prepared));
        }
        let bytes = self.shelf.component(digest)?;
        bytes.map(|bytes| self.compile(&bytes)).transpose()
    }

    /// The compiled form, if it is kept, whole, and of this version.
    fn load(&self, digest: &Digest) -> Result<Option<Prepared>, Error> {
        let Some(kept) = self.shelf.compiled(digest, self.sandbox.version())? else {
            return Ok(None);
        };
        match self.sandbox.load(&kept) {
            Err(sandbox::Error::Compiled(error)) => {
                tracing::debug!(%digest, error, "a kept form does not load: compiled again");
                Ok(None)
            }
            loaded => Ok(Some(Prepared {
                component: loaded?,
                compiled: None,
            })),
        }
    }

    fn compile(&self, bytes: &[u8]) -> Result<Prepared, Error> {
        let compiled = self.sandbox.compile(bytes)?;
        Ok(Prepared {
            component: self.sandbox.load(&compiled)?,
            compiled: Some(compiled),
        })
    }

    fn keep_compiled(&self, digest: &Digest, compiled: &Verified) {
        let kept = self
            .shelf
            .keep_compiled(digest, self.sandbox.version(), compiled);
        if let Err(error) = kept {
            // It is a cache: the component works without.
            tracing::warn!(%digest, %error, "the compiled form could not be kept");
        }
    }
}

/// The tools, their schemas compiled.
pub(crate) fn manifest(component: Digest, definitions: Vec<Definition>) -> Result<Manifest, Error> {
    let tools = definitions.into_iter().map(|definition| {
        let refused = |which| {
            let tool = definition.name.clone();
            move |source| Error::Schema {
                tool,
                which,
                source,
            }
        };
        let input = Schema::new(&definition.input_schema).map_err(refused("input"))?;
        let output = definition.output_schema.as_ref().map(Schema::new);
        let output = output.transpose().map_err(refused("output"))?;
        Ok(Arc::new(Tool {
            definition,
            input,
            output,
        }))
    });
    Ok(Manifest {
        component,
        tools: tools.collect::<Result<_, Error>>()?,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
