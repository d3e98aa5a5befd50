//! Roles that people hold inside one plugin.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use mint_context::roles::{self, PluginRole};
use mint_domain::{Refusal, Slug, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Window;
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// A role to give.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    /// Free text that the plugin understands, 1 to 100 characters.
    role: String,
}

/// What a plugin keeps of a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFields {
    /// Secrets by name: texts or other values, and references as they were shown, for those that stay.
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
}

fn slug(text: &str) -> Result<Slug, Refusal> {
    text.parse().map_err(|_| Refusal::not_found("plugin", text))
}

/// Everybody's roles inside a plugin.
#[utoipa::path(get, path = "/api/admin/plugin-roles/{plugin}", tag = "plugins", params(("plugin" = String, Path), Window),
    responses((status = 200, body = Vec<PluginRole>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(plugin): Path<String>,
    Query(window): Query<Window>,
) -> Result<Json<Vec<PluginRole>>, ApiError> {
    Ok(Json(roles::list(&caller.call(state.platform.services()), &slug(&plugin)?, window.into()).await?))
}

/// Gives a person a role inside a plugin.
#[utoipa::path(put, path = "/api/admin/plugin-roles/{plugin}/{user}", tag = "plugins", request_body = NewRole,
    params(("plugin" = String, Path), ("user" = i64, Path)),
    responses((status = 200, body = PluginRole), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((plugin, user)): Path<(String, i64)>,
    JsonBody(new): JsonBody<NewRole>,
) -> Result<Json<PluginRole>, ApiError> {
    let call = caller.call(state.platform.services());
    Ok(Json(roles::set(&call, &slug(&plugin)?, UserId(user), &new.role).await?))
}

/// Replaces what a plugin keeps of a person beside the role: secrets, which only the plugin reads.
#[utoipa::path(put, path = "/api/admin/plugin-roles/{plugin}/{user}/fields", tag = "plugins", request_body = NewFields,
    params(("plugin" = String, Path), ("user" = i64, Path)),
    responses((status = 200, body = PluginRole), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn set_fields(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((plugin, user)): Path<(String, i64)>,
    JsonBody(new): JsonBody<NewFields>,
) -> Result<Json<PluginRole>, ApiError> {
    let call = caller.call(state.platform.services());
    Ok(Json(roles::set_fields(&call, &slug(&plugin)?, UserId(user), &new.fields).await?))
}

/// Takes a person's role inside a plugin away.
#[utoipa::path(delete, path = "/api/admin/plugin-roles/{plugin}/{user}", tag = "plugins",
    params(("plugin" = String, Path), ("user" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn remove(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path((plugin, user)): Path<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    let call = caller.call(state.platform.services());
    if !roles::remove(&call, &slug(&plugin)?, UserId(user)).await? {
        return Err(Refusal::not_found("plugin role of user", user).into());
    }
    Ok(StatusCode::NO_CONTENT)
}
