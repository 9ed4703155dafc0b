//! The body of a request: read to its end, but no longer and no larger than it may be.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use tokio::time::sleep;

/// How much of a body has to come in the time that a head has. A slow line is no offence, but a
/// client that sends a byte now and then would hold a connection for ever.
const PACE: usize = 16 << 10;

/// Why a body is not there.
#[derive(Debug)]
pub(super) struct Unread {
    /// What that is in HTTP's own terms.
    pub(super) status: StatusCode,
    /// In words.
    pub(super) why: String,
}

/// Reads a body of at most `bytes_max` bytes, of which the next piece comes within `pause_max`.
pub(super) async fn read(
    body: Body,
    bytes_max: usize,
    pause_max: Duration,
) -> Result<Bytes, Unread> {
    let too_large = || Unread {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        why: format!("the body is over the limit of {bytes_max} bytes"),
    };
    // What says of itself that it is too large is not waited for.
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > bytes_max {
        return Err(too_large());
    }
    let mut pieces = body.into_data_stream();
    let mut read = Vec::new();
    let mut goal = PACE;
    let mut pause = std::pin::pin!(sleep(pause_max));
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            () = pause.as_mut() => {
                let status = StatusCode::REQUEST_TIMEOUT;
                return Err(Unread { status, why: "the body comes too slowly".into() });
            }
        };
        let piece = match piece {
            None => return Ok(read.into()),
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                let why = format!("the body can't be read: {error}");
                let status = StatusCode::BAD_REQUEST;
                return Err(Unread { status, why });
            }
        };
        if piece.len() > bytes_max - read.len() {
            return Err(too_large());
        }
        read.extend_from_slice(&piece);
        if read.len() >= goal {
            goal = read.len() + PACE;
            pause.set(sleep(pause_max));
        }
    }
}
