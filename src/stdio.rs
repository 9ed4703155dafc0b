//! The protocol over standard input and output: one JSON message on each line, and nothing else
//! (specification, basic/transports/stdio).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use lines::{Line, Lines};

use crate::identity::Caller;
use crate::mcp::{Context, Error, Id, Message, Server, Session, Stream, answer};

mod lines;

/// Messages that wait to be written.
const BUFFER: usize = 256;

/// Requests at work at once. More are refused, and not left unread: what is read next may be the
/// answer that one of them waits for.
const REQUESTS_MAX: usize = 1_024;

/// One client, for as long as the process lives.
struct Connection {
    server: Server,
    caller: Caller,
    output: mpsc::Sender<Value>,
    gone: CancellationToken,
    /// Nothing more is read, and nobody is told any more what has changed.
    ending: CancellationToken,
    room: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What a legacy client has said of itself.
    session: Option<Session>,
    /// What is at work, by the request's id.
    at_work: HashMap<Id, CancellationToken>,
    /// Whether it is told of other tools.
    is_told_of_tools: bool,
}

/// Serves the client at `input` and `output` until it goes, or `shutdown`: then calls that are at
/// work are still answered, if they end.
pub async fn serve(
    (server, caller): (Server, Caller),
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    message_max: usize,
    shutdown: CancellationToken,
) {
    let (sender, messages) = mpsc::channel(BUFFER);
    let writer = tokio::spawn(write(messages, output));
    let connection = Connection {
        server,
        caller,
        output: sender,
        gone: CancellationToken::new(),
        ending: shutdown.child_token(),
        room: Arc::new(Semaphore::new(REQUESTS_MAX)),
        state: Arc::default(),
    };
    let mut lines = Lines::new(input, message_max);
    loop {
        // Also where the client does not read what it is told: nothing here waits for it then.
        let turn = async { connection.take(lines.next().await, message_max).await };
        tokio::select! {
            turn = turn => if turn.is_break() {
                connection.gone.cancel();
                break;
            },
            () = shutdown.cancelled() => break,
        }
    }
    connection.ending.cancel();
    // What is at work holds a sender too; the writer ends with the last of them.
    drop(connection);
    if let Err(error) = writer.await {
        tracing::warn!(%error, "standard output was cut off");
    }
}

async fn write(mut messages: mpsc::Receiver<Value>, mut output: impl AsyncWrite + Unpin) {
    while let Some(message) = messages.recv().await {
        let mut line = message.to_string();
        line.push('\n');
        let written = async {
            output.write_all(line.as_bytes()).await?;
            output.flush().await
        };
        if written.await.is_err() {
            // Nobody reads; the end of the input says the rest.
            return;
        }
    }
}

impl Connection {
    async fn say(&self, message: Value) {
        let _ = self.output.send(message).await;
    }

    /// Takes a line, or the end of them.
    async fn take(&self, line: std::io::Result<Option<Line>>, bytes_max: usize) -> ControlFlow<()> {
        match line {
            Ok(Some(Line::Whole(line))) if line.trim_ascii().is_empty() => {}
            Ok(Some(Line::Whole(line))) => self.read(&line).await,
            Ok(Some(Line::TooLong)) => {
                let message = format!("a message has more than {bytes_max} bytes");
                let error = Error::invalid_request(message);
                self.say(answer(None, Err(error))).await;
            }
            Ok(None) => return ControlFlow::Break(()),
            Err(error) => {
                tracing::warn!(%error, "standard input can't be read");
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    async fn read(&self, line: &[u8]) {
        match Message::decode(line) {
            Err(malformed) => {
                self.say(answer(malformed.id.as_ref(), Err(malformed.error)))
                    .await;
            }
            Ok(Message::Response { id, result }) => {
                self.server.answered(&self.caller, &id, result);
            }
            Ok(Message::Notification { method, params }) => self.notified(&method, &params),
            Ok(Message::Request { id, method, params }) => self.request(id, method, params).await,
        }
    }

    fn notified(&self, method: &str, params: &Value) {
        match method {
            "notifications/cancelled" => {
                let id = params.get("requestId").cloned();
                let id = id.and_then(|id| serde_json::from_value::<Id>(id).ok());
                if let Some(cancelled) = id.and_then(|id| lock(&self.state).at_work.remove(&id)) {
                    cancelled.cancel();
                }
            }
            "notifications/initialized" => self.tell_of_tools(),
            _ => {}
        }
    }

    /// Tells a legacy client whenever other tools are offered, however often it shakes hands.
    fn tell_of_tools(&self) {
        if std::mem::replace(&mut lock(&self.state).is_told_of_tools, true) {
            return;
        }
        let (mut changes, output) = (self.server.changes(), self.output.clone());
        let ending = self.ending.clone();
        tokio::spawn(async move {
            let changed = serde_json::json!({
                "jsonrpc": "2.0",
                "method": "notifications/tools/list_changed",
            });
            loop {
                tokio::select! {
                    is_there = changes.changed() => if is_there.is_err() { return },
                    () = ending.cancelled() => return,
                }
                if output.send(changed.clone()).await.is_err() {
                    return;
                }
            }
        });
    }

    async fn request(&self, id: Id, method: String, params: Value) {
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            let message = format!("{REQUESTS_MAX} requests are at work; try again later");
            let busy = Error::internal("busy", message);
            return self.say(answer(Some(&id), Err(busy))).await;
        };
        let cancelled = CancellationToken::new();
        let (session, flight) = {
            let mut state = lock(&self.state);
            if method == "initialize" {
                state.session = Some(Session::begin(&params));
            }
            // An id that is in use already is the client's mistake: the request is served, and
            // can't be cancelled.
            let flight = match state.at_work.entry(id.clone()) {
                Entry::Occupied(_) => None,
                Entry::Vacant(place) => {
                    place.insert(cancelled.clone());
                    Some(id.clone())
                }
            };
            (state.session.clone(), flight)
        };
        let context = Context {
            caller: self.caller.clone(),
            id: id.clone(),
            headers: None,
            session,
            is_connection: true,
            stream: Stream::over(self.output.clone()),
            gone: self.gone.clone(),
            cancelled: cancelled.clone(),
        };
        let (server, output, state) =
            (self.server.clone(), self.output.clone(), self.state.clone());
        tokio::spawn(async move {
            let _room = room;
            let result = server.dispatch(&context, &method, params).await;
            if let Some(flight) = flight {
                lock(&state).at_work.remove(&flight);
            }
            // A request that was cancelled has no answer (specification, Cancellation).
            if !cancelled.is_cancelled() {
                let _ = output.send(answer(Some(&id), result)).await;
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
