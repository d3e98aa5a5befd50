//! Asks other servers.

use mint_sdk::bindings::imports::wasi::http::types::{ErrorCode, Fields, OutgoingRequest, Scheme};
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

/// `?authority=&scheme=&count=`: begins so many requests at once, and answers with what became of each: a status, or
/// the name of the error.
pub(crate) fn ask(request: Request) -> Result<Response> {
    let authority = request.query("authority").ok_or_else(|| Error::bad_request("whom to ask?"))?.into_owned();
    let scheme = if request.query("scheme").as_deref() == Some("https") { Scheme::Https } else { Scheme::Http };
    let count: usize = request.parse_query("count")?.unwrap_or(1);
    let begun: Vec<_> = (0..count).map(|_| begin(&authority, &scheme)).collect();
    let mut answers = Vec::with_capacity(count);
    for begun in begun {
        answers.push(match begun {
            Ok(coming) => {
                coming.subscribe().block();
                match coming.get() {
                    Some(Ok(Ok(response))) => json!(response.status()),
                    Some(Ok(Err(code))) => json!(name(&code)),
                    Some(Err(())) | None => json!("nothing came"),
                }
            }
            Err(code) => json!(name(&code)),
        });
    }
    Response::json(&answers)
}

fn begin(
    authority: &str,
    scheme: &Scheme,
) -> std::result::Result<mint_sdk::bindings::imports::wasi::http::types::FutureIncomingResponse, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    let described = request
        .set_scheme(Some(scheme))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some("/")));
    described.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    outgoing_handler::handle(request, None)
}

/// The case of the error, without what it carries.
fn name(code: &ErrorCode) -> String {
    let text = format!("{code:?}");
    text.split(['(', ' ']).next().unwrap_or_default().trim_start_matches("ErrorCode::").to_owned()
}
