//! One entry of each kind, for the tests of what they look like.

use super::*;

fn changed(request: Option<Request>) -> Act {
    Act::Changed(Changed {
        task: TaskId::from_bytes([7; 16]),
        tool: "convert".into(),
        from: Some(Status::Running),
        to: Status::WaitingInput,
        request,
    })
}

/// One entry of each kind.
pub(crate) fn every_kind() -> Vec<Entry> {
    let me = Principal::local();
    let by = Who::Principal(Arc::new(me.clone()));
    let at = Timestamp(1_800_000_000_000);
    let entry = |by: &Who, act| Entry {
        at,
        tenant: Some(me.tenant.clone()),
        by: by.clone(),
        act,
    };
    let (checkpoint, child) = (CheckpointId(4), TaskId::from_bytes([8; 16]));
    let requests = [
        Request::Stop {
            reason: Reason::Cancelled,
            mode: Some(Mode::Graceful),
            why: Some("enough".into()),
        },
        Request::Answer { key: "q".into() },
        Request::Checkpoint { id: checkpoint },
        Request::Restore { checkpoint },
        Request::Fork { child },
    ];
    let mut entries = vec![entry(&Who::Tool, changed(None))];
    let requests = requests.map(|request| entry(&by, changed(Some(request))));
    entries.extend(requests);
    entries.extend([
        Entry::refused(at, &me, "submit", "busy").about(child),
        Entry::refused_stranger(at, "10.0.0.7", "tools/call", "unauthenticated"),
        entry(&by, Act::Dropped { count: 9 }),
        Entry::administered(at, Who::Host, "component.add", "sha256:00"),
    ]);
    entries
}
