//! Who calls: a live process of a plugin, for a person whose request it serves right now or served not long ago, or on its
//! own account.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, request::Parts},
    middleware::Next,
    response::Response,
};
use mint_context::{Call, headers, identity};
use mint_domain::{Actor, Kind, Permission, Refusal, RequestId, Slug, UserId};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::{
    RpcState,
    error::{Refused, attach_request_id},
    names,
};
use crate::{environment::API_VERSION, mld, registry::Bearer, served::UnderWay};

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
    /// Passes if the plugin serves a request of the person right now.
    ///
    /// # Errors
    /// `auth.forbidden`.
    pub(crate) fn serves(&self, person: UserId) -> Result<(), Refusal> {
        self.bearer.session.person(person).map(drop).ok_or_else(|| not_served(person))
    }

    /// The plugin that the caller means by a name: itself by the name that it has for itself, others by their slugs.
    ///
    /// # Errors
    /// `NOT_FOUND` for what cannot be a plugin.
    pub(crate) fn plugin(&self, name: &str) -> Result<Slug, Refusal> {
        let session = &self.bearer.session;
        if name == session.name() {
            return Ok(session.slug().clone());
        }
        name.parse().map_err(|_| Refusal::not_found("plugin", name))
    }

    /// An answer as the caller knows the world: where it has a name of its own for itself, that stands for its slug.
    pub(crate) fn shown(&self, mut answer: Value) -> Value {
        let (slug, name) = (self.bearer.session.slug().as_str(), self.bearer.session.name());
        if slug != name {
            names::rename(&mut answer, slug, name);
        }
        answer
    }

    /// A result as the platform knows the world: where it refers to files of the caller by the name that the caller has for
    /// itself, the slug stands there.
    pub(crate) fn understood(&self, mut result: Value) -> Value {
        let (slug, name) = (self.bearer.session.slug().as_str(), self.bearer.session.name());
        if slug != name {
            names::rename_in_result(&mut result, name, slug);
        }
        result
    }

    /// Passes if `plugin` is the caller itself.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for `what`.
    pub(crate) fn is_own(&self, plugin: &str, what: &str) -> Result<(), Refusal> {
        let own = self.call.through_plugin()?.slug();
        if self.plugin(plugin).is_ok_and(|plugin| plugin == *own) {
            return Ok(());
        }
        Err(Refusal::denied(what, format!("Plugin `{own}` may only do this under its own name.")))
    }
}

/// Finds out who calls, before any handler.
pub(crate) async fn authenticate(State(state): State<RpcState>, mut request: Request, next: Next) -> Response {
    let said = one(request.headers(), &headers::REQUEST_ID).and_then(|id| RequestId::parse(std::str::from_utf8(id).ok()?));
    let request_id = said.unwrap_or_else(|| RequestId::from_bits(rand::random()));
    let mut response = match identify(&state, request.headers(), &request_id).await {
        Ok((caller, _under_way)) => {
            let _at_work = caller.bearer.activity.begin();
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => Refused::new(refusal, request_id.clone()).into(),
    };
    attach_request_id(&mut response, &request_id);
    response
}

async fn identify(state: &RpcState, headers: &HeaderMap, request_id: &RequestId) -> Result<(Caller, Option<UnderWay>), Refusal> {
    let untrusted = || Refusal::new(Kind::Denied, "auth.forbidden", "This is not a plugin that runs here at the moment.");
    let credentials = match (one(headers, &headers::INTERNAL_TOKEN), one(headers, &PLUGIN_NAME)) {
        (None, None) => (one(headers, &mld::INTERNAL_TOKEN), one(headers, &mld::PLUGIN_NAME)),
        present => present,
    };
    let (Some(token), Some(name)) = credentials else { return Err(untrusted()) };
    let bearer = state.registry.find(token, name).ok_or_else(untrusted)?;
    if let Some(version) = headers.get(PLATFORM_API_VERSION)
        && version != API_VERSION
    {
        let message = format!("This platform speaks version {API_VERSION} of the internal API.");
        return Err(Refusal::new(Kind::Invalid, "plugin.api_version_mismatch", message));
    }
    let session = &bearer.session;
    let (actor, under_way) = match claimed_user(headers)? {
        None => (Actor::Plugin(session.slug().clone()), None),
        Some(id) => match session.person(id) {
            Some(person) => (person, None),
            None => (served_before(&bearer, id, request_id).await?, Some(bearer.served.begin())),
        },
    };
    let wall = Duration::from_millis(session.call().limits().wall_ms_max);
    let call = Call { actor, request_id: request_id.clone(), deadline: Instant::now() + wall, ..session.call().clone() };
    let takes_new_keys = session.takes_new_keys().unwrap_or_else(|| headers.contains_key(SDK_VERSION));
    Ok((Caller { call, is_strict: !takes_new_keys, bearer }, under_way))
}

/// A person whose request has ended, and who may have begun something that has not. Who they are, and whether they may
/// use plugins, is read anew.
async fn served_before(bearer: &Bearer, id: UserId, request_id: &RequestId) -> Result<Actor, Refusal> {
    if !bearer.served.remembers(id) {
        return Err(not_served(id));
    }
    let call = bearer.session.call();
    let found = identity::person(&call.services, call.tenant, id).await.map_err(|error| {
        tracing::error!(request.id = %request_id, %error, "it could not be read for whom a plugin acts");
        error.public()
    })?;
    let person = found
        .map(|user| Actor::User(Arc::new(user)))
        .filter(|person| person.may(Permission::PluginsUse) && person.sees_plugin(bearer.session.slug().as_str()));
    person.ok_or_else(|| not_served(id))
}

fn not_served(person: UserId) -> Refusal {
    let message = format!("The plugin is not serving a request of user {person} at the moment, and did not lately.");
    Refusal::new(Kind::Denied, "auth.forbidden", message)
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
