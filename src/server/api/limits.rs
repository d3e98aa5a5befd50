//! What plugins may do and use up, and what they use.

use axum::{Json as Answer, extract::State as AxumState};
use mint_domain::{Grants, OperationId};
use mint_platform::{
    grants::GrantEdits,
    limits::{Edits, LaboratoryLimit, LimitStatus},
    shares::ShareStatus,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path},
    router::State,
};

/// Limits after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedLimits {
    limits: Vec<LimitStatus>,
    /// The operation that starts the plugin again with them; null where they hold already.
    #[schema(value_type = Option<i64>)]
    operation: Option<OperationId>,
}

/// Grants after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedGrants {
    /// What is granted now.
    #[schema(value_type = Vec<String>)]
    grants: Grants,
    /// The operation that starts the plugin again with them; null where there is nothing to start.
    #[schema(value_type = Option<i64>)]
    operation: Option<OperationId>,
}

/// The limits of a plugin, who said so, and what it uses on the server that answers.
#[utoipa::path(get, path = "/api/plugins/{name}/limits", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Vec<LimitStatus>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<Answer<Vec<LimitStatus>>, ApiError> {
    Ok(Answer(state.platform.plugin_limits(&caller, &name).await?))
}

/// Changes limits of a plugin by name; null says nothing of one any more. They hold from the next call on, or as soon as the
/// operation that is given back has ended.
#[utoipa::path(patch, path = "/api/plugins/{name}/limits", tag = "plugins", params(("name" = String, Path)),
    request_body = BTreeMap<String, Option<u64>>,
    responses((status = 200, body = ChangedLimits), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn change(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Json(edits): Json<Edits>,
) -> Result<Answer<ChangedLimits>, ApiError> {
    let set = state.platform.set_plugin_limits(&caller, &name, &edits).await?;
    let operation = if set.needs_start { state.platform.start_with_terms(caller, &name).await? } else { None };
    Ok(Answer(ChangedLimits { limits: set.limits, operation }))
}

/// Grants capabilities to a plugin and takes others away. What is taken away is refused from the next call on.
#[utoipa::path(patch, path = "/api/plugins/{name}/grants", tag = "plugins", params(("name" = String, Path)),
    request_body = GrantEdits,
    responses((status = 200, body = ChangedGrants), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn grants(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Json(edits): Json<GrantEdits>,
) -> Result<Answer<ChangedGrants>, ApiError> {
    let set = state.platform.set_grants(caller, &name, &edits).await?;
    Ok(Answer(ChangedGrants { grants: set.grants, operation: set.operation }))
}

/// What holds for the laboratory's plugins of which nothing else is said.
#[utoipa::path(get, path = "/api/platform/limits", tag = "plugins",
    responses((status = 200, body = Vec<LaboratoryLimit>), (status = 401), (status = 403)))]
pub(crate) async fn defaults(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Answer<Vec<LaboratoryLimit>>, ApiError> {
    Ok(Answer(state.platform.laboratory_defaults(&caller).await?))
}

/// Changes it, by name; null says nothing of a limit any more.
#[utoipa::path(patch, path = "/api/platform/limits", tag = "plugins", request_body = BTreeMap<String, Option<u64>>,
    responses((status = 200, body = Vec<LaboratoryLimit>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn change_defaults(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Json(edits): Json<Edits>,
) -> Result<Answer<Vec<LaboratoryLimit>>, ApiError> {
    Ok(Answer(state.platform.set_laboratory_defaults(&caller, &edits).await?))
}

/// What all plugins of the laboratory together may take of the server that answers, and what they do. The operator of the
/// platform decides it.
#[utoipa::path(get, path = "/api/platform/share", tag = "plugins",
    responses((status = 200, body = Vec<ShareStatus>), (status = 401), (status = 403)))]
pub(crate) async fn share(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Answer<Vec<ShareStatus>>, ApiError> {
    Ok(Answer(state.platform.laboratory_share(&caller).await?))
}
