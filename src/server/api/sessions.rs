//! Where somebody is signed in.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use mint_domain::UserId;
use mint_platform::people::Session;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Path, Query},
    router::State,
};

/// Whose sessions or tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// Id of a user; by default one's own.
    user: Option<i64>,
}

impl Whose {
    pub(super) fn user(&self) -> Option<UserId> {
        self.user.map(UserId)
    }
}

/// How many sessions have ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ended {
    ended: u64,
}

/// Live sessions, the newest first.
#[utoipa::path(get, path = "/api/sessions", tag = "auth", params(Whose),
    responses((status = 200, body = Vec<Session>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
) -> Result<Json<Vec<Session>>, ApiError> {
    Ok(Json(state.platform.list_sessions(&caller, whose.user()).await?))
}

/// Ends all sessions but the one that asks.
#[utoipa::path(delete, path = "/api/sessions", tag = "auth", params(Whose),
    responses((status = 200, body = Ended), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn revoke_all(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
) -> Result<Json<Ended>, ApiError> {
    Ok(Json(Ended { ended: state.platform.end_sessions(&caller, whose.user()).await? }))
}

/// Ends one session.
#[utoipa::path(delete, path = "/api/sessions/{session}", tag = "auth", params(("session" = String, Path), Whose),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn revoke(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(session): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<StatusCode, ApiError> {
    state.platform.end_session(&caller, whose.user(), &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
