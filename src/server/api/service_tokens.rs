//! Service tokens, for programs beside instruments.

use axum::{Json, extract::State as AxumState, response::IntoResponse};
use http::{StatusCode, header};
use mint_domain::{InstrumentId, Slug};
use mint_platform::people::{ServiceToken, ServiceTokenDraft};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Window;
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// What a service token is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewServiceToken {
    /// What to call it.
    name: String,
    /// The plugin that it reaches.
    #[schema(value_type = String)]
    plugin: Slug,
    /// Ids of the instruments that it stands for; at least one.
    #[schema(value_type = Vec<String>)]
    instruments: Vec<InstrumentId>,
    /// How long it lasts, by default 90; null for until it is revoked.
    #[serde(default = "ninety")]
    days: Option<u32>,
}

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be null")]
fn ninety() -> Option<u32> {
    Some(90)
}

/// A service token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeServiceToken {
    /// Send it as `Authorization: Bearer …`. It is not shown again.
    token: String,
    /// What lists show of it.
    #[serde(flatten)]
    about: ServiceToken,
}

/// The laboratory's service tokens, the newest first.
#[utoipa::path(get, path = "/api/tokens/service", tag = "auth", params(Window),
    responses((status = 200, body = Vec<ServiceToken>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(window): Query<Window>,
) -> Result<Json<Vec<ServiceToken>>, ApiError> {
    Ok(Json(state.platform.list_service_tokens(&caller, window.into()).await?))
}

/// Makes a token by which a program reaches the routes of one plugin, and nothing else.
#[utoipa::path(post, path = "/api/tokens/service", tag = "auth", request_body = NewServiceToken,
    responses((status = 201, body = MadeServiceToken), (status = 400), (status = 401), (status = 403), (status = 429)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    JsonBody(new): JsonBody<NewServiceToken>,
) -> Result<impl IntoResponse, ApiError> {
    let NewServiceToken { name, plugin, instruments, days } = new;
    let draft = ServiceTokenDraft { name, plugin, instruments, days };
    let (token, about) = state.platform.create_service_token(&caller, draft).await?;
    let made = MadeServiceToken { token: token.expose_secret().to_owned(), about };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)))
}

/// Ends a service token.
#[utoipa::path(delete, path = "/api/tokens/service/{service_token}", tag = "auth", params(("service_token" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn revoke(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(token): Path<i64>,
) -> Result<StatusCode, ApiError> {
    state.platform.revoke_service_token(&caller, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
