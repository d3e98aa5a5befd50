//! Asks other servers.

use mint_sdk::bindings::imports::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use mint_sdk::bindings::imports::wasi::io::streams::StreamError;
use mint_sdk::json::json;
use mint_sdk::{Error, Request, Response, Result};

mod bindings {
    //! The way out, which the SDK leaves to those who need it.
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
        ],
        inline: "
            package mint:everything;
            world outbound {
                import wasi:http/outgoing-handler@0.2.12;
            }
        ",
        with: {
            "wasi:clocks/monotonic-clock@0.2.12": mint_sdk::bindings::imports::wasi::clocks::monotonic_clock,
            "wasi:http/types@0.2.12": mint_sdk::bindings::imports::wasi::http::types,
            "wasi:io/error@0.2.12": mint_sdk::bindings::imports::wasi::io::error,
            "wasi:io/poll@0.2.12": mint_sdk::bindings::imports::wasi::io::poll,
            "wasi:io/streams@0.2.12": mint_sdk::bindings::imports::wasi::io::streams,
            "wasi:http/outgoing-handler@0.2.12": generate,
        },
    });
}

use bindings::wasi::http::outgoing_handler;

const CHUNK_BYTES: u64 = 64 * 1024;

/// `?authority=&scheme=&path=&count=&patience=`: begins so many requests at once, perhaps with so many nanoseconds for each part of
/// them, and answers with what became of each: a status, or the name of the error.
pub(crate) fn ask(request: Request) -> Result<Response> {
    let errand = Errand::of(&request)?;
    let count: usize = request.parse_query("count")?.unwrap_or(1);
    let begun: Vec<_> = (0..count).map(|_| errand.begin(0)).collect();
    let answers: Vec<_> = begun
        .into_iter()
        .map(|begun| match begun.and_then(|coming| response(&coming)) {
            Ok(response) => json!(response.status()),
            Err(code) => json!(name(&code)),
        })
        .collect();
    Response::json(&answers)
}

/// `?authority=&scheme=&path=&bytes=`: sends so many bytes, and reads the answer: `{"bytes": n, "error": null}`.
pub(crate) fn exchange(request: Request) -> Result<Response> {
    let errand = Errand::of(&request)?;
    let (mut bytes, mut error) = (0, None);
    match errand.begin(request.parse_query("bytes")?.unwrap_or(0)).and_then(|coming| response(&coming)) {
        Ok(response) => {
            let body = response.consume().map_err(|()| Error::internal("its body was taken"))?;
            let stream = body.stream().map_err(|()| Error::internal("its stream was taken"))?;
            loop {
                match stream.blocking_read(CHUNK_BYTES) {
                    Ok(chunk) => bytes += chunk.len(),
                    Err(StreamError::Closed) => break,
                    Err(StreamError::LastOperationFailed(failed)) => {
                        error = Some(failed.to_debug_string());
                        break;
                    }
                }
            }
        }
        Err(code) => error = Some(name(&code)),
    }
    Response::json(&json!({ "bytes": bytes, "error": error }))
}

/// What is asked of whom.
struct Errand {
    authority: String,
    scheme: Scheme,
    path: String,
    patience: Option<u64>,
}

impl Errand {
    fn of(request: &Request) -> Result<Self> {
        Ok(Self {
            authority: request.query("authority").ok_or_else(|| Error::bad_request("whom to ask?"))?.into_owned(),
            scheme: if request.query("scheme").as_deref() == Some("https") { Scheme::Https } else { Scheme::Http },
            path: request.query("path").map_or_else(|| "/".to_owned(), |path| path.into_owned()),
            patience: request.parse_query("patience")?,
        })
    }

    /// Begins a request with a body of so many bytes.
    fn begin(&self, bytes: u64) -> std::result::Result<FutureIncomingResponse, ErrorCode> {
        let request = OutgoingRequest::new(Fields::new());
        let described = request
            .set_method(if bytes == 0 { &Method::Get } else { &Method::Post })
            .and_then(|()| request.set_scheme(Some(&self.scheme)))
            .and_then(|()| request.set_authority(Some(&self.authority)))
            .and_then(|()| request.set_path_with_query(Some(&self.path)));
        described.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        let options = self.patience.map(|patience| {
            let options = RequestOptions::new();
            let set = options
                .set_connect_timeout(Some(patience))
                .and_then(|()| options.set_first_byte_timeout(Some(patience)))
                .and_then(|()| options.set_between_bytes_timeout(Some(patience)));
            set.map(|()| options).map_err(|()| ErrorCode::InternalError(None))
        });
        let body = request.body().map_err(|()| ErrorCode::InternalError(None))?;
        let coming = outgoing_handler::handle(request, options.transpose()?)?;
        let stream = body.write().map_err(|()| ErrorCode::InternalError(None))?;
        let mut left = bytes;
        while left > 0 {
            let chunk = left.min(4096);
            // Whoever does not want more has said so in the answer.
            if stream.blocking_write_and_flush(&vec![b'x'; usize::try_from(chunk).unwrap_or_default()]).is_err() {
                break;
            }
            left -= chunk;
        }
        drop(stream);
        OutgoingBody::finish(body, None)?;
        Ok(coming)
    }
}

/// Waits for the head of the response.
fn response(coming: &FutureIncomingResponse) -> std::result::Result<IncomingResponse, ErrorCode> {
    coming.subscribe().block();
    coming.get().and_then(std::result::Result::ok).unwrap_or(Err(ErrorCode::InternalError(None)))
}

/// The case of the error, without what it carries.
fn name(code: &ErrorCode) -> String {
    let text = format!("{code:?}");
    text.split(['(', ' ']).next().unwrap_or_default().trim_start_matches("ErrorCode::").to_owned()
}
