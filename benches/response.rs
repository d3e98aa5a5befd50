//! Where a response ends.

use anyhow::{Context as _, Result, bail};
use httparse::{EMPTY_HEADER, Response, Status, parse_chunk_size};

const HEADERS_MAX: usize = 64;

/// A response at the begin of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Its status.
    pub(crate) status: u16,
    /// Bytes of it.
    pub(crate) bytes: usize,
}

/// The response at the begin of `buffer`; none until all of it is there.
///
/// # Errors
/// What is no HTTP/1.1, or ends with the connection.
pub(crate) fn whole(buffer: &[u8]) -> Result<Option<Whole>> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = Response::new(&mut headers);
    let Status::Complete(head) = response.parse(buffer)? else { return Ok(None) };
    let status = response.code.context("a response without a status")?;
    let header =
        |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    let end = if let Some(length) = header("content-length") {
        Some(head + std::str::from_utf8(length)?.parse::<usize>()?)
    } else if header("transfer-encoding").is_some() {
        end_of_chunks(buffer, head)?
    } else {
        bail!("a response of unknown length");
    };
    Ok(end.filter(|end| *end <= buffer.len()).map(|bytes| Whole { status, bytes }))
}

/// Where the chunks that begin at `at` end, if they do. None of the servers sends trailers.
fn end_of_chunks(buffer: &[u8], mut at: usize) -> Result<Option<usize>> {
    const LINE_END: usize = 2;
    loop {
        let rest = buffer.get(at..).unwrap_or_default();
        let Ok(parsed) = parse_chunk_size(rest) else { bail!("a chunk without a size") };
        let Status::Complete((line, size)) = parsed else { return Ok(None) };
        at += line + usize::try_from(size)? + LINE_END;
        if size == 0 {
            return Ok(Some(at));
        }
        if at > buffer.len() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_at_its_last_byte_and_not_before() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ] {
            let bytes = text.as_bytes();
            for end in 0..bytes.len() {
                assert_eq!(whole(&bytes[..end]).unwrap(), None, "{end} of {text:?}");
            }
            assert_eq!(whole(bytes).unwrap(), Some(Whole { status: 200, bytes: bytes.len() }));
        }
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
