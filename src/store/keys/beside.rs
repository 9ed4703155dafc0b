//! Keys of what is no task's: tenants' accounts, the audit, and the notes of principals.

use super::{Key, index, key, lead};
use crate::clock::Timestamp;
use crate::id::{Digest, TenantId};
use crate::store::disk::Space;

/// What leads the keys of notes: no tenant's name has this length, so they are in nobody's way.
const NOTES: u8 = 0;

/// What is charged to a tenant beside what its live tasks are.
pub(in crate::store) fn account(tenant: &TenantId) -> Key {
    key(Space::Meta, [b"u", lead(tenant).as_slice()].concat())
}

/// The prefix of [`account`].
pub(in crate::store) fn all_accounts() -> Key {
    key(Space::Meta, vec![b'u'])
}

/// The tenant in a key of [`account`].
pub(in crate::store) fn parse_account(bytes: &[u8]) -> Option<TenantId> {
    let name = String::from_utf8(bytes.get(2..)?.to_vec()).ok()?;
    name.try_into().ok()
}

/// An entry of the audit. Here the tenant does not lead: the audit is one sequence, in the order in
/// which things happened to the process, so that each entry can be chained to the one before and
/// none can be taken out unnoticed. Whose it is stands in the value.
pub(in crate::store) fn audit(number: u64) -> Key {
    key(Space::Meta, [&[b'a'][..], &number.to_be_bytes()].concat())
}

/// The prefix of [`audit`].
pub(in crate::store) fn all_audit() -> Key {
    key(Space::Meta, vec![b'a'])
}

/// The number in a key of [`audit`].
pub(in crate::store) fn parse_audit(bytes: &[u8]) -> Option<u64> {
    bytes.last_chunk().map(|number| u64::from_be_bytes(*number))
}

/// The first number of an entry of the audit that is not reserved.
pub(in crate::store) fn numbered() -> Key {
    key(Space::Meta, b"numbered".to_vec())
}

/// A note: by whom it is, of which kind, and its name.
pub(in crate::store) fn note((tenant, owner): (&TenantId, &Digest), kind: &str, name: &str) -> Key {
    let mut note = notes((tenant, owner), kind);
    note.bytes.extend(name.as_bytes());
    note
}

/// The prefix of the notes of a kind. The kind is led by its length, so none leads another.
pub(in crate::store) fn notes(of: (&TenantId, &Digest), kind: &str) -> Key {
    let mut notes = all_notes(of);
    // A kind has at most 32 bytes.
    notes
        .bytes
        .push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
    notes.bytes.extend(kind.as_bytes());
    notes
}

/// The prefix of all notes of a principal.
pub(in crate::store) fn all_notes((tenant, owner): (&TenantId, &Digest)) -> Key {
    let lead = lead(tenant);
    key(Space::Blobs, [&[NOTES][..], &lead, &owner.0].concat())
}

/// Whose note is at a key of [`note`].
pub(in crate::store) fn parse_note(bytes: &[u8]) -> Option<(TenantId, Digest)> {
    let (len, rest) = bytes.strip_prefix(&[NOTES])?.split_first()?;
    let (tenant, rest) = rest.split_at_checked(usize::from(*len))?;
    let tenant = String::from_utf8(tenant.to_vec()).ok()?.try_into().ok()?;
    Some((tenant, Digest(*rest.first_chunk()?)))
}

/// The entry of a note among those that are to be removed, by time.
pub(in crate::store) fn note_expiry(at: Timestamp, note: &Key) -> Key {
    index(b'e', &[&at.0.to_be_bytes(), &note.bytes])
}

/// The prefix of [`note_expiry`].
pub(in crate::store) fn all_note_expiries() -> Key {
    index(b'e', &[])
}

/// The time and the note in a key of [`note_expiry`].
pub(in crate::store) fn parse_note_expiry(bytes: &[u8]) -> Option<(Timestamp, Key)> {
    let (at, note) = bytes.get(1..)?.split_first_chunk()?;
    let at = Timestamp(u64::from_be_bytes(*at));
    Some((at, key(Space::Blobs, note.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_give_back_what_they_were_made_of() {
        let tenant: TenantId = "acme".to_owned().try_into().unwrap();
        let owner = Digest([7; 32]);
        let account = account(&tenant);
        assert_eq!(parse_account(&account.bytes), Some(tenant.clone()));
        assert_eq!(parse_audit(&audit(9).bytes), Some(9));
        assert!(audit(255).bytes < audit(256).bytes);
        let note = note((&tenant, &owner), "session", "one");
        assert_eq!(parse_note(&note.bytes), Some((tenant.clone(), owner)));
        let expiry = note_expiry(Timestamp(5), &note);
        let parsed = parse_note_expiry(&expiry.bytes);
        assert_eq!(parsed, Some((Timestamp(5), note)));
        let (short, long) = (
            notes((&tenant, &owner), "a"),
            notes((&tenant, &owner), "ab"),
        );
        assert!(!long.bytes.starts_with(&short.bytes));
    }
}
