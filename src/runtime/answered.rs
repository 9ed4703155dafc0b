//! Requests that are no call of a tool, and yet were made a task: it is at its end at once.

use std::time::Duration;

use serde_json::Value;

use super::submit::check_key;
use super::{Accepted, Error, Runtime};
use crate::clock::millis;
use crate::id::{Digest, Principal, TaskId, TaskKey};
use crate::limit::{CHOSEN_NAME_BYTES_MAX, Limits, TTL_MARGIN};
use crate::store::{NewTask, Submitted};
use crate::task::{Policy, Spec};
use crate::text::clean_line;

/// A request that the host has answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Who asked.
    pub owner: Principal,
    /// The method, which stands where a task has its tool.
    pub method: String,
    /// What it was asked with.
    pub arguments: Value,
    /// The answer, as [`Runtime::output_bytes`] gives it back.
    pub output: Value,
    /// How long the record is kept.
    pub ttl: Duration,
    /// An idempotency key: the same one again finds the same task again.
    pub key: Option<String>,
    /// A name of the owner's choice.
    pub name: Option<String>,
}

impl Runtime {
    /// Keeps an answer as a task that has completed, in one batch. Nothing ever runs for it, so it
    /// can be neither restored nor forked.
    pub async fn answered(&self, answered: Answered) -> Result<Accepted, Error> {
        let (by, what) = (answered.owner.clone(), answered.method.clone());
        let result = self.keep_answer(answered).await;
        self.0.noted((&by, &what), None, result)
    }

    async fn keep_answer(&self, answered: Answered) -> Result<Accepted, Error> {
        self.check_open()?;
        self.0.check_budget(&answered.owner.tenant)?;
        answered.key.as_deref().map_or(Ok(()), check_key)?;
        let usual = Limits::default();
        let ttl = millis(answered.ttl);
        let limits = Limits {
            ttl,
            // Nothing ever runs that it could end; but no task's is past what its ttl leaves.
            deadline: usual
                .deadline
                .min(ttl.saturating_sub(millis(TTL_MARGIN)))
                .max(1),
            ..usual
        };
        limits.check()?;
        let arguments = answered.arguments.to_string();
        let output = answered.output.to_string();
        for (what, used, max) in [
            ("the arguments", arguments.len(), limits.arguments),
            ("the answer", output.len(), limits.output),
        ] {
            let used = used as u64;
            if used > max {
                return Err(Error::TooLarge { what, used, max });
            }
        }
        let spec = Spec {
            owner: answered.owner,
            component: Spec::HOST,
            tool: clean_line(&answered.method, CHOSEN_NAME_BYTES_MAX).into(),
            arguments: Digest::of(arguments.as_bytes()),
            key: answered.key.map(Into::into),
            limits,
            grants: Vec::new(),
            policy: Policy::Auto,
            created: self.0.clock.now(),
            forked_from: None,
            name: answered.name.map(Into::into),
        };
        let new = NewTask {
            id: TaskId::random(),
            spec,
            arguments: arguments.into_bytes().into(),
            answered: Some(output.into_bytes().into()),
        };
        let submitted = self.0.store.submit(new).await?;
        let is_new = matches!(submitted, Submitted::New(_));
        let record = submitted.record().clone();
        Ok(Accepted { record, is_new })
    }

    /// What the task returned, if it did, as it is kept: for a task of [`Runtime::answered`] its
    /// answer, a JSON text.
    pub async fn output_bytes(
        &self,
        task: &TaskKey,
    ) -> Result<Option<std::sync::Arc<[u8]>>, Error> {
        Ok(self.0.store.output(task).await?)
    }
}
