//! Why a process is not let out, in words that its author reads in the answer of the proxy.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, PROXY_AUTHENTICATE, RETRY_AFTER},
};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use mint_context::{Error, runtime::BodyError};
use mint_domain::{Kind, limit::Limit};

use super::Answer;

/// Why a process is not let out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Some other process knows the port.
    #[error("The platform's proxy answers to the credential in HTTP_PROXY only.")]
    NoCredential,
    /// The request names no host.
    #[error("The platform's proxy takes `CONNECT host:port` and `http://host[:port]/path`.")]
    NotAHost,
    /// The host was not granted, or is no place to go.
    #[error("{}", .0.public().message)]
    Denied(Error),
    /// As much as may be is under way.
    #[error("The plugin reached its limit {}.", .0.name())]
    Limit(Limit),
    /// Nobody is there.
    #[error("The host could not be reached: {0}.")]
    Unreachable(std::io::Error),
    /// The host did not speak HTTP.
    #[error("The host gave no answer that is HTTP: {0}.")]
    Broken(hyper::Error),
    /// It took too long.
    #[error("The host did not answer in time.")]
    TooSlow,
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoCredential => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            Self::NotAHost => StatusCode::BAD_REQUEST,
            Self::Denied(error) => match error.public().kind {
                Kind::Unavailable => StatusCode::BAD_GATEWAY,
                Kind::Invalid => StatusCode::BAD_REQUEST,
                _ => StatusCode::FORBIDDEN,
            },
            Self::Limit(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreachable(_) | Self::Broken(_) => StatusCode::BAD_GATEWAY,
            Self::TooSlow => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What the process is told.
    pub(super) fn answer(&self) -> Answer {
        let mut answer = Response::new(text(&format!("{self}\n")));
        *answer.status_mut() = self.status();
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Self::NoCredential => answer.headers_mut().insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic")),
            Self::Limit(_) => answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1")),
            _ => None,
        };
        answer
    }
}

/// A short body.
pub(super) fn text(text: &str) -> UnsyncBoxBody<Bytes, BodyError> {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}
