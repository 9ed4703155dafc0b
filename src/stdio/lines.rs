//! Lines of bytes, as they come. Whether they are text is found out by whoever reads them, and of
//! one that is too long nothing is kept but that it was.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// An input, by its lines.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    bytes_max: usize,
}

/// One of them, without its end.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// It.
    Whole(Vec<u8>),
    /// It had more bytes than a line may have.
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of `input`, of which none may have more bytes than this.
    pub(super) fn new(input: R, bytes_max: usize) -> Self {
        Self {
            input: BufReader::new(input),
            bytes_max,
        }
    }

    /// The next line. The last one needs no end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let mut is_too_long = false;
        loop {
            let piece = self.input.fill_buf().await?;
            let is_over = piece.is_empty();
            let end = piece.iter().position(|byte| *byte == b'\n');
            let piece = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            let len = piece.len();
            if is_too_long || line.len() + len > self.bytes_max {
                is_too_long = true;
                line = Vec::new();
            } else {
                line.extend_from_slice(piece);
            }
            self.input.consume(len + usize::from(end.is_some()));
            if is_over && line.is_empty() && !is_too_long {
                return Ok(None);
            }
            if is_over || end.is_some() {
                let line = Line::Whole(line);
                return Ok(Some(if is_too_long { Line::TooLong } else { line }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_where_they_end() {
        let check = async |input: &[u8], expect: &[Option<&[u8]>]| {
            let mut lines = Lines::new(input, 4);
            for line in expect {
                let line = line.map_or(Line::TooLong, |line| Line::Whole(line.to_vec()));
                assert_eq!(lines.next().await.unwrap(), Some(line), "{input:?}");
            }
            assert_eq!(lines.next().await.unwrap(), None, "{input:?}");
        };
        check(b"", &[]).await;
        check(b"a\nb", &[Some(b"a"), Some(b"b")]).await;
        check(b"a\n\nb\n", &[Some(b"a"), Some(b""), Some(b"b")]).await;
        check(b"1234\n12345\nc\n", &[Some(b"1234"), None, Some(b"c")]).await;
        check(b"123456789", &[None]).await;
        check(b"\xff\n", &[Some(b"\xff")]).await;
    }
}
