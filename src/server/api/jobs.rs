//! What plugins do when nobody waits, to be watched, taken back and tried again.

use axum::{Json, extract::State as AxumState};
use mint_context::jobs::{self, Job};
use mint_domain::{JobId, JobStatus};
use mint_store::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Path, Query},
    router::State,
};

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of the plugin with this slug.
    plugin: Option<String>,
    /// Only those that stand so: `queued`, `running`, `completed`, `failed` or `cancelled`.
    #[param(value_type = Option<String>)]
    status: Option<JobStatus>,
    /// Items to pass over.
    #[serde(default)]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    skip: u32,
    /// Most items to give, up to 1,000; by default 100.
    #[serde(default = "super::hundred")]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    limit: u32,
}

/// Whether a job was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cancelled {
    /// False when it had ended.
    cancelled: bool,
}

/// Jobs, newest first: one's own, and with `jobs.read_all` everybody's.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", params(Which),
    responses((status = 200, body = Vec<Job>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Job>>, ApiError> {
    let page = Page::new(which.skip, which.limit);
    let call = caller.call(state.platform.services());
    Ok(Json(jobs::list(&call, which.plugin.as_deref(), which.status, page).await?))
}

/// A job.
#[utoipa::path(get, path = "/api/jobs/{job}", tag = "jobs", params(("job" = i64, Path)),
    responses((status = 200, body = Job), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(jobs::get(&caller.call(state.platform.services()), JobId(id)).await?))
}

/// Takes a job back. What waits never begins; what runs is told, and cut off when it goes on for ten seconds more.
#[utoipa::path(post, path = "/api/jobs/{job}/cancel", tag = "jobs", params(("job" = i64, Path)),
    responses((status = 200, body = Cancelled), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn cancel(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<Cancelled>, ApiError> {
    let cancelled = jobs::cancel(&caller.call(state.platform.services()), JobId(id)).await?;
    Ok(Json(Cancelled { cancelled }))
}

/// Has a job that failed, or was cancelled, tried again from the beginning.
#[utoipa::path(post, path = "/api/jobs/{job}/retry", tag = "jobs", params(("job" = i64, Path)),
    responses((status = 200, body = Job), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn retry(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(jobs::retry(&caller.call(state.platform.services()), JobId(id)).await?))
}
