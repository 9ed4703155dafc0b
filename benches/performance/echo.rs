//! What guests cost the threads that serve: a plain TCP echo server on them, beside guests that
//! spin.
//!
//! The server is a tokio task of the process in which the runtime lives, and knows nothing of it.
//! A client sends 32 bytes, waits until it has them back, and sends the next; `TCP_NODELAY` is set
//! at both ends. It is measured beside 100 guests that spin on as many threads as there are cores,
//! against the same server and the same runtime without a guest.
//!
//! The client is a process of its own, this program once more: nothing that the guests do to their
//! process, such as to its memory map or its allocator, reaches it, as it would not reach a client
//! elsewhere. It blocks, has one thread and the usual priority, and has to share the same cores, so
//! what it waits for them counts as well, in both cases.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::child::{self, Child};
use crate::crowd::{House, busy, tenant};
use crate::table::{Amount, Reach, Row, Scale, Table, percentile};

const GUESTS: usize = 100;
const MESSAGE_BYTES: usize = 32;

/// The first messages of a connection are slower, and do not count.
const WARM_UP: usize = 200;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let house = House::open(|_| {})?;
    let listener = house.serving.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let server = house.serving.spawn(serve(listener));
    let messages = scale.of(20_000, 4);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..scale.of(5, 2) {
        alone.extend(round_trips(address, messages)?);
        let spinning = house.spin(&[(tenant("spinner")?, GUESTS)])?;
        beside.extend(busy(|| round_trips(address, messages))?);
        spinning.end()?;
    }
    ensure!(!server.is_finished(), "the server has failed");
    for (percent, reach) in [(50.0, Reach::Stated), (99.0, Reach::RatioMax(2.0))] {
        table.add(Row {
            measure: format!("TCP echo beside {GUESTS} spinning guests, p{percent}"),
            stepwell: Amount::Time(percentile(&mut beside, percent)),
            baseline: Some(Amount::Time(percentile(&mut alone, percent))),
            reach,
        });
    }
    Ok(())
}

async fn serve(listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut message = [0; MESSAGE_BYTES];
            while stream.read_exact(&mut message).await.is_ok() {
                stream.write_all(&message).await?;
            }
            std::io::Result::Ok(())
        });
    }
}

/// Runs the client, and returns how long each message took.
fn round_trips(address: SocketAddr, messages: usize) -> anyhow::Result<Vec<Duration>> {
    let words = [address.to_string(), messages.to_string()];
    let mut client = Child::start(
        "echo",
        Path::new("."),
        &words.each_ref().map(String::as_str),
    )?;
    let (took, _) = client.says()?;
    client.end()?;
    let took: Vec<u64> = serde_json::from_value(took)?;
    ensure!(took.len() == messages, "messages lack");
    Ok(took.into_iter().map(Duration::from_nanos).collect())
}

/// The client: says the nanoseconds of each round trip, once all are done.
pub(crate) fn client(_: &Path, words: &[String]) -> anyhow::Result<()> {
    let [address, messages] = words else {
        anyhow::bail!("an address and a number are needed");
    };
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let messages = WARM_UP + messages.parse::<usize>()?;
    let mut took = Vec::with_capacity(messages);
    let mut message = [0; MESSAGE_BYTES];
    for number in (0_u64..).take(messages) {
        let mut sent = [7; MESSAGE_BYTES];
        sent[..8].copy_from_slice(&number.to_le_bytes());
        let begun = Instant::now();
        stream.write_all(&sent)?;
        stream.read_exact(&mut message)?;
        took.push(u64::try_from(begun.elapsed().as_nanos())?);
        ensure!(message == sent, "another message came back");
    }
    child::say(&json!(took.split_off(WARM_UP)))
}
