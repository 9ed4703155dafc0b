//! What is said to a client about a request before its answer: notifications, and requests of ours
//! whose answers come back apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::rpc::{self, Id};
use crate::id::Principal;

/// The way to the client that belongs to one request. What is sent here arrives before the answer.
#[derive(Clone, Debug)]
pub struct Stream(mpsc::Sender<Value>);

/// Nobody reads any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Stream {
    /// A way, and where the messages come out. A client that does not read holds up only whoever
    /// waits for it.
    pub fn new() -> (Self, mpsc::Receiver<Value>) {
        let (sender, receiver) = mpsc::channel(BUFFER);
        (Self(sender), receiver)
    }

    /// The way that a connection's messages take anyhow.
    pub fn over(sender: mpsc::Sender<Value>) -> Self {
        Self(sender)
    }

    /// Says something that may be left out: where the client does not read fast enough, it is.
    pub(super) fn hint(&self, method: &str, params: Value) {
        let _ = self.0.try_send(rpc::notification(method, params));
    }

    /// Says something, and waits until there is room for it.
    pub(super) async fn notify(&self, method: &str, params: Value) -> Result<(), Gone> {
        self.send(rpc::notification(method, params)).await
    }

    pub(super) async fn send(&self, message: Value) -> Result<(), Gone> {
        self.0.send(message).await.map_err(|_| Gone)
    }
}

/// The messages of one request that wait for their reader.
const BUFFER: usize = 64;

/// Requests of ours that have no answer yet.
///
/// An answer is found by the request's id, which nobody can guess, and taken only from the
/// principal who was asked: so it may come over any connection, and no session is needed.
#[derive(Debug, Default)]
pub(super) struct Asked(Arc<Mutex<HashMap<String, Waiting>>>);

#[derive(Debug)]
struct Waiting {
    who: Principal,
    answer: oneshot::Sender<Result<Value, Value>>,
}

/// One of them. Dropping it forgets it.
pub(super) struct Question {
    id: String,
    asked: Arc<Mutex<HashMap<String, Waiting>>>,
    answer: oneshot::Receiver<Result<Value, Value>>,
}

impl Asked {
    /// Asks `who` through `stream`.
    pub(super) async fn ask(
        &self,
        who: &Principal,
        stream: &Stream,
        (method, params): (&str, Value),
    ) -> Result<Question, Gone> {
        let id = Uuid::new_v4().to_string();
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting {
            who: who.clone(),
            answer,
        };
        lock(&self.0).insert(id.clone(), waiting);
        let question = Question {
            id: id.clone(),
            asked: self.0.clone(),
            answer: receiver,
        };
        stream.send(rpc::request(&id, method, &params)).await?;
        Ok(question)
    }

    /// Hands on an answer. One that nobody waits for is dropped.
    pub(super) fn answered(&self, who: &Principal, id: &Id, result: Result<Value, Value>) {
        let Id::Text(id) = id else { return };
        let mut asked = lock(&self.0);
        if asked.get(id).is_none_or(|waiting| waiting.who != *who) {
            return;
        }
        if let Some(waiting) = asked.remove(id) {
            let _ = waiting.answer.send(result);
        }
    }
}

impl Question {
    /// Waits for the answer: the result, or the error that came instead.
    pub(super) async fn answer(&mut self) -> Result<Value, Value> {
        (&mut self.answer).await.unwrap_or(Err(Value::Null))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        lock(&self.asked).remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
