//! Signing in at another server, by OpenID Connect: a page asks where to go, goes there, and hands over what it came back with.

use axum::{
    Json,
    extract::{Extension, FromRequestParts, State as AxumState},
    response::IntoResponse,
};
use http::{StatusCode, header, request::Parts};
use mint_domain::RequestId;
use mint_platform::{
    frontends::Whose as Host,
    people::external::{Arrival, Departure, ExternalIdentities, ExternalIdentity, Methods},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::{Session, signed_in},
    sessions::Whose,
};
use crate::{
    auth::{Authenticated, Secure, Sender, token},
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// What a browser keeps while it is elsewhere.
const COOKIE: &str = "mint_departed";
/// Seconds for which it keeps that.
const KEPT_SECONDS: i64 = 10 * 60;

/// Whose methods.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Laboratory {
    /// Slug of the laboratory; by default that of the host, else `default`.
    tenant: Option<String>,
}

/// Where a browser is to go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Going {
    /// The address of the other server.
    url: String,
}

/// What a browser came back with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Back {
    /// The parameter `state` of the address.
    #[schema(value_type = String)]
    state: SecretString,
    /// The parameter `code` of the address.
    #[schema(value_type = String)]
    code: SecretString,
    /// The parameter `iss` of the address, where there is one.
    #[serde(default)]
    iss: Option<String>,
}

impl Back {
    fn with(self, kept: Option<SecretString>) -> Arrival {
        Arrival { kept, state: self.state, code: self.code, issuer: self.iss }
    }
}

/// From where a browser comes back, and what it has kept.
#[derive(Debug)]
pub(crate) struct Return {
    provider: String,
    kept: Option<SecretString>,
}

impl FromRequestParts<State> for Return {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let Path(provider) = Path::from_request_parts(parts, state).await?;
        Ok(Self { provider, kept: token::cookie(&parts.headers, COOKIE).map(SecretString::from) })
    }
}

/// In which ways one may sign in.
#[utoipa::path(get, path = "/api/auth/methods", tag = "auth", security(()), params(Laboratory), responses((status = 200, body = Methods)))]
pub(crate) async fn methods(
    AxumState(state): AxumState<State>,
    Extension(host): Extension<Host>,
    Query(laboratory): Query<Laboratory>,
) -> Json<Methods> {
    Json(state.platform.sign_in_methods(&host, laboratory.tenant.as_deref()))
}

/// Begins to sign in at another server. The answer sets a cookie that says which browser it was.
#[utoipa::path(post, path = "/api/auth/external/{provider}", tag = "auth", security(()), params(("provider" = String, Path)),
    responses((status = 200, body = Going), (status = 404), (status = 429), (status = 503)))]
pub(crate) async fn depart(
    AxumState(state): AxumState<State>,
    Extension(host): Extension<Host>,
    Sender(origin): Sender,
    Secure(is_secure): Secure,
    Path(provider): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(going(&state.platform.depart(&host, &provider, &origin).await?, is_secure))
}

/// Signs in whoever comes back from another server. The answer also sets the session cookie.
#[utoipa::path(post, path = "/api/auth/external/{provider}/session", tag = "auth", security(()), params(("provider" = String, Path)),
    request_body = Back, responses((status = 200, body = Session), (status = 401), (status = 403), (status = 404), (status = 429), (status = 503)))]
pub(crate) async fn arrive(
    AxumState(state): AxumState<State>,
    Extension(request_id): Extension<RequestId>,
    Extension(host): Extension<Host>,
    Sender(origin): Sender,
    Secure(is_secure): Secure,
    Return { provider, kept }: Return,
    JsonBody(back): JsonBody<Back>,
) -> Result<impl IntoResponse, ApiError> {
    let signed = state.platform.arrive(&host, &provider, back.with(kept), &origin, &request_id).await?;
    Ok(signed_in(&state, &signed, is_secure))
}

/// Begins to link whom another server knows to oneself.
#[utoipa::path(post, path = "/api/auth/external/{provider}/link", tag = "auth", params(("provider" = String, Path)),
    responses((status = 200, body = Going), (status = 401), (status = 403), (status = 404), (status = 429), (status = 503)))]
pub(crate) async fn depart_to_link(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Sender(origin): Sender,
    Secure(is_secure): Secure,
    Path(provider): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(going(&state.platform.depart_to_link(&caller, &provider, &origin).await?, is_secure))
}

/// Links whom another server knows to oneself.
#[utoipa::path(post, path = "/api/auth/external/{provider}/identity", tag = "auth", params(("provider" = String, Path)), request_body = Back,
    responses((status = 201, body = ExternalIdentity), (status = 401), (status = 403), (status = 404), (status = 409), (status = 503)))]
pub(crate) async fn arrive_to_link(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Return { provider, kept }: Return,
    JsonBody(back): JsonBody<Back>,
) -> Result<impl IntoResponse, ApiError> {
    let linked = state.platform.arrive_to_link(&caller, &provider, back.with(kept)).await?;
    Ok((StatusCode::CREATED, Json(linked)))
}

/// By whom else a person is known.
#[utoipa::path(get, path = "/api/auth/identities", tag = "auth", params(Whose),
    responses((status = 200, body = ExternalIdentities), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
) -> Result<Json<ExternalIdentities>, ApiError> {
    Ok(Json(state.platform.external_identities(&caller, whose.user()).await?))
}

/// Forgets by whom a person is known.
#[utoipa::path(delete, path = "/api/auth/identities/{identity}", tag = "auth", params(("identity" = i64, Path), Whose),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn unlink(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
    Path(identity): Path<i64>,
) -> Result<StatusCode, ApiError> {
    state.platform.unlink_external_identity(&caller, whose.user(), identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn going(departure: &Departure, is_secure: bool) -> impl IntoResponse + use<> {
    let cookie = token::set_cookie(COOKIE, departure.state.expose_secret(), KEPT_SECONDS, is_secure);
    let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".to_owned())];
    (headers, Json(Going { url: departure.url.to_string() }))
}
