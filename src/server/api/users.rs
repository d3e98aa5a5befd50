//! People.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use mint_context::identity::{self, User};
use mint_domain::{Kind, Permission, Refusal, UserId};
use mint_platform::{
    Caller,
    people::{NewUser, UserChange},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Window, given};
use crate::{
    auth::{Authenticated, Sender},
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// The person who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: i64,
    username: String,
    /// `admin`, `member`, `viewer`, or a role of the laboratory's own.
    role: String,
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Permission>,
}

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserDraft {
    /// Name to sign in with: 1 to 100 bytes without spaces.
    username: String,
    /// At least 8 characters. Without one the person cannot sign in until they are given one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<SecretString>,
    /// Slug of a role; by default `member`.
    #[serde(default = "member")]
    role: String,
    /// Address.
    #[serde(default)]
    email: Option<String>,
    /// Initials.
    #[serde(default)]
    shortname: Option<String>,
    /// Given name.
    #[serde(default)]
    first_name: Option<String>,
    /// Family name.
    #[serde(default)]
    last_name: Option<String>,
}

fn member() -> String {
    "member".to_owned()
}

/// What to change. What is absent stays; null empties a field.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserPatch {
    /// Name to sign in with.
    username: Option<String>,
    /// Slug of a role.
    role: Option<String>,
    /// Whether the person may sign in.
    is_active: Option<bool>,
    /// Address.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Initials.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    shortname: Option<Option<String>>,
    /// Given name.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    first_name: Option<Option<String>>,
    /// Family name.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    last_name: Option<Option<String>>,
}

/// One's own password, and another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPassword {
    /// The present one.
    #[schema(value_type = String)]
    present: SecretString,
    /// The new one: at least 8 characters.
    #[schema(value_type = String)]
    new: SecretString,
}

/// A password for somebody else.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// At least 8 characters.
    #[schema(value_type = String)]
    new: SecretString,
}

/// Whom to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whom {
    /// Only the one of this name.
    username: Option<String>,
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
#[utoipa::path(get, path = "/api/users", tag = "users", params(Window, Whom),
    responses((status = 200, body = Vec<User>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(window): Query<Window>,
    Query(whom): Query<Whom>,
) -> Result<Json<Vec<User>>, ApiError> {
    let call = caller.call(state.platform.services());
    let Some(username) = whom.username else { return Ok(Json(identity::list_users(&call, window.into()).await?)) };
    match identity::find_user(&call, &username).await {
        Err(error) if error.is_not_found() => Ok(Json(Vec::new())),
        found => Ok(Json(vec![found?])),
    }
}

/// One user.
#[utoipa::path(get, path = "/api/users/{id}", tag = "users", params(("id" = i64, Path)),
    responses((status = 200, body = User), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<User>, ApiError> {
    Ok(Json(identity::get_user(&caller.call(state.platform.services()), UserId(id)).await?))
}

/// Makes a user. Nobody gives rights that they lack.
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = UserDraft,
    responses((status = 201, body = User), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    JsonBody(draft): JsonBody<UserDraft>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let UserDraft { username, password, role, email, shortname, first_name, last_name } = draft;
    let new = NewUser { username, password, role, email, shortname, first_name, last_name };
    Ok((StatusCode::CREATED, Json(state.platform.create_user(&caller, new).await?)))
}

/// Changes a user. Everybody may change their own names and address.
#[utoipa::path(patch, path = "/api/users/{id}", tag = "users", params(("id" = i64, Path)), request_body = UserPatch,
    responses((status = 200, body = User), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    JsonBody(patch): JsonBody<UserPatch>,
) -> Result<Json<User>, ApiError> {
    let UserPatch { username, role, is_active, email, shortname, first_name, last_name } = patch;
    let change = UserChange { username, role, is_active, email, shortname, first_name, last_name };
    Ok(Json(state.platform.change_user(&caller, UserId(id), change).await?))
}

/// Removes a user. What they made stays, without their name.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", params(("id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    state.platform.delete_user(&caller, UserId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes one's own password, and ends all other sessions.
#[utoipa::path(put, path = "/api/users/me/password", tag = "users", request_body = OwnPassword,
    responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 429)))]
pub(crate) async fn change_password(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Sender(origin): Sender,
    JsonBody(password): JsonBody<OwnPassword>,
) -> Result<StatusCode, ApiError> {
    state.platform.change_own_password(&caller, &password.present, &password.new, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives somebody else another password, and ends their sessions.
#[utoipa::path(put, path = "/api/users/{id}/password", tag = "users", params(("id" = i64, Path)), request_body = NewPassword,
    responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn reset_password(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    JsonBody(password): JsonBody<NewPassword>,
) -> Result<StatusCode, ApiError> {
    state.platform.reset_password(&caller, UserId(id), &password.new).await?;
    Ok(StatusCode::NO_CONTENT)
}
