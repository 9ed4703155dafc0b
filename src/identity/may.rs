//! The one table of what is allowed.

use super::{Caller, Role};
use crate::id::Principal;

/// What somebody wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Act {
    /// Call a tool. The task will belong to the owner.
    Call,
    /// Look at a task: its record, events, result, questions and checkpoints.
    See,
    /// Pause or resume a task, restore it, save a checkpoint of it, or fork it.
    Change,
    /// Cancel a task.
    Cancel,
    /// Answer a task's questions. They are asked of its owner, and nobody else speaks for them.
    Answer,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Call,
        Self::See,
        Self::Change,
        Self::Cancel,
        Self::Answer,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::See => "see",
            Self::Change => "change",
            Self::Cancel => "cancel",
            Self::Answer => "answer",
        }
    }
}

/// Whether `caller` may do `act` to a task of `owner`.
pub fn may(caller: &Caller, act: Act, owner: &Principal) -> bool {
    if caller.principal.tenant != owner.tenant {
        return false;
    }
    match (caller.role, caller.principal == *owner) {
        (Role::Caller | Role::Administrator, true) => true,
        (Role::Caller, false) => false,
        (Role::Reader, _) => act == Act::See,
        (Role::Administrator, false) => match act {
            Act::See | Act::Change | Act::Cancel => true,
            Act::Call | Act::Answer => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;

    fn principal(tenant: &str, issuer: &str, subject: &str, client: &str) -> Principal {
        Principal {
            tenant: TenantId::try_from(tenant.to_owned()).unwrap(),
            issuer: issuer.into(),
            subject: subject.into(),
            client: client.into(),
        }
    }

    /// Every act, by every role, on a task of one's own, of another in the tenant, and of somebody
    /// who is called the same in another tenant.
    #[test]
    fn everything_that_is_allowed_and_nothing_else() {
        use Act::{Answer, Call, Cancel, Change, See};
        let me = principal("acme", "key", "ann", "api");
        let others = [
            principal("acme", "key", "bob", "api"),
            principal("acme", "https://issuer.example", "ann", "api"),
            principal("acme", "key", "ann", "another"),
        ];
        let elsewhere = principal("other", "key", "ann", "api");
        let check = |role, own: &[Act], others_: &[Act]| {
            let caller = Caller {
                principal: me.clone(),
                role,
            };
            for act in Act::ALL {
                assert_eq!(may(&caller, act, &me), own.contains(&act), "{role} {act:?}");
                for other in &others {
                    let allowed = may(&caller, act, other);
                    assert_eq!(allowed, others_.contains(&act), "{role} {act:?} {other:?}");
                }
                assert!(!may(&caller, act, &elsewhere), "{role} {act:?}");
            }
        };
        let all = [Call, See, Change, Cancel, Answer];
        check(Role::Caller, &all, &[]);
        check(Role::Reader, &[See], &[See]);
        check(Role::Administrator, &all, &[See, Change, Cancel]);
        assert_eq!(all, Act::ALL);
    }
}
