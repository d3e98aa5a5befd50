//! The smallest plugin that is a program: HTTP/1.1 on the Unix socket that the platform names with `--socket`.
//!
//! The platform says in headers who is signed in and has removed any that a client sent. What the program prints goes
//! into the log of the installation.

mod greeting;

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use greeting::{greet, person};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let socket = socket(std::env::args().skip(1)).ok_or("usage: hello-process --socket PATH")?;
    let listener = UnixListener::bind(&socket).map_err(|error| format!("{}: {error}", socket.display()))?;
    let mut stop = signal(SignalKind::terminate())?;
    let connections = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            Some(_) = tasks.join_next() => continue,
            _ = stop.recv() => break,
        };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        let connection = connections.watch(connection);
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
    connections.shutdown().await;
    Ok(())
}

fn socket(mut arguments: impl Iterator<Item = String>) -> Option<PathBuf> {
    arguments.find(|argument| argument == "--socket")?;
    arguments.next().map(PathBuf::from)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers();
    let prefix = header(headers, "x-forwarded-prefix").unwrap_or_default().trim_end_matches('/');
    let path = request.uri().path();
    let rest = path.strip_prefix(prefix).unwrap_or(path);
    let (status, body) = match (request.method(), rest) {
        (&Method::GET, "" | "/") => {
            let message = greet(header(headers, "x-mint-username"));
            eprintln!("{message}");
            (StatusCode::OK, json!({ "message": message, "plugin": "hello-process" }))
        }
        (&Method::GET, "/whoami") => (
            StatusCode::OK,
            person(header(headers, "x-mint-user-id"), header(headers, "x-mint-username"), header(headers, "x-mint-user-role")),
        ),
        (method, rest) => not_found(&format!("no route for {method} {rest}"), header(headers, "x-request-id")),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn not_found(message: &str, request_id: Option<&str>) -> (StatusCode, Value) {
    let status = StatusCode::NOT_FOUND;
    let envelope = json!({
        "code": "resource.not_found",
        "message": message,
        "status": status.as_u16(),
        "request_id": request_id,
        "details": null,
        "detail": message,
    });
    (status, envelope)
}
