//! A client of one connection that is kept, as far as HTTP/1.1 is needed here.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::wire;
use crate::rounds::each;
use crate::table::percentile;

/// A connection.
pub(super) struct Client {
    stream: TcpStream,
    /// What has come and was not read yet.
    buffer: BytesMut,
}

/// How an answer's length is known.
enum Length {
    /// Its head says it.
    Known(usize),
    /// It comes in chunks, the last of which is empty: so does a stream of events.
    Chunked,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = BytesMut::with_capacity(4_096);
        Ok(Self { stream, buffer })
    }

    /// Sends a request and reads all of its answer: the text, or all events of the stream that it is.
    pub(super) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Bytes> {
        self.stream.write_all(request).await?;
        match self.head().await? {
            Length::Known(length) => self.take(length).await,
            Length::Chunked => {
                let mut all = BytesMut::new();
                while let Some(chunk) = self.chunk().await? {
                    all.extend_from_slice(&chunk);
                }
                Ok(all.freeze())
            }
        }
    }

    /// Begins a subscription: what comes on it is read by [`Client::event`], and the connection is
    /// of no other use any more.
    pub(super) async fn listen(&mut self, message: &Value) -> anyhow::Result<()> {
        self.stream.write_all(&wire::http(message)).await?;
        let is_stream = matches!(self.head().await?, Length::Chunked);
        ensure!(is_stream, "a subscription was refused");
        let acknowledged = self.event().await?;
        let method = acknowledged.get("method").and_then(Value::as_str);
        let is_acknowledged = method.is_some_and(|method| method.ends_with("acknowledged"));
        ensure!(is_acknowledged, "a subscription began with {acknowledged}");
        Ok(())
    }

    /// The next event of a subscription. The server sends each in a chunk of its own.
    pub(super) async fn event(&mut self) -> anyhow::Result<Value> {
        loop {
            let chunk = self.chunk().await?.context("a subscription has ended")?;
            // A colon alone keeps the stream alive.
            if !chunk.starts_with(b":") {
                return read(&chunk);
            }
        }
    }

    async fn head(&mut self) -> anyhow::Result<Length> {
        let first = self.line().await?;
        ensure!(first.starts_with(b"HTTP/1.1 200"), "answered {first:?}");
        let mut length = Length::Chunked;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(length);
            }
            if let Some(value) = line.strip_prefix(b"content-length: ") {
                length = Length::Known(std::str::from_utf8(value)?.parse()?);
            }
        }
    }

    /// The next chunk, or nothing at their end.
    async fn chunk(&mut self) -> anyhow::Result<Option<Bytes>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(std::str::from_utf8(&size)?, 16)?;
        let chunk = self.take(size).await?;
        self.line().await?;
        Ok((size > 0).then_some(chunk))
    }

    async fn line(&mut self) -> anyhow::Result<Bytes> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\r\n");
            if let Some(end) = end {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(2);
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize) -> anyhow::Result<Bytes> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server has closed the connection");
        Ok(())
    }
}

/// The message of an answer, or the last one of its events.
pub(super) fn read(answer: &[u8]) -> anyhow::Result<Value> {
    if answer.starts_with(b"{") {
        return Ok(serde_json::from_slice(answer)?);
    }
    let events = std::str::from_utf8(answer)?;
    let mut events = events.lines().rev();
    let last = events.find_map(|line| line.strip_prefix("data: "));
    Ok(serde_json::from_str(
        last.context("no message in an answer")?,
    )?)
}

/// How calls went.
pub(super) struct Went {
    /// The time that each has, where there are several callers.
    pub(super) each: Duration,
    /// The time that half of them did not exceed.
    pub(super) p50: Duration,
}

/// `callers`, each with a connection of its own, send `request` `calls` times, one after the other.
/// Every answer has to have `text` in it.
pub(super) async fn calls(
    address: SocketAddr,
    (request, text): (&Bytes, &'static str),
    (callers, calls): (usize, usize),
) -> anyhow::Result<Went> {
    let mut clients = Vec::new();
    for _ in 0..callers {
        clients.push(Client::connect(address).await?);
    }
    let begun = Instant::now();
    let mut at_work = JoinSet::new();
    for mut client in clients {
        let request = request.clone();
        at_work.spawn(async move {
            let mut took = Vec::with_capacity(calls);
            for _ in 0..calls {
                let begun = Instant::now();
                let answer = client.ask(&request).await?;
                took.push(begun.elapsed());
                let is_right = answer
                    .windows(text.len())
                    .any(|part| part == text.as_bytes());
                ensure!(is_right, "answered {answer:?}");
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::with_capacity(callers * calls);
    while let Some(done) = at_work.join_next().await {
        took.extend(done??);
    }
    Ok(Went {
        each: each(begun.elapsed(), callers * calls),
        p50: percentile(&mut took, 50.0),
    })
}
