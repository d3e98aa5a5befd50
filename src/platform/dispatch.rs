//! One request to a plugin, in either mode: authorise, admit, hand over, count.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use mint_context::{
    Call, Incoming, headers,
    runtime::{Blame, Body, BodyError, Fault},
    trailers,
};
use mint_domain::{InstallationId, Kind, Permission, Refusal, RequestId, limit::Limit};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Caller, Platform,
    admission::Admitted,
    body::{self, Bound},
    routes,
    running::Active,
};

/// How the type of a stream of events begins.
const EVENTS: &[u8] = b"text/event-stream";

/// A request's place in service.
pub(crate) struct Turn {
    pub(crate) call: Call,
    pub(crate) active: Arc<Active>,
    pub(crate) admitted: Admitted,
}

impl Platform {
    /// Answers a request under a plugin's prefix; none when no plugin of the tenant, or another than `only`, is installed
    /// there.
    ///
    /// # Errors
    /// The refusal for the client. What the operator must know is in the log under the request id.
    pub async fn dispatch<B>(
        &self,
        caller: &Caller,
        only: Option<InstallationId>,
        request: Request<B>,
    ) -> Option<Result<Response<Body>, Refusal>>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let (head, body) = request.into_parts();
        match self.turn(caller, only, &head).await? {
            Ok(turn) => Some(hand_over(turn, Request::from_parts(head, body)).await),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Waits for a request's turn; none when no plugin of the tenant, or another than `only`, is installed under its path.
    pub(crate) async fn turn(
        &self,
        caller: &Caller,
        only: Option<InstallationId>,
        head: &Parts,
    ) -> Option<Result<Turn, Refusal>> {
        let path = head.uri.path();
        while let Some(active) = self.running().find(caller.tenant, path) {
            let is_asked = only.is_none_or(|only| only == active.authority.installation);
            if !is_asked || !caller.actor.sees_plugin(active.slug().as_str()) {
                return None;
            }
            let patience = Duration::from_millis(active.authority.limits().wall_ms_max);
            let mut call = caller.call_through(self.services(), active.authority.clone(), Instant::now() + patience);
            if let Err(refusal) = self.expect_present().and_then(|()| check(&call, &active, head)) {
                active.authority.refused(&refusal);
                return Some(Err(refusal));
            }
            let counted = active.admission.count();
            let entered = match counted {
                Ok(()) => active.admission.enter(call.deadline).await,
                Err(refusal) => Err(refusal),
            };
            match entered {
                Ok(Some(admitted)) => {
                    // Its time begins with its turn: that a request waited is no fault of the plugin.
                    call.deadline = Instant::now() + patience;
                    return Some(Ok(Turn { call, active, admitted }));
                }
                // Another generation has taken its place in the meantime.
                Ok(None) => {}
                Err(refusal) => {
                    active.authority.refused(&refusal);
                    return Some(Err(refusal));
                }
            }
        }
        Some(Err(Box::pin(self.not_ready(caller, only, path)).await?))
    }
}

/// What can be refused without asking the plugin.
fn check(call: &Call, active: &Active, head: &Parts) -> Result<(), Refusal> {
    let _permit = call.permit_person(Permission::PluginsUse)?;
    if !routes::is_plain(head.uri.path()) {
        return Err(Refusal::invalid("The path has dot segments, empty segments or encoded slashes. Send it in plain form."));
    }
    refuse_oversize(&head.headers, active.authority.limits().request_body_bytes_max)
}

async fn hand_over<B>(turn: Turn, request: Request<B>) -> Result<Response<Body>, Refusal>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    let Turn { call, active, admitted } = turn;
    let limits = active.authority.limits();
    active.usage.request();
    let (parts, body) = request.into_parts();
    let body = body.map_frame(|frame| cleaned(frame, trailers::strip_request));
    let (body, overrun) = body::watched(body, Bound::of(&active, Limit::request_body_bytes_max));
    let (request_id, began) = (call.request_id.clone(), Instant::now());
    let incoming = Incoming::new(Request::from_parts(parts, body), active.forwarded_prefix.clone());
    let answer = active.plugin.handle(call, incoming);
    let answer = tokio::select! {
        biased;
        answer = answer => answer,
        () = active.admission.over() => return Err(cut_off()),
    };
    active.authority.meters.observe(Limit::wall_ms_max, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    let overran = || {
        let refusal = too_large(limits.request_body_bytes_max);
        active.authority.refused(&refusal);
        refusal
    };
    match answer {
        // Whatever the plugin made of half a body.
        Ok(_) if overrun.happened() => Err(overran()),
        Ok(response) => Ok(outgoing(&active, response, admitted)),
        Err(fault) => {
            let refusal = note(&active, &request_id, &fault);
            let too_long = fault.blame() == Blame::Client && overrun.happened();
            Err(if too_long { overran() } else { refusal })
        }
    }
}

/// A plugin's response as it leaves, with its place until its body has ended.
pub(crate) fn outgoing(active: &Active, response: Response<Body>, admitted: Admitted) -> Response<Body> {
    let (mut parts, outgoing) = response.into_parts();
    headers::strip_response(&mut parts.headers);
    // Who reads events comes back for more when they end. Half of anything else must not look like all of it.
    let is_stream = parts.headers.get(CONTENT_TYPE).is_some_and(|of| of.as_bytes().starts_with(EVENTS));
    let farewell = active.admission.farewell();
    let over = if is_stream { farewell.of_streams() } else { farewell.of_all() };
    let outgoing = body::until(outgoing, over.clone(), is_stream);
    let outgoing = outgoing.map_frame(|frame| cleaned(frame, trailers::strip_response));
    Response::from_parts(parts, body::bounded(outgoing, Bound::of(active, Limit::response_body_bytes_max), admitted))
}

pub(crate) fn cut_off() -> Refusal {
    let message = "The plugin made way for another release, or was taken down, before it answered. Send the request again.";
    Refusal::new(Kind::Unavailable, "plugin.replaced", message).retry_after(1)
}

/// Trailers are headers that come late.
fn cleaned(frame: Frame<Bytes>, strip: fn(&mut HeaderMap)) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            strip(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}

/// Counts a fault, writes it down for whoever is to blame, and gives the client's part of it.
pub(crate) fn note(active: &Active, request: &RequestId, fault: &Fault) -> Refusal {
    let blame = fault.blame();
    active.usage.fault(blame);
    let refusal = fault.public();
    active.authority.refused(&refusal);
    let (tenant, plugin) = (&active.authority.tenant_slug, active.slug());
    match blame {
        Blame::Host => {
            tracing::error!(tenant.id = %tenant, plugin.slug = %plugin, request.id = %request, error = %fault, "request failed")
        }
        Blame::Plugin => {
            tracing::warn!(tenant.id = %tenant, plugin.slug = %plugin, request.id = %request, error = %fault, "request failed")
        }
        Blame::Client => {
            tracing::debug!(tenant.id = %tenant, plugin.slug = %plugin, request.id = %request, error = %fault, "request failed")
        }
    }
    refusal
}

/// Refuses at once what says itself that it is too long.
fn refuse_oversize(headers: &HeaderMap, max: u64) -> Result<(), Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    Ok(())
}

fn too_large(max: u64) -> Refusal {
    Refusal::new(Kind::TooLarge, "request.too_large", format!("The body is longer than {max} bytes."))
        .with(json!({ "limit": "request_body_bytes_max" }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn trailers_are_cleaned_like_headers() {
        let mut late = HeaderMap::new();
        late.insert("x-checksum", HeaderValue::from_static("1"));
        late.insert("clear-site-data", HeaderValue::from_static("*"));
        let kept = cleaned(Frame::trailers(late), trailers::strip_response).into_trailers().unwrap();
        assert_eq!(kept.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["x-checksum"]);
        assert_eq!(cleaned(Frame::data(Bytes::from_static(b"x")), trailers::strip_response).into_data().unwrap(), "x");
    }
}
