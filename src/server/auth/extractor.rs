//! The extractor that every route but the public ones has.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use mint_domain::{Kind, Refusal, RequestId, refusal::read_only};
use mint_platform::{Caller, frontends::Whose};

use super::{same_site, token};
use crate::{error::ApiError, router::State};

/// A signed-in caller.
#[derive(Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<State> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        identify(parts, state).await.map(Self)
    }
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
    if identity.user.is_read_only() && (!parts.method.is_safe() || parts.headers.contains_key(header::UPGRADE)) {
        return Err(read_only().into());
    }
    if credential.by_cookie {
        same_site::check(&parts.method, &parts.headers)?;
    }
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(|| RequestId::from_bits(0));
    Ok(identity.caller(request_id))
}
