//! People.

use axum::{Json, extract::State as AxumState};
use mint_context::identity::{self, User};
use mint_domain::{Kind, Permission, Refusal};
use mint_platform::Caller;
use serde::Serialize;
use utoipa::ToSchema;

use super::Window;
use crate::{auth::Authenticated, error::ApiError, extract::Query, router::State};

/// The person who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: i64,
    username: String,
    /// `admin`, `member` or `viewer`.
    role: String,
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Permission>,
}

impl From<&mint_domain::User> for Me {
    fn from(user: &mint_domain::User) -> Self {
        let user = user.clone();
        Self { id: user.id.0, username: user.username, role: user.role, permissions: user.permissions }
    }
}

impl Me {
    /// The person behind a caller.
    pub(crate) fn of(caller: &Caller) -> Result<Self, ApiError> {
        let nobody = || Refusal::new(Kind::Unauthenticated, "auth.required", "Sign in first.");
        Ok(Self::from(caller.actor.user().ok_or_else(nobody)?))
    }
}

/// The person who is signed in.
#[utoipa::path(get, path = "/api/users/me", tag = "users", responses((status = 200, body = Me), (status = 401)))]
pub(crate) async fn me(Authenticated(caller): Authenticated) -> Result<Json<Me>, ApiError> {
    Me::of(&caller).map(Json)
}

/// Users of the laboratory by id.
#[utoipa::path(get, path = "/api/users", tag = "users", params(Window),
    responses((status = 200, body = Vec<User>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(window): Query<Window>,
) -> Result<Json<Vec<User>>, ApiError> {
    Ok(Json(identity::list_users(&caller.call(state.platform.services()), window.into()).await?))
}
