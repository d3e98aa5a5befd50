//! Access tokens for programs.

use axum::{Json, extract::State as AxumState, response::IntoResponse};
use http::{StatusCode, header};
use mint_domain::Permission;
use mint_platform::people::{Token, TokenDraft};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Window, sessions::Whose};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// What a token is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What to call it.
    name: String,
    /// How long it lasts; by default 90.
    #[serde(default = "ninety")]
    days: u32,
    /// Whether it changes nothing, by any route.
    #[serde(default)]
    read_only: bool,
    /// What it allows at most; by default all that its owner may.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    permissions: Option<Vec<Permission>>,
}

fn ninety() -> u32 {
    90
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// Send it as `Authorization: Bearer …`. It is not shown again.
    token: String,
    /// What lists show of it.
    #[serde(flatten)]
    about: Token,
}

/// Tokens, the newest first.
#[utoipa::path(get, path = "/api/tokens", tag = "auth", params(Whose, Window),
    responses((status = 200, body = Vec<Token>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
    Query(window): Query<Window>,
) -> Result<Json<Vec<Token>>, ApiError> {
    Ok(Json(state.platform.list_tokens(&caller, whose.user(), window.into()).await?))
}

/// Makes a token for oneself. Only a session may: a token makes no tokens.
#[utoipa::path(post, path = "/api/tokens", tag = "auth", request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = 400), (status = 401), (status = 403), (status = 429)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<impl IntoResponse, ApiError> {
    let NewToken { name, days, read_only, permissions } = new;
    let draft = TokenDraft { name, days, read_only, permissions };
    let (token, about) = state.platform.create_token(&caller, draft).await?;
    let made = MadeToken { token: token.expose_secret().to_owned(), about };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/tokens/{token}", tag = "auth", params(("token" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn revoke(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(token): Path<i64>,
) -> Result<StatusCode, ApiError> {
    state.platform.revoke_token(&caller, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
