//! A request in clear, by its whole address: one connection for it, nobody else's.

use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::Scheme};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use mint_context::{
    headers,
    outbound::{MeasuredBody, OnItsWay, PatientBody},
    runtime::BodyError,
};
use mint_domain::limit::Limit;
use tokio::time::timeout;

use super::{Answer, Egress, Reached, Refused, authority_of};
use crate::task;

/// Longest wait for the head of the response, request body included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest wait for its next bytes.
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);
const HTTP_PORT: u16 = 80;

/// Sends it, and gives the response as it comes.
pub(super) async fn forward(egress: &Egress, mut request: Request<Incoming>) -> Result<Answer, Refused> {
    if request.uri().scheme() != Some(&Scheme::HTTP) {
        return Err(Refused::NotAHost);
    }
    let authority = authority_of(request.uri())?;
    // The address is what was checked, whatever the header says.
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refused::NotAHost)?;
    let (name, port) = (authority.host().to_owned(), authority.port_u16().unwrap_or(HTTP_PORT));
    let path: Uri = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|_| Refused::NotAHost)?;
    let Reached { stream, on_its_way } = egress.reach(&name, port).await?;
    let too_long = || BodyError::from(format!("it is longer than {} allows", Limit::outbound_body_bytes_max.name()));
    headers::strip_outbound(request.headers_mut());
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = path;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Refused::Broken)?;
    let driven = task::owned(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an outbound connection of a process broke");
        }
    });
    let request = request.map(|body| MeasuredBody::<Incoming, BodyError>::new(body, too_long, on_its_way.clone()));
    let response = timeout(HEAD_TIMEOUT, sender.send_request(request)).await.map_err(|_elapsed| Refused::TooSlow)?;
    let (mut head, incoming) = response.map_err(|error| refusal(on_its_way.as_deref(), error))?.into_parts();
    headers::strip_outbound(&mut head.headers);
    let late = || BodyError::from("the host sent nothing for too long");
    // The connection is driven for as long as somebody reads.
    let measured = MeasuredBody::<Incoming, BodyError>::new(incoming, too_long, on_its_way);
    let body = PatientBody::<_, BodyError>::new(measured, BETWEEN_BYTES_TIMEOUT, late);
    let body = body.map_frame(move |frame| {
        let _driven = &driven;
        frame
    });
    Ok(Response::from_parts(head, body.boxed_unsync()))
}

/// A body that became too long breaks its request off.
fn refusal(on_its_way: Option<&OnItsWay>, error: hyper::Error) -> Refused {
    match on_its_way {
        Some(on_its_way) if on_its_way.is_too_long() => Refused::Limit(Limit::outbound_body_bytes_max),
        _ => Refused::Broken(error),
    }
}
