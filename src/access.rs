//! The one door to tasks for whoever asks from outside: every protocol passes here, so that what
//! somebody may not see is unknown to them, however they ask.

use std::sync::Arc;

use crate::audit::Entry;
use crate::id::{TaskId, TaskKey};
use crate::identity::{Act, Caller, Role, may};
use crate::runtime::{self, Runtime};
use crate::store::Filter;
use crate::task::Record;

/// Tasks, as far as a caller may reach them. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    runtime: Runtime,
}

/// Why somebody does not get what they ask for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// They may look at the task, but not do this to it; or they may not do this at all.
    #[error("a principal with the role `{role}` may not do this to what is not theirs")]
    Forbidden {
        /// Their role.
        role: Role,
    },
    /// The runtime says no; a task that they may not even see is unknown.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
}

impl Error {
    /// A stable word for it, as [`runtime::Error::code`] has them.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "forbidden",
            Self::Runtime(error) => error.code(),
        }
    }
}

impl Access {
    /// The door to the tasks of `runtime`.
    pub fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    /// What is behind the door: for what was let through.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The task `id`, for somebody who may do `act` to it. Who may not even see it is told that
    /// there is none.
    pub async fn task(&self, caller: &Caller, id: TaskId, act: Act) -> Result<Arc<Record>, Error> {
        let key = TaskKey {
            tenant: caller.tenant().clone(),
            id,
        };
        let record = self.runtime.record(&key).await?;
        let owner = &record.spec.owner;
        if may(caller, act, owner) {
            return Ok(record);
        }
        let error = if may(caller, Act::See, owner) {
            let role = caller.role;
            Error::Forbidden { role }
        } else {
            runtime::Error::Unknown(key).into()
        };
        self.refused(caller, (act, Some(id)), &error);
        Err(error)
    }

    /// Adds to the audit that somebody was turned away at the door.
    fn refused(&self, caller: &Caller, (act, task): (Act, Option<TaskId>), error: &Error) {
        let now = self.runtime.clock().now();
        let entry = Entry::refused(now, &caller.principal, act.as_str(), error.code());
        self.runtime.audit(match task {
            Some(task) => entry.about(task),
            None => entry,
        });
    }

    /// Refuses whoever may not call tools.
    pub fn check_may_call(&self, caller: &Caller) -> Result<(), Error> {
        if may(caller, Act::Call, &caller.principal) {
            return Ok(());
        }
        let role = caller.role;
        let error = Error::Forbidden { role };
        self.refused(caller, (Act::Call, None), &error);
        Err(error)
    }

    /// The tasks that a list holds for `caller`: those of the tenant for whoever may see them, else
    /// their own.
    pub fn filter(&self, caller: &Caller) -> Filter {
        let owner = match caller.role {
            Role::Caller => Some(caller.principal.clone()),
            Role::Reader | Role::Administrator => None,
        };
        Filter {
            owner,
            statuses: None,
        }
    }
}
