//! Who calls: a live process of a plugin, for a person whose request it serves right now, or on its own account.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, request::Parts},
    middleware::Next,
    response::Response,
};
use mint_context::{Call, headers};
use mint_domain::{Actor, Kind, Refusal, RequestId, UserId};
use tokio::time::{Duration, Instant};

use super::{
    RpcState,
    error::{Refused, attach_request_id},
};
use crate::{environment::API_VERSION, registry::Bearer};

const PLUGIN_NAME: HeaderName = HeaderName::from_static("x-mint-plugin-name");
const SDK_VERSION: HeaderName = HeaderName::from_static("x-mint-sdk-version");
const PLATFORM_API_VERSION: HeaderName = HeaderName::from_static("x-mint-platform-api-version");

/// An authenticated caller. Handlers cannot run without one.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The context of the call.
    pub(crate) call: Call,
    /// The process.
    pub(crate) bearer: Bearer,
    /// A client from before SDK versions were told, which takes no key that it does not know.
    pub(crate) is_strict: bool,
}

impl Caller {
    /// Passes if `plugin` is the caller itself.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for `what`.
    pub(crate) fn is_own(&self, plugin: &str, what: &str) -> Result<(), Refusal> {
        let own = self.call.through_plugin()?.slug();
        if own.as_str() == plugin {
            return Ok(());
        }
        Err(Refusal::denied(what, format!("Plugin `{own}` may only do this under its own name.")))
    }
}

/// Finds out who calls, before any handler.
pub(crate) async fn authenticate(State(state): State<RpcState>, mut request: Request, next: Next) -> Response {
    let said = one(request.headers(), &headers::REQUEST_ID).and_then(|id| RequestId::parse(std::str::from_utf8(id).ok()?));
    let request_id = said.unwrap_or_else(|| RequestId::from_bits(rand::random()));
    let mut response = match identify(&state, request.headers(), &request_id) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => Refused::new(refusal, request_id.clone()).into(),
    };
    attach_request_id(&mut response, &request_id);
    response
}

fn identify(state: &RpcState, headers: &HeaderMap, request_id: &RequestId) -> Result<Caller, Refusal> {
    let untrusted = || Refusal::new(Kind::Denied, "auth.forbidden", "This is not a plugin that runs here at the moment.");
    let (Some(token), Some(name)) = (one(headers, &headers::INTERNAL_TOKEN), one(headers, &PLUGIN_NAME)) else {
        return Err(untrusted());
    };
    let bearer = state.registry.find(token, name).ok_or_else(untrusted)?;
    if let Some(version) = headers.get(PLATFORM_API_VERSION)
        && version != API_VERSION
    {
        let message = format!("This platform speaks version {API_VERSION} of the internal API.");
        return Err(Refusal::new(Kind::Invalid, "plugin.api_version_mismatch", message));
    }
    let session = &bearer.session;
    let actor = match claimed_user(headers)? {
        Some(id) => session.person(id).ok_or_else(|| {
            let message = format!("The plugin is not serving a request of user {id} at the moment.");
            Refusal::new(Kind::Denied, "auth.forbidden", message)
        })?,
        None => Actor::Plugin(session.slug().clone()),
    };
    let wall = Duration::from_millis(session.call().limits().wall_ms_max);
    let call = Call { actor, request_id: request_id.clone(), deadline: Instant::now() + wall, ..session.call().clone() };
    Ok(Caller { call, is_strict: !headers.contains_key(SDK_VERSION), bearer })
}

/// Whom the plugin says it acts for. Only the number counts: name, role and permissions are what the platform knows.
fn claimed_user(headers: &HeaderMap) -> Result<Option<UserId>, Refusal> {
    if !headers.contains_key(headers::USER_ID) {
        return Ok(None);
    }
    let id = one(headers, &headers::USER_ID).and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
    id.map(|id| Some(UserId(id))).ok_or_else(|| {
        Refusal::new(Kind::Denied, "auth.forbidden", "The header X-MINT-User-Id must stand there once, with a number.")
    })
}

/// The value of a header that stands there exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value.as_bytes())
}

impl FromRequestParts<RpcState> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &RpcState) -> Result<Self, Refused> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Refused::new(Refusal::new(Kind::Denied, "auth.forbidden", "Nobody calls."), RequestId::from_bits(0)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_claim_is_one_number() {
        let claim = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(headers::USER_ID, HeaderValue::from_static(value));
            }
            claimed_user(&headers)
        };
        assert_eq!(claim(&[]), Ok(None));
        assert_eq!(claim(&["7"]), Ok(Some(UserId(7))));
        for bad in [&["7", "7"][..], &["1", "2"], &["x"], &[""], &["7 "], &["1,2"]] {
            assert!(claim(bad).is_err(), "{bad:?}");
        }
    }
}
