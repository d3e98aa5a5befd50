//! Signing in and out.

use axum::{
    extract::{Extension, State as AxumState},
    response::IntoResponse,
};
use http::{HeaderMap, StatusCode, header};
use mint_context::headers::SESSION_COOKIE;
use mint_domain::{Refusal, RequestId};
use mint_platform::{frontends::Whose, sign_in::Signed};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::users::Me;
use crate::{
    auth::{Authenticated, Leaving, Secure, Sender, token},
    error::ApiError,
    extract::Json,
    router::State,
};

/// Who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// Slug of the laboratory; by default that of the host that is asked, else `default`.
    #[serde(default)]
    tenant: Option<String>,
    /// Name.
    username: String,
    /// Password.
    #[schema(value_type = String)]
    password: SecretString,
}

/// A begun session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Send it as `Authorization: Bearer …`. It is not shown again.
    access_token: String,
    /// `bearer`.
    token_type: &'static str,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Who signed in.
    user: Me,
}

/// Signs in. The answer also sets the session cookie.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", security(()), request_body = Login,
    responses((status = 200, body = Session), (status = 401), (status = 429)))]
pub(crate) async fn login(
    AxumState(state): AxumState<State>,
    Extension(request_id): Extension<RequestId>,
    Extension(whose): Extension<Whose>,
    Sender(origin): Sender,
    Secure(is_secure): Secure,
    Json(login): Json<Login>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = (&whose, login.tenant.as_deref());
    let signed = state.platform.sign_in(tenant, &login.username, &login.password, &origin, &request_id).await?;
    Ok(signed_in(&state, &signed, is_secure))
}

/// Hands over a session that has begun, in the answer and as a cookie.
pub(super) fn signed_in(state: &State, signed: &Signed, is_secure: bool) -> impl IntoResponse + use<> {
    let seconds = (signed.expires_at - state.platform.services().clock.now()).whole_seconds();
    let token = signed.token.expose_secret().to_owned();
    let cookie = token::set_cookie(SESSION_COOKIE, &token, seconds, is_secure);
    let session =
        Session { access_token: token, token_type: "bearer", expires_at: signed.expires_at, user: Me::from(&signed.user) };
    ([(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".to_owned())], axum::Json(session))
}

/// Ends the session that this request carries.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204), (status = 401)))]
pub(crate) async fn logout(
    AxumState(state): AxumState<State>,
    Leaving(caller): Leaving,
    Secure(is_secure): Secure,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let credential = token::find(&headers).ok_or_else(|| Refusal::invalid("The request carries no session."))?;
    if caller.session.is_none() {
        return Err(Refusal::invalid("This is a token, not a session. Revoke it with `mint token revoke`.").into());
    }
    state.platform.sign_out(&SecretString::from(credential.token)).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, token::set_cookie(SESSION_COOKIE, "", 0, is_secure))]))
}

/// Says who is signed in.
#[utoipa::path(get, path = "/api/auth/verify", tag = "auth", responses((status = 200, body = Me), (status = 401)))]
pub(crate) async fn verify(Authenticated(caller): Authenticated) -> Result<axum::Json<Me>, ApiError> {
    Me::of(&caller).map(axum::Json)
}
