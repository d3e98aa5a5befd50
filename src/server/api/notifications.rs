//! What plugins want people to know.

use axum::{Json, extract::State as AxumState};
use mint_context::notifications::{self, Notification};

use super::Window;
use crate::{auth::Authenticated, error::ApiError, extract::Query, router::State};

/// Notifications for the person who is signed in, newest first: those for everybody, and their own.
#[utoipa::path(get, path = "/api/notifications", tag = "notifications", params(Window),
    responses((status = 200, body = Vec<Notification>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(window): Query<Window>,
) -> Result<Json<Vec<Notification>>, ApiError> {
    Ok(Json(notifications::list(&caller.call(state.platform.services()), window.into()).await?))
}
