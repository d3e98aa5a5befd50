//! The response of a process on its way to the platform: checked and counted.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame, SizeHint};
use mint_context::runtime::{BodyError, Fault};

use crate::{
    activity::InUse,
    link::{Answer, Pool},
    registry::ActsFor,
    upload::{Progress, Stage},
};

/// Most bytes of a response's headers, names and values together.
const HEADER_BYTES_MAX: usize = 32 << 10;

const LIMIT: &str = "response_body_bytes_max";

/// What a response keeps until its body has ended.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Where the connection goes back to.
    pub(crate) pool: Arc<Pool>,
    /// The process, which is not idle in the meantime.
    pub(crate) _in_use: Option<InUse>,
    /// The upload: a connection on which it still goes on is of no further use.
    pub(crate) progress: Progress,
    /// Whom the plugin acts for.
    pub(crate) acts_for: ActsFor,
}

/// Checks the head of a response.
///
/// # Errors
/// [`Fault::Garbage`] for what is not a response, [`Fault::Limit`] for one that announces too large a body.
pub(crate) fn check(response: Response<Answer>, kept: Kept, bytes_max: u64) -> Result<Response<Download>, Fault> {
    check_head(response.status(), response.headers(), bytes_max)?;
    let (head, body) = response.into_parts();
    let mut response = Response::new(Download::new(body, kept, bytes_max));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    Ok(response)
}

fn check_head(status: StatusCode, headers: &HeaderMap, bytes_max: u64) -> Result<(), Fault> {
    if status.is_informational() {
        return Err(Fault::Garbage(format!("it answered {status} without being asked to")));
    }
    check_size(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > bytes_max => Err(too_large(bytes_max)),
        Some(_) | None => Ok(()),
    }
}

/// Checks how much there is of a head.
///
/// # Errors
/// [`Fault::Garbage`] when it is too much.
pub(crate) fn check_size(headers: &HeaderMap) -> Result<(), Fault> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(Fault::Garbage(format!("its headers have {bytes} bytes; at most {HEADER_BYTES_MAX} are allowed")));
    }
    Ok(())
}

fn too_large(bytes_max: u64) -> Fault {
    Fault::Limit { limit: LIMIT, message: format!("The plugin's response is larger than {bytes_max} bytes.") }
}

/// A counted body, which gives the connection back at its end and closes it when dropped before.
#[derive(Debug)]
pub(crate) struct Download {
    /// None when it has ended.
    open: Option<(Answer, Kept)>,
    left: u64,
    bytes_max: u64,
}

impl Download {
    fn new(body: Answer, kept: Kept, bytes_max: u64) -> Self {
        let mut download = Self { open: Some((body, kept)), left: bytes_max, bytes_max };
        download.release_at_end();
        download
    }

    fn release_at_end(&mut self) {
        if self.open.as_ref().is_some_and(|(body, _)| body.is_end_stream()) {
            self.release();
        }
    }

    fn release(&mut self) {
        let Some((body, Kept { pool, _in_use, progress, acts_for: _ends })) = self.open.take() else { return };
        if progress.stage() == Stage::Done {
            pool.give_back(body.into_link());
        }
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(length).ok_or_else(|| too_large(self.bytes_max))?;
        Ok(frame)
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some((body, _)) = &mut this.open else { return Poll::Ready(None) };
        Poll::Ready(match ready!(Pin::new(body).poll_frame(context)) {
            None => {
                this.release();
                None
            }
            Some(Err(error)) => {
                this.open = None;
                Some(Err(Fault::Garbage(format!("it broke off its response: {error}")).into()))
            }
            Some(Ok(frame)) => {
                let counted = this.count(frame);
                match &counted {
                    Ok(_) => this.release_at_end(),
                    Err(_) => this.open = None,
                }
                Some(counted)
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.open.as_ref().map_or_else(|| SizeHint::with_exact(0), |(body, _)| body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn verdict(status: u16, lines: &[(&'static str, String)]) -> String {
        let headers = lines.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::try_from(value).unwrap())).collect();
        match check_head(StatusCode::from_u16(status).unwrap(), &headers, 10) {
            Ok(()) => "passes".to_owned(),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn heads() {
        assert_eq!(verdict(200, &[("content-length", "10".to_owned())]), "passes");
        assert!(verdict(200, &[("content-length", "11".to_owned())]).contains(LIMIT));
        assert!(verdict(101, &[]).contains("without being asked"));
        assert!(verdict(200, &[("x-big", "x".repeat(HEADER_BYTES_MAX))]).contains("headers have"));
    }
}
