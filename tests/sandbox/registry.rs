//! The registry: what is kept, what is made again, and what is never loaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use stepwell::id::Digest;
use stepwell::registry::{Error, Registered, Registry};

use crate::host::sandbox;
use crate::wat::{Parts, tool};

fn open(folder: &Path) -> Registry {
    let folder = Dir::open_ambient_dir(folder, ambient_authority()).unwrap();
    Registry::open(folder, sandbox()).unwrap()
}

async fn add(registry: &Registry, bytes: &[u8]) -> Arc<Registered> {
    registry.add(bytes.to_vec()).await.unwrap()
}

/// The compiled form, the only one.
fn compiled(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder.join("compiled")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[tokio::test]
async fn a_component_is_kept_across_restarts_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tool(Parts::default());
    let digest = Digest::of(&bytes);
    let registry = open(folder.path());
    assert!(registry.get(digest).await.unwrap().is_none());
    let added = add(&registry, &bytes).await;
    assert_eq!(added.manifest.component, digest);
    assert_eq!(added.manifest.tools[0].definition.name, "tool");
    assert!(!added.component.is_durable());
    assert!(Arc::ptr_eq(&added, &add(&registry, &bytes).await));

    let again = open(folder.path());
    let got = again.get(digest).await.unwrap().unwrap();
    assert_eq!(
        got.manifest.tools[0].definition,
        added.manifest.tools[0].definition
    );
    assert_eq!(again.list().await.unwrap(), [digest]);
    again.forget(digest).await.unwrap();
    assert!(again.get(digest).await.unwrap().is_none());
    assert!(open(folder.path()).get(digest).await.unwrap().is_none());
}

#[tokio::test]
async fn one_that_is_added_while_it_is_forgotten_is_kept_or_gone() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tool(Parts::default());
    let digest = Digest::of(&bytes);
    let registry = open(folder.path());
    add(&registry, &bytes).await;
    // So many others that looking for its compiled forms takes longer than making it ready does.
    for other in 0..8_000 {
        std::fs::write(folder.path().join(format!("compiled/{other}")), "").unwrap();
    }
    let forgetting = tokio::spawn({
        let registry = registry.clone();
        async move { registry.forget(digest).await.unwrap() }
    });
    tokio::task::yield_now().await;
    add(&registry, &bytes).await;
    forgetting.await.unwrap();
    let is_ready = registry.get(digest).await.unwrap().is_some();
    assert_eq!(registry.list().await.unwrap().contains(&digest), is_ready);
}

#[tokio::test]
async fn what_is_kept_is_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    add(&open(folder.path()), &tool(Parts::default())).await;
    for file in [folder.path().join("key"), compiled(folder.path())] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_compiled_form_is_used_again_unless_a_byte_of_it_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tool(Parts::default());
    let digest = Digest::of(&bytes);
    add(&open(folder.path()), &bytes).await;
    let file = compiled(folder.path());
    let whole = std::fs::read(&file).unwrap();
    let written = || std::fs::metadata(&file).unwrap().modified().unwrap();
    let before = written();
    let get = async || open(folder.path()).get(digest).await.unwrap().unwrap();
    get().await;
    assert_eq!(written(), before);
    for at in [0, 31, 32, 100, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&file, &changed).unwrap();
        get().await;
        assert_ne!(
            std::fs::read(&file).unwrap(),
            changed,
            "byte {at} was trusted"
        );
    }
    std::fs::write(&file, &whole[..40]).unwrap();
    get().await;
    assert!(std::fs::read(&file).unwrap().len() > 40);
    // Another component's form, sealed by this host, is not this component's.
    let other = tool(Parts {
        call: "nop",
        ..Parts::default()
    });
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("key"), elsewhere.path().join("key")).unwrap();
    add(&open(elsewhere.path()), &other).await;
    let swapped = std::fs::read(compiled(elsewhere.path())).unwrap();
    std::fs::write(&file, &swapped).unwrap();
    get().await;
    assert_ne!(std::fs::read(&file).unwrap(), swapped);
}

#[tokio::test]
async fn another_key_makes_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tool(Parts::default());
    add(&open(folder.path()), &bytes).await;
    let file = compiled(folder.path());
    let before = std::fs::read(&file).unwrap();
    std::fs::write(folder.path().join("key"), "short").unwrap();
    let registry = open(folder.path());
    registry.get(Digest::of(&bytes)).await.unwrap().unwrap();
    assert_ne!(std::fs::read(&file).unwrap()[..32], before[..32]);
}

#[tokio::test]
async fn the_same_component_at_once_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    let bytes = tool(Parts::default());
    let adding: Vec<_> = (0..8)
        .map(|_| {
            let (registry, bytes) = (registry.clone(), bytes.clone());
            tokio::spawn(async move { registry.add(bytes).await.unwrap() })
        })
        .collect();
    let mut added = Vec::new();
    for adding in adding {
        added.push(adding.await.unwrap());
    }
    assert!(added.iter().all(|one| Arc::ptr_eq(one, &added[0])));
}

#[tokio::test]
async fn nothing_is_kept_of_what_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path());
    assert!(matches!(
        registry.add(b"text".to_vec()).await,
        Err(Error::Component(_))
    ));
    // It recurses when it is asked for its tools.
    let traps = Parts {
        core: "(func $start unreachable) (start $start)",
        ..Parts::default()
    };
    let refused = registry.add(tool(traps)).await;
    assert!(
        matches!(refused, Err(Error::Describe(_))),
        "{:?}",
        refused.err()
    );
    assert!(registry.list().await.unwrap().is_empty());
    assert_eq!(
        std::fs::read_dir(folder.path().join("compiled"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_damaged_component_is_not_taken_for_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tool(Parts::default());
    let digest = Digest::of(&bytes);
    add(&open(folder.path()), &bytes).await;
    let file = folder.path().join(format!("components/{digest}.wasm"));
    std::fs::write(
        file,
        tool(Parts {
            call: "nop",
            ..Parts::default()
        }),
    )
    .unwrap();
    // The compiled form bears a seal that says whose it is: it is what was added, and is used.
    assert!(open(folder.path()).get(digest).await.unwrap().is_some());
    std::fs::remove_dir_all(folder.path().join("compiled")).unwrap();
    let registry = open(folder.path());
    assert!(matches!(registry.get(digest).await, Err(Error::Damaged(_))));
    add(&registry, &bytes).await;
    assert!(open(folder.path()).get(digest).await.unwrap().is_some());
}

#[tokio::test]
async fn a_quarantine_lasts_until_it_is_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tool(Parts::default());
    let digest = Digest::of(&bytes);
    let registry = open(folder.path());
    add(&registry, &bytes).await;
    let reason = "three attempts took the process with them".to_owned();
    registry.quarantine(digest, reason.clone()).await.unwrap();
    for registry in [registry, open(folder.path())] {
        assert_eq!(registry.is_quarantined(&digest), Some(reason.clone()));
        assert!(matches!(
            registry.get(digest).await,
            Err(Error::Quarantined { .. })
        ));
        let added = registry.add(bytes.clone()).await;
        assert!(matches!(added, Err(Error::Quarantined { .. })));
    }
    let registry = open(folder.path());
    registry.release(digest).await.unwrap();
    assert!(registry.get(digest).await.unwrap().is_some());
    assert_eq!(open(folder.path()).is_quarantined(&digest), None);
}
