//! Laboratories, for those who look after the whole installation.

use axum::{Json, extract::State as AxumState};
use http::StatusCode;
use mint_domain::Slug;
use mint_platform::tenants::{Laboratory, NewLaboratory};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// A new laboratory.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantDraft {
    /// Name in URLs and paths: lower-case letters, digits and hyphens.
    #[schema(value_type = String)]
    slug: Slug,
    /// Name shown to people; by default the slug.
    #[serde(default)]
    name: Option<String>,
    /// Who is to look after it.
    #[serde(default)]
    administrator: Option<FirstAdministrator>,
}

/// Somebody with the role `admin`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstAdministrator {
    /// Name to sign in with.
    username: String,
    /// Password.
    #[schema(value_type = String)]
    password: SecretString,
}

/// Why a laboratory is suspended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspension {
    /// A sentence that everybody is told who belongs to it.
    reason: String,
}

/// Says that it is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Confirmation {
    /// The slug again.
    #[serde(default)]
    confirm: String,
}

/// Every laboratory, the oldest first.
#[utoipa::path(get, path = "/api/platform/tenants", tag = "platform",
    responses((status = 200, body = Vec<Laboratory>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Vec<Laboratory>>, ApiError> {
    Ok(Json(state.platform.list_tenants(&caller).await?))
}

/// Makes a laboratory.
#[utoipa::path(post, path = "/api/platform/tenants", tag = "platform", request_body = TenantDraft,
    responses((status = 201, body = Laboratory), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    JsonBody(draft): JsonBody<TenantDraft>,
) -> Result<(StatusCode, Json<Laboratory>), ApiError> {
    let TenantDraft { slug, name, administrator } = draft;
    let name = name.unwrap_or_else(|| slug.to_string());
    let administrator = administrator.map(|first| (first.username, first.password));
    let made = state.platform.create_tenant(&caller, NewLaboratory { slug, name, administrator }).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// One laboratory.
#[utoipa::path(get, path = "/api/platform/tenants/{tenant}", tag = "platform", params(("tenant" = String, Path)),
    responses((status = 200, body = Laboratory), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
) -> Result<Json<Laboratory>, ApiError> {
    Ok(Json(state.platform.tenant(&caller, &tenant).await?))
}

/// Begins to delete a laboratory with all that it has.
#[utoipa::path(delete, path = "/api/platform/tenants/{tenant}", tag = "platform", params(("tenant" = String, Path), Confirmation),
    responses((status = 202, body = Laboratory), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
    Query(confirmation): Query<Confirmation>,
) -> Result<(StatusCode, Json<Laboratory>), ApiError> {
    let leaving = state.platform.delete_tenant(&caller, &tenant, &confirmation.confirm).await?;
    Ok((StatusCode::ACCEPTED, Json(leaving)))
}

/// Lets nobody use a laboratory, and ends its plugins.
#[utoipa::path(put, path = "/api/platform/tenants/{tenant}/suspension", tag = "platform", request_body = Suspension,
    params(("tenant" = String, Path)),
    responses((status = 200, body = Laboratory), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn suspend(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
    JsonBody(suspension): JsonBody<Suspension>,
) -> Result<Json<Laboratory>, ApiError> {
    Ok(Json(state.platform.suspend_tenant(&caller, &tenant, Some(&suspension.reason)).await?))
}

/// Lets people use a laboratory again; its plugins start as they stood.
#[utoipa::path(delete, path = "/api/platform/tenants/{tenant}/suspension", tag = "platform", params(("tenant" = String, Path)),
    responses((status = 200, body = Laboratory), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn resume(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
) -> Result<Json<Laboratory>, ApiError> {
    Ok(Json(state.platform.suspend_tenant(&caller, &tenant, None).await?))
}
