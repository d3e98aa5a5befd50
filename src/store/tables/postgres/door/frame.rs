//! Messages of PostgreSQL's protocol: a letter, a length, a body.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The length counts itself.
const LENGTH_BYTES: usize = 4;

/// How a message begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: u8,
    /// Bytes that follow.
    pub(super) length: usize,
}

/// Reads how the next message begins; none when there is none.
pub(super) async fn head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Head>> {
    let kind = match from.read_u8().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        kind => kind?,
    };
    Ok(Some(Head { kind, length: rest(from.read_u32().await?)? }))
}

/// Reads the rest of a message that is as long as `length` says.
pub(super) fn rest(length: u32) -> io::Result<usize> {
    usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_sub(LENGTH_BYTES))
        .ok_or_else(|| broken("a length is too small"))
}

/// Reads a body of at most `max` bytes.
pub(super) async fn body(from: &mut (impl AsyncRead + Unpin), length: usize, max: usize) -> io::Result<Vec<u8>> {
    if length > max {
        return Err(broken("a message is too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(body)
}

/// Carries a message over, whatever its length. `begun` was read of its body.
pub(super) async fn carry(
    from: &mut (impl AsyncBufRead + Unpin),
    head: Head,
    begun: &[u8],
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let length = u32::try_from(head.length + LENGTH_BYTES).map_err(io::Error::other)?;
    to.write_u8(head.kind).await?;
    to.write_u32(length).await?;
    to.write_all(begun).await?;
    rest_of(from, head, begun, to).await
}

/// Carries over what was not read of a body. Flushes nothing: an answer of many rows has many messages.
pub(super) async fn rest_of(
    from: &mut (impl AsyncBufRead + Unpin),
    head: Head,
    begun: &[u8],
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut left = head.length.saturating_sub(begun.len());
    while left > 0 {
        let there = from.fill_buf().await?;
        let part = there.get(..left.min(there.len())).unwrap_or_default();
        if part.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(part).await?;
        let carried = part.len();
        from.consume(carried);
        left -= carried;
    }
    Ok(())
}

/// Splits a text off that ends with a zero.
pub(super) fn text(body: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(|| broken("a text without an end"))?;
    let (text, rest) = body.split_at(end);
    Ok((text, rest.get(1..).unwrap_or_default()))
}

/// A whole message.
pub(super) fn whole(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + LENGTH_BYTES).unwrap_or(u32::MAX);
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.extend(body);
    message
}

/// An error, as a server tells of one.
pub(super) fn error(severity: &str, code: &str, words: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, text) in [(b'S', severity), (b'V', severity), (b'C', code), (b'M', words)] {
        body.push(field);
        body.extend(text.bytes().filter(|byte| *byte != 0));
        body.push(0);
    }
    body.push(0);
    whole(b'E', &body)
}

/// A field of an error.
pub(super) fn field(error: &[u8], name: u8) -> Option<String> {
    let fields = error.split(|byte| *byte == 0);
    fields
        .filter_map(<[u8]>::split_first)
        .find(|(first, _)| **first == name)
        .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
}

pub(super) fn broken(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_comes_over_as_it_was() {
        let told = error("ERROR", "42501", "no");
        let mut read = told.as_slice();
        let start = head(&mut read).await.unwrap().unwrap();
        assert_eq!((start.kind, start.length), (b'E', told.len() - 5));
        let mut carried = Vec::new();
        let begun = body(&mut read, 3, 3).await.unwrap();
        carry(&mut read, start, &begun, &mut carried).await.unwrap();
        assert_eq!(carried, told);
        assert_eq!((field(&told[5..], b'C').as_deref(), field(&told[5..], b'M').as_deref()), (Some("42501"), Some("no")));
        assert!(head(&mut read).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn lengths_that_cannot_be_are_refused() {
        assert!(rest(3).is_err());
        assert!(body(&mut [0; 8].as_slice(), 9, 8).await.is_err());
        let mut short = whole(b'Q', b"select 1");
        short.pop();
        let mut read = short.as_slice();
        let start = head(&mut read).await.unwrap().unwrap();
        assert!(carry(&mut read, start, &[], &mut Vec::new()).await.is_err());
    }
}
