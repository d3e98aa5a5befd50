//! A component of the `wasi:http/proxy` world that knows nothing of the platform: it says what it was asked, and gives
//! back what it was sent, piece by piece.

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason)]
    #![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

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
        world: "wasi:http/proxy",
        generate_all,
    });
}

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use bindings::wasi::io::streams::{OutputStream, StreamError};

/// Most bytes that `blocking-write-and-flush` takes.
const CHUNK_BYTES: usize = 4096;

struct Standard;

impl Guest for Standard {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        let Ok(stream) = body.write() else { return };
        let written = write(&stream, target.as_bytes()).and_then(|()| echo(request, &stream));
        drop(stream);
        if written.is_ok() {
            let _closed = OutgoingBody::finish(body, None);
        }
    }
}

fn write(to: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(CHUNK_BYTES).try_for_each(|chunk| to.blocking_write_and_flush(chunk))
}

fn echo(request: IncomingRequest, to: &OutputStream) -> Result<(), StreamError> {
    let Ok(body) = request.consume() else { return Ok(()) };
    let Ok(stream) = body.stream() else { return Ok(()) };
    loop {
        match stream.blocking_read(CHUNK_BYTES as u64) {
            Ok(chunk) => write(to, &chunk)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

const _: () = {
    let _ = Standard;
    #[cfg(target_arch = "wasm32")]
    bindings::export!(Standard with_types_in bindings);
};
