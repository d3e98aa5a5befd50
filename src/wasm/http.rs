//! One request through the routes of a component, streamed both ways.
//!
//! The guest is polled by whoever waits for the response, without a task of its own: first for the head, then for the
//! frames of the body. When the client goes away, the guest goes with it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, Full};
use mint_context::{
    Call, Incoming,
    runtime::{Body, Fault},
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::{
    body::{Finish, ResponseBody, poll_frames},
    guest::{Guest, Guests},
    host::exchange::{Head, Upload},
    instance::Instance,
    routes::answer,
};

/// Most header fields of a response.
const FIELDS_MAX: usize = 128;
/// Most bytes of all names and values of a response's header fields.
const FIELDS_BYTES_MAX: usize = 32 << 10;
/// Frames that a guest can leave behind when it returned: what its channel holds.
const FRAMES_LEFT_MAX: usize = 4;

/// Lets a component answer a request.
///
/// # Errors
/// A [`Fault`] before the head of the response was given.
pub(crate) async fn handle(
    guests: &Arc<Guests>,
    tails: &TaskTracker,
    mut call: Call,
    incoming: Incoming,
) -> Result<Response<Body>, Fault> {
    if guests.instances.exports.routes.is_none() {
        return Err(Fault::Garbage("it exports no routes".to_owned()));
    }
    let limits = &guests.instances.plugin.authority.limits();
    let patience = Duration::from_millis(limits.wall_ms_max);
    let begun = Instant::now();
    let place = guests.instances.place(call.deadline.min(begun + patience)).await?;
    // That it waited for a place is no fault of the plugin.
    let placed = Instant::now();
    call.deadline += placed - begun;
    let deadline = call.deadline.min(placed + patience);

    let upload = Upload::default();
    let is_head = incoming.method() == http::Method::HEAD;
    let (sender, mut receiver) = oneshot::channel::<Head>();
    let (guests_in, upload_in) = (Arc::clone(guests), upload.clone());
    let mut guest = guests.begin(place, Arc::new(call), move |instance| {
        Box::pin(async move {
            match &guests_in.instances.exports.routes {
                Some(exported) => answer(exported, instance, incoming, upload_in, sender).await,
                None => Ok(()),
            }
        })
    });

    let first = poll_fn(|cx| {
        // The guest first: most are done in one go, and then nothing has to be streamed.
        let done = match Pin::new(&mut guest).poll(cx) {
            Poll::Ready(Ok(((), instance))) => Some(instance),
            Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
            Poll::Pending => None,
        };
        if done.is_some() {
            return Poll::Ready(Ok((receiver.try_recv().ok(), done)));
        }
        Pin::new(&mut receiver).poll(cx).map(|head| Ok((head.ok(), done)))
    });
    let (head, done) = match timeout_at(deadline, first).await {
        Ok(first) => first?,
        Err(_) => return Err(guest.end_with(Fault::Timeout(patience))),
    };
    let response = match head {
        Some(Ok(response)) => response,
        Some(Err(code)) => return Err(guest.end_with(upload.blame(Fault::Garbage(format!("it answered with the error {code}"))))),
        None => return Err(guest.end_with(upload.blame(Fault::Garbage("it returned without an answer".to_owned())))),
    };
    let (parts, frames) = response.into_parts();
    if let Err(fault) = check_head(&parts) {
        return Err(guest.end_with(fault));
    }
    let finish = Finish {
        bytes_max: limits.response_body_bytes_max,
        patience,
        promised: if is_head || parts.status == StatusCode::NOT_MODIFIED { None } else { content_length(&parts.headers) },
        is_head,
        tails: tails.clone(),
    };
    match done {
        Some(instance) => settled(guest, instance, parts, frames, finish),
        None => Ok(Response::from_parts(parts, ResponseBody::streaming(guest, frames, finish).boxed_unsync())),
    }
}

fn check_head(parts: &http::response::Parts) -> Result<(), Fault> {
    if parts.status.is_informational() {
        return Err(Fault::Garbage(format!("it answered with the status {}, which ends no request", parts.status)));
    }
    let bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if parts.headers.len() > FIELDS_MAX || bytes > FIELDS_BYTES_MAX {
        return Err(Fault::Garbage(format!(
            "its response has {} header fields of {bytes} bytes; {FIELDS_MAX} of {FIELDS_BYTES_MAX} bytes are allowed",
            parts.headers.len()
        )));
    }
    Ok(())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The response of a guest that has returned: everything is there, so its length is known and its instance free.
fn settled(
    guest: Guest<()>,
    instance: Instance,
    parts: http::response::Parts,
    mut frames: HyperOutgoingBody,
    finish: Finish,
) -> Result<Response<Body>, Fault> {
    let mut left: Vec<Frame<Bytes>> = Vec::new();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut instance = Some(instance);
    while left.len() < FRAMES_LEFT_MAX {
        match poll_frames(&mut frames, &mut cx) {
            Poll::Ready(Some(Ok(frame))) => left.push(frame),
            Poll::Ready(Some(Err(error))) => {
                return Err(guest.end_with(Fault::Garbage(format!("it cut its response off: {error}"))));
            }
            Poll::Ready(None) => break,
            // A warm instance that leaves its response open is not used again; with it, the rest of the response goes.
            Poll::Pending => match instance.take() {
                Some(instance) => drop(instance),
                None => break,
            },
        }
    }
    if let Some(instance) = instance {
        guest.leave(instance);
    }
    let length: u64 = left.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
    if length > finish.bytes_max {
        return Err(guest.end_with(finish.too_long()));
    }
    if finish.promised.is_some_and(|promised| promised != length) {
        return Err(guest.end_with(Fault::Garbage(format!("its response has {length} bytes, not as many as it promised"))));
    }
    let single = match (left.len(), finish.promised) {
        (0, _) => Some(Empty::new().map_err(|never| match never {}).boxed_unsync()),
        (1, _) => left
            .pop()
            .and_then(|frame| frame.into_data().ok())
            .map(|data| Full::new(data).map_err(|never| match never {}).boxed_unsync()),
        _ => None,
    };
    let body = single.unwrap_or_else(|| ResponseBody::whole(left).boxed_unsync());
    Ok(Response::from_parts(parts, body))
}
