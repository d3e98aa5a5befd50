//! One request to a plugin, in either mode: authorise, admit, clean, hand over, count.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_LENGTH};
use http_body::Body as HttpBody;
use mint_context::{
    headers,
    runtime::{Blame, Body, BodyError, Fault},
};
use mint_domain::{Kind, Permission, Refusal};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Caller, Platform,
    body::{self, BodyTooLong},
    routes,
    running::Active,
};

impl Platform {
    /// Answers a request under a plugin's prefix; none when no plugin of the tenant answers there.
    ///
    /// # Errors
    /// The refusal for the client. What the operator must know is in the log under the request id.
    pub async fn dispatch<B>(&self, caller: &Caller, request: Request<B>) -> Option<Result<Response<Body>, Refusal>>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let active = self.running().find(caller.tenant, request.uri().path())?;
        Some(self.hand_over(caller, &active, request).await)
    }

    async fn hand_over<B>(&self, caller: &Caller, active: &Arc<Active>, request: Request<B>) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let limits = &active.authority.limits;
        let wall = Duration::from_millis(limits.wall_ms_max);
        let deadline = Instant::now() + wall;
        let call = caller.call_through(self.services(), active.authority.clone(), deadline);
        let _permit = call.permit_person(Permission::PluginsUse)?;
        if !routes::is_plain(request.uri().path()) {
            return Err(Refusal::invalid("The path has dot segments, empty segments or encoded slashes. Send it in plain form."));
        }
        refuse_oversize(&request, limits.request_body_bytes_max)?;
        let admitted = active.admission.enter(deadline).await?;
        active.usage.request();

        let (mut parts, incoming) = request.into_parts();
        headers::strip_request(&mut parts.headers);
        parts.headers.extend(headers::identity(&call));
        for (name, text) in [(headers::REQUEST_ID, call.request_id.as_str()), (headers::FORWARDED_PREFIX, &active.prefix.public())] {
            if let Ok(value) = HeaderValue::from_str(text) {
                parts.headers.insert(name, value);
            }
        }
        let incoming = body::bounded(incoming, "request_body_bytes_max", limits.request_body_bytes_max, ());
        match active.plugin.handle(call, Request::from_parts(parts, incoming)).await {
            Ok(response) => {
                let (mut parts, outgoing) = response.into_parts();
                headers::strip_response(&mut parts.headers);
                let outgoing = body::bounded(outgoing, "response_body_bytes_max", limits.response_body_bytes_max, admitted);
                Ok(Response::from_parts(parts, outgoing))
            }
            Err(fault) => Err(note(caller, active, &fault)),
        }
    }
}

/// Counts a fault, writes it down for whoever is to blame, and gives the client's part of it.
fn note(caller: &Caller, active: &Active, fault: &Fault) -> Refusal {
    let blame = fault.blame();
    active.usage.fault(blame);
    let (tenant, plugin, request) = (&caller.tenant_slug, active.slug(), &caller.request_id);
    match blame {
        Blame::Host => tracing::error!(tenant.id = %tenant, plugin.slug = %plugin, request.id = %request, error = %fault, "request failed"),
        Blame::Plugin => tracing::warn!(tenant.id = %tenant, plugin.slug = %plugin, request.id = %request, error = %fault, "request failed"),
        Blame::Client => tracing::debug!(tenant.id = %tenant, plugin.slug = %plugin, request.id = %request, error = %fault, "request failed"),
    }
    fault.public()
}

/// Refuses at once what says itself that it is too long.
fn refuse_oversize<B>(request: &Request<B>, max: u64) -> Result<(), Refusal> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(too_large(&BodyTooLong { limit: "request_body_bytes_max", max }));
    }
    Ok(())
}

fn too_large(error: &BodyTooLong) -> Refusal {
    Refusal::new(Kind::TooLarge, "request.too_large", format!("The body is longer than {} bytes.", error.max))
        .with(json!({ "limit": error.limit }))
}
