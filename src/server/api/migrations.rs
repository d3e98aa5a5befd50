//! How the tables of a plugin stand, and setting them back.

use axum::{Json as Answer, extract::State as AxumState, response::Response};
use mint_platform::{
    launch::Foreseen,
    migrations::{PluginMigrations, Reset},
};

use super::operations::{self, Operation, Run};
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// The history of a plugin's tables: what was applied, what waits, what failed and why.
#[utoipa::path(get, path = "/api/plugins/{name}/migrations", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginMigrations), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
) -> Result<Answer<PluginMigrations>, ApiError> {
    Ok(Answer(state.platform.plugin_migrations(&caller, &name).await?))
}

/// Begins to take migrations back, newest first, down to a revision. What they brought is lost, and the plugin does not answer until
/// it is rolled back or reloaded.
#[utoipa::path(post, path = "/api/plugins/{name}/reset", tag = "plugins", params(("name" = String, Path), Run), request_body = Reset,
    responses((status = 200, body = Foreseen), (status = 202, body = Operation), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn reset(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(name): Path<String>,
    Query(run): Query<Run>,
    Json(to): Json<Reset>,
) -> Result<Response, ApiError> {
    let begun = state.platform.reset(caller.clone(), &name, to, run.dry_run).await?;
    operations::begun(&state, &caller, begun).await
}
