//! Plugins: what is installed, and changes of it.

use axum::{
    Json as Answer,
    extract::{Request, State as AxumState},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use mint_context::settings::Snapshot;
use mint_domain::{Kind, OperationId, Refusal, State as PluginState, Unsealed};
use mint_platform::{
    configure::{self, Configured},
    install::Reload,
    launch::Foreseen,
    planning::PlannedPlugin,
    plugins::{PluginDetails, PluginSummary},
    uninstall::DataAction,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    bundle_form::{self, UploadForm},
    operations::{self, Operation, Run},
};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// Installed plugins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Plugins {
    /// Slugs of those that answer.
    loaded: Vec<String>,
    /// All of them.
    installed: Vec<PluginSummary>,
}

/// What becomes of the plugin's own files.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Leaving {
    /// `keep`, `archive` or `purge`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    data: DataAction,
    /// For `purge`, the plugin's slug, to say that it is meant: what the plugin holds is lost.
    #[serde(default)]
    #[param(required = false)]
    confirm: String,
}

/// New settings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSettings {
    /// A JSON object: what is stored from now on.
    config: Value,
}

/// Plugins of the laboratory.
#[utoipa::path(get, path = "/api/plugins", tag = "plugins", responses((status = 200, body = Plugins), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Answer<Plugins>, ApiError> {
    let installed = state.platform.list_plugins(&caller).await?;
    let ready = |plugin: &&PluginSummary| plugin.situation.state == PluginState::Ready.name();
    let loaded = installed.iter().filter(ready).map(|plugin| plugin.name.clone()).collect();
    Ok(Answer(Plugins { loaded, installed }))
}

/// Begins to install a bundle. Watch the operation that is given back.
#[utoipa::path(post, path = "/api/plugins/upload", tag = "plugins", params(Run),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 409), (status = 413)))]
pub(crate) async fn upload(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(run): Query<Run>,
    request: Request,
) -> Result<Response, ApiError> {
    let (decision, upload) = bundle_form::receive(&state, &caller, request).await?;
    let begun = state.platform.install(caller.clone(), upload, decision, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}

/// Tells where a bundle would run, and why. Installs nothing; of the decision only the mode counts.
#[utoipa::path(post, path = "/api/plugins/plan", tag = "plugins",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = PlannedPlugin), (status = 400), (status = 401), (status = 403), (status = 413)))]
pub(crate) async fn plan(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Answer<PlannedPlugin>, ApiError> {
    let (decision, upload) = bundle_form::receive(&state, &caller, request).await?;
    Ok(Answer(state.platform.plan(&caller, upload, decision.mode).await?))
}

/// One plugin, in full.
#[utoipa::path(get, path = "/api/plugins/{name}", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginDetails), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<Answer<PluginDetails>, ApiError> {
    Ok(Answer(state.platform.show_plugin(&caller, &name).await?))
}

/// Begins to remove a plugin. What it saved on experiments stays.
#[utoipa::path(delete, path = "/api/plugins/{name}", tag = "plugins", params(("name" = String, Path), Leaving, Run),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn uninstall(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
    Query(leaving): Query<Leaving>,
) -> Result<Response, ApiError> {
    let begun = state.platform.uninstall(caller.clone(), &name, leaving.data, &leaving.confirm, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}

/// Begins to start a plugin again, from whatever state it is in.
#[utoipa::path(post, path = "/api/plugins/{name}/reload", tag = "plugins", params(("name" = String, Path), Reload),
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn reload(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(how): Query<Reload>,
) -> Result<Response, ApiError> {
    let begun = state.platform.reload(caller.clone(), &name, how).await?;
    operations::begun(&state, &caller, begun).await
}

/// The settings of a plugin. The header `ETag` is what a change must show in `If-Match`.
#[utoipa::path(get, path = "/api/plugins/{name}/config", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Snapshot), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn config(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    Ok(tagged(state.platform.plugin_settings(&caller, &name).await?, None))
}

/// Replaces the stored settings of a plugin, if they are still those of `If-Match`, and answers when that is done. The header
/// `Link` names the operation.
#[utoipa::path(put, path = "/api/plugins/{name}/config", tag = "plugins",
    params(("name" = String, Path), Run, ("if-match" = Option<String>, Header, description = "The ETag of the settings that were read")),
    request_body = NewSettings,
    responses((status = 200, body = Snapshot), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 428)))]
pub(crate) async fn configure(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
    headers: HeaderMap,
    Json(new): Json<NewSettings>,
) -> Result<Response, ApiError> {
    let tag = headers.get(header::IF_MATCH).ok_or_else(|| {
        Refusal::new(Kind::Invalid, "request.precondition_required", "Send the ETag of the settings that you read, as If-Match.")
    })?;
    let revision = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
    let revision = revision.ok_or_else(|| Refusal::invalid("If-Match must be one strong ETag, in quotes."))?;
    let new = configure::NewSettings { revision: revision.to_owned(), values: Unsealed::new(new.config) };
    Ok(match state.platform.configure_plugin(&caller, &name, new, run.dry_run).await? {
        Configured::Now(settings, operation) => tagged(settings, operation),
        Configured::Would(foreseen) => Answer(foreseen).into_response(),
    })
}

fn tagged(snapshot: Snapshot, operation: Option<OperationId>) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", snapshot.revision));
    let mut response = Answer(snapshot).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    let link = operation.map(|id| HeaderValue::from_str(&format!("</api/operations/{id}>; rel=\"monitor\"")));
    if let Some(Ok(link)) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
