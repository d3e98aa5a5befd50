//! WebSockets between a client and a plugin: who asks for one, and what a plugin makes of it.

use std::{fmt, future::Future, pin::Pin};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
};
use mint_domain::Refusal;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::runtime::Body;

/// The protocol that a connection is switched to; no other one is.
pub const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// The only version there is.
const VERSION: &str = "13";
/// Letters of a handshake's key: sixteen bytes in base64.
const KEY_LETTERS: usize = 24;

/// What a plugin made of a handshake.
#[derive(Debug)]
pub enum Opened {
    /// It switches: its connection, under a head with the status 101 that was checked.
    Socket(Response<Socket>),
    /// It answers something else.
    Answer(Response<Body>),
}

/// A plugin's end of a WebSocket. Dropped, it is closed.
pub struct Socket {
    /// What the plugin sends.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What it is sent.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Done when the plugin has ended, whoever still holds the connection.
    pub ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Whether a request asks for a WebSocket. A wish for another protocol counts for nothing: HTTP lets a server go on as if
/// it were not there.
///
/// # Errors
/// A handshake that is not one.
pub fn is_asked_for(method: &Method, version: Version, headers: &HeaderMap) -> Result<bool, Refusal> {
    if !tokens(headers, &UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
        return Ok(false);
    }
    let no_body = !headers.contains_key(TRANSFER_ENCODING)
        && headers.get_all(CONTENT_LENGTH).iter().all(|length| length.as_bytes() == b"0");
    let wrong = if method != Method::GET || version != Version::HTTP_11 || !no_body {
        "It must be a GET of HTTP/1.1 without a body."
    } else if !switches(headers) {
        "It must have one `Upgrade: websocket`, and `Connection: Upgrade`."
    } else if !only(headers, &SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        "It must have one `Sec-WebSocket-Key` of 16 bytes in base64."
    } else if only(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        "It must have one `Sec-WebSocket-Version: 13`."
    } else {
        return Ok(true);
    };
    Err(Refusal::invalid(format!("This is not the handshake of a WebSocket. {wrong}")))
}

/// Whether a head with the status 101 answers a handshake.
///
/// # Errors
/// What is wrong with it, for the plugin's author.
pub fn check_answer(status: StatusCode, headers: &HeaderMap) -> Result<(), &'static str> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        Err("its status is not 101")
    } else if !switches(headers) {
        Err("it does not switch to `websocket`")
    } else if only(headers, &SEC_WEBSOCKET_ACCEPT).is_none_or(HeaderValue::is_empty) {
        Err("it has not one `Sec-WebSocket-Accept`")
    } else {
        Ok(())
    }
}

/// Adds what makes a head one of a handshake. These headers belong to one connection, so each has its own.
pub fn switch(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

fn switches(headers: &HeaderMap) -> bool {
    only(headers, &UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && tokens(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}

fn is_key(value: &HeaderValue) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let letters = value.as_bytes().strip_suffix(b"==");
    letters.is_some_and(|letters| letters.len() + 2 == KEY_LETTERS && letters.iter().all(is_letter))
}

/// The value of a header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
    }

    /// A proper handshake with these lines instead of its own of the same names, or without where the value is empty.
    fn handshake(changes: &[(&str, &str)]) -> HeaderMap {
        let proper = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-key", KEY),
            ("sec-websocket-version", "13"),
        ];
        let kept = proper.into_iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let lines: Vec<_> = kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        }
        headers
    }

    #[test]
    fn what_asks_for_a_socket() {
        let asked = |headers: &HeaderMap| is_asked_for(&Method::GET, Version::HTTP_11, headers).unwrap();
        assert!(asked(&handshake(&[])));
        assert!(asked(&handshake(&[("content-length", "0")])));
        for other in ["", "h2c", "TLS/1.0", "websocketx"] {
            assert!(!asked(&handshake(&[("upgrade", other)])), "{other}");
        }
    }

    #[test]
    fn a_handshake_is_proper_or_refused() {
        let refused = |method: Method, version: Version, headers: &HeaderMap| is_asked_for(&method, version, headers).is_err();
        let proper = handshake(&[]);
        assert!(refused(Method::POST, Version::HTTP_11, &proper));
        assert!(refused(Method::GET, Version::HTTP_10, &proper));
        for changes in [
            &[("connection", "")] as &[(&str, &str)],
            &[("connection", "close")],
            &[("upgrade", "websocket, h2c")],
            &[("upgrade", "h2c, websocket")],
            &[("upgrade", "websocket"), ("upgrade", "websocket")],
            &[("sec-websocket-key", "")],
            &[("sec-websocket-key", "short==")],
            &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=!")],
            &[("sec-websocket-key", KEY), ("sec-websocket-key", KEY)],
            &[("sec-websocket-version", "")],
            &[("sec-websocket-version", "8")],
            &[("sec-websocket-version", "13"), ("sec-websocket-version", "8")],
            &[("content-length", "5")],
            &[("transfer-encoding", "chunked")],
        ] {
            assert!(refused(Method::GET, Version::HTTP_11, &handshake(changes)), "{changes:?}");
        }
    }

    #[test]
    fn an_answer_switches_to_a_socket_or_is_none() {
        let verdict = |status: u16, lines: &[(&str, &str)]| check_answer(StatusCode::from_u16(status).unwrap(), &map(lines));
        let proper = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
        assert_eq!(verdict(101, &proper), Ok(()));
        assert!(verdict(200, &proper).is_err());
        for missing in 0..proper.len() {
            let mut lines = proper.to_vec();
            lines.remove(missing);
            assert!(verdict(101, &lines).is_err(), "{missing}");
        }
        let mut twice = map(&proper);
        twice.append(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("y"));
        assert!(check_answer(StatusCode::SWITCHING_PROTOCOLS, &twice).is_err());
        assert!(verdict(101, &[proper[0], ("upgrade", "h2c"), proper[2]]).is_err());
    }
}
