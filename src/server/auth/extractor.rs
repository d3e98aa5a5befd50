//! The extractor that every route but the public ones has.

use axum::extract::FromRequestParts;
use http::{HeaderMap, Method, header, request::Parts};
use mint_domain::{Actor, Kind, Refusal, RequestId, User, refusal::read_only};
use mint_platform::{Caller, frontends::Whose};

use super::{same_site, token};
use crate::{error::ApiError, router::State};

/// A signed-in person.
#[derive(Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

/// A signed-in person, or a program with a service token: whoever may ask plugins.
#[derive(Debug)]
pub(crate) struct Asking(pub(crate) Caller);

/// Somebody who ends the session by which they are known, which one that only reads may.
#[derive(Debug)]
pub(crate) struct Leaving(pub(crate) Caller);

impl FromRequestParts<State> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let caller = identify(parts, state).await?;
        expect_change(&caller.actor, &parts.method, &parts.headers)?;
        expect_person(&caller)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<State> for Asking {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let caller = identify(parts, state).await?;
        expect_change(&caller.actor, &parts.method, &parts.headers)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<State> for Leaving {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let caller = identify(parts, state).await?;
        expect_person(&caller)?;
        if caller.session.is_none() {
            expect_change(&caller.actor, &parts.method, &parts.headers)?;
        }
        Ok(Self(caller))
    }
}

/// Refuses a program with a service token.
fn expect_person(caller: &Caller) -> Result<(), Refusal> {
    if matches!(caller.actor, Actor::Service(_)) {
        let message = "A service token reaches the routes of its plugin, and nothing else.";
        return Err(Refusal::new(Kind::Denied, "plugin.service_token_scope", message));
    }
    Ok(())
}

/// Refuses a change, and a WebSocket, to whose credential only reads.
pub(crate) fn expect_change(actor: &Actor, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let is_change = !method.is_safe() || headers.contains_key(header::UPGRADE);
    if is_change && actor.user().is_some_and(User::is_read_only) {
        return Err(read_only());
    }
    Ok(())
}

async fn identify(parts: &Parts, state: &State) -> Result<Caller, ApiError> {
    let nobody =
        || Refusal::new(Kind::Unauthenticated, "auth.required", "Sign in first: `POST /api/auth/login`, or `mint auth login`.");
    let credential = token::find(&parts.headers).ok_or_else(nobody)?;
    let whose = parts.extensions.get::<Whose>().unwrap_or(&Whose::Any);
    let identity = state.platform.identify(credential.token, whose).await?;
    let identity = identity.ok_or_else(|| {
        Refusal::new(Kind::Unauthenticated, "auth.unauthorized", "The session has ended, or the token is wrong. Sign in again.")
    })?;
    if credential.by_cookie {
        same_site::check(&parts.method, &parts.headers)?;
    }
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(|| RequestId::from_bits(0));
    Ok(identity.caller(request_id))
}
