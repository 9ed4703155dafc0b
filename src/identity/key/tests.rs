//! Keys: what is found, what is refused, and what is never shown.

use super::*;
use crate::config::Role;
use crate::id::TenantId;

const NOW: Timestamp = Timestamp(1_000);

fn kept(minted: &Minted) -> Key {
    Key {
        id: minted.id.clone(),
        digest: minted.digest,
        tenant: TenantId::local(),
        subject: "ann".into(),
        role: Role::Caller,
        revoked: false,
        expires: None,
    }
}

#[test]
fn bytes_are_written_as_the_rfc_has_it() {
    for (bytes, text) in [
        (&b""[..], ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg"),
        (b"\xfb\xff", "-_8"),
    ] {
        assert_eq!(base64url(bytes), text);
    }
}

#[test]
fn a_key_is_found_by_the_whole_of_it() {
    let (minted, other) = (Minted::new("ci").unwrap(), Minted::new("ci").unwrap());
    let keys = Keys::new(&[kept(&minted)]);
    let Lookup::Found(caller) = keys.find(&minted.key, NOW) else {
        panic!("it is one of ours");
    };
    assert_eq!(caller.principal.to_string(), "key:ann");
    assert_eq!(keys.find(&other.key, NOW), Lookup::Unknown);
    let stranger = Minted::with_any_id().unwrap();
    assert_eq!(keys.find(&stranger.key, NOW), Lookup::Unknown);
}

#[test]
fn a_subject_whose_key_is_replaced_keeps_its_tasks() {
    let (old, new) = (Minted::new("old").unwrap(), Minted::new("new").unwrap());
    let keys = Keys::new(&[kept(&old), kept(&new)]);
    assert_eq!(keys.find(&old.key, NOW), keys.find(&new.key, NOW));
}

#[test]
fn what_is_over_is_told_of_the_key_itself_only() {
    let (key, other) = (Minted::new("ci").unwrap(), Minted::new("ci").unwrap());
    let check = |revoked, expires, expect: Lookup| {
        let keys = Keys::new(&[Key {
            revoked,
            expires,
            ..kept(&key)
        }]);
        assert_eq!(keys.find(&key.key, NOW), expect);
        assert_eq!(keys.find(&other.key, NOW), Lookup::Unknown);
    };
    check(true, None, Lookup::Revoked("ci".into()));
    check(true, Some(NOW), Lookup::Revoked("ci".into()));
    check(false, Some(NOW), Lookup::Expired("ci".into()));
    let later = Some(Timestamp(NOW.0 + 1));
    let found = Keys::new(&[kept(&key)]).find(&key.key, NOW);
    check(false, later, found);
}

#[test]
fn what_is_no_key_is_malformed() {
    let secret = "A".repeat(SECRET_LEN);
    let check = |text: String, expect| {
        assert_eq!(
            Keys::default().find(&Secret::new(&text), NOW),
            expect,
            "{text}"
        );
    };
    check(format!("sw_ci_{secret}"), Lookup::Unknown);
    check(
        format!("sw_a-1_{}_-", "A".repeat(SECRET_LEN - 2)),
        Lookup::Unknown,
    );
    for bad in ["", "sw_", "sw_ci", "sw_ci_", "sw_ci_A", "Bearer x"] {
        check(bad.into(), Lookup::Malformed);
    }
    for bad in [
        format!("sw__{secret}"),
        format!("sw_CI_{secret}"),
        format!("ci_{secret}"),
        format!("sw_ci_{secret}A"),
        format!("sw_ci_{}=", "A".repeat(SECRET_LEN - 1)),
    ] {
        check(bad, Lookup::Malformed);
    }
}

#[test]
fn a_secret_is_not_shown() {
    let minted = Minted::new("ci").unwrap();
    let secret = minted.key.expose().rsplit_once("ci_").unwrap().1;
    assert!(!format!("{minted:?} {:?}", minted.key).contains(secret));
}
