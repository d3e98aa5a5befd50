//! Experiments and their designs.

use axum::{Json as Answer, extract::State as AxumState};
use http::StatusCode;
use mint_context::{
    designs::{self, Design},
    experiments::{self, Change, Draft, Experiment, Filter, Patch},
};
use mint_domain::{ExperimentId, Refusal, experiment::ExperimentStatus};
use mint_store::Page;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::given;
use crate::{
    auth::Authenticated,
    error::ApiError,
    extract::{Json, Path, Query},
    router::State,
};

/// Which experiments to list; what is given must match.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Items to pass over.
    #[serde(default)]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    skip: u32,
    /// Most items to give, up to 1,000; by default 100.
    #[serde(default = "super::hundred")]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    limit: u32,
    /// `planned`, `ongoing`, `completed` or `cancelled`.
    status: Option<String>,
    /// Type.
    experiment_type: Option<String>,
    /// Name of the project.
    project: Option<String>,
    /// Who made it.
    created_by: Option<i64>,
    /// The experiment it continues.
    parent_experiment_id: Option<i64>,
    /// A part of the name, in any case.
    search: Option<String>,
}

/// Some experiments, and how many match in all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Experiments {
    pub(super) experiments: Vec<Experiment>,
    pub(super) total: u64,
}

/// A new experiment; its status is `planned`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExperiment {
    /// 1 to 200 characters.
    name: String,
    /// 1 to 100 characters.
    experiment_type: String,
    /// Name of an existing project.
    #[serde(default)]
    project: Option<String>,
    /// The experiment it continues.
    #[serde(default)]
    parent_experiment_id: Option<i64>,
    /// Free text.
    #[serde(default)]
    notes: Option<String>,
    /// A JSON object.
    #[serde(default)]
    tags: Option<Value>,
}

/// What to change. A field that is absent is left, an optional one that is null is emptied.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExperimentChange {
    name: Option<String>,
    experiment_type: Option<String>,
    status: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    project: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    parent_experiment_id: Option<Option<i64>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    notes: Option<Option<String>>,
    tags: Option<Value>,
    custom_metadata: Option<Value>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    start_date: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    end_date: Option<Option<String>>,
}

pub(super) fn change<T>(field: Option<Option<T>>) -> Change<T> {
    match field {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(value)) => Change::Set(value),
    }
}

fn status(text: Option<String>) -> Result<Option<ExperimentStatus>, Refusal> {
    let parse = |text: String| ExperimentStatus::try_from(text).map_err(|error| Refusal::invalid(error.to_string()));
    text.map(parse).transpose()
}

/// Experiments that match, oldest first.
#[utoipa::path(get, path = "/api/experiments", tag = "experiments", params(Wanted),
    responses((status = 200, body = Experiments), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<Experiments>, ApiError> {
    let page = Page::new(wanted.skip, wanted.limit);
    let filter = Filter {
        status: status(wanted.status)?,
        experiment_type: wanted.experiment_type,
        project: wanted.project,
        created_by: wanted.created_by,
        parent_experiment_id: wanted.parent_experiment_id,
        search: wanted.search,
        seen_by: None,
    };
    let (experiments, total) = experiments::list(&caller.call(state.platform.services()), &filter, page).await?;
    Ok(Answer(Experiments { experiments, total }))
}

/// Makes an experiment.
#[utoipa::path(post, path = "/api/experiments", tag = "experiments", request_body = NewExperiment,
    responses((status = 201, body = Experiment), (status = 400), (status = 401), (status = 403), (status = 422)))]
pub(crate) async fn create(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Json(new): Json<NewExperiment>,
) -> Result<(StatusCode, Answer<Experiment>), ApiError> {
    let draft = Draft {
        name: new.name,
        experiment_type: new.experiment_type,
        project: new.project,
        parent_experiment_id: new.parent_experiment_id,
        notes: new.notes,
        tags: new.tags,
    };
    let experiment = experiments::create(&caller.call(state.platform.services()), draft).await?;
    Ok((StatusCode::CREATED, Answer(experiment)))
}

/// One experiment.
#[utoipa::path(get, path = "/api/experiments/{id}", tag = "experiments", params(("id" = i64, Path)),
    responses((status = 200, body = Experiment), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Answer<Experiment>, ApiError> {
    Ok(Answer(experiments::get(&caller.call(state.platform.services()), ExperimentId(id)).await?))
}

/// Changes an experiment.
#[utoipa::path(patch, path = "/api/experiments/{id}", tag = "experiments", params(("id" = i64, Path)), request_body = ExperimentChange,
    responses((status = 200, body = Experiment), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn update(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    Json(changes): Json<ExperimentChange>,
) -> Result<Answer<Experiment>, ApiError> {
    let patch = Patch {
        name: changes.name,
        experiment_type: changes.experiment_type,
        status: status(changes.status)?,
        project: change(changes.project),
        parent_experiment_id: change(changes.parent_experiment_id),
        notes: change(changes.notes),
        tags: changes.tags,
        custom_metadata: changes.custom_metadata,
        start_date: change(changes.start_date),
        end_date: change(changes.end_date),
    };
    Ok(Answer(experiments::update(&caller.call(state.platform.services()), ExperimentId(id), patch).await?))
}

/// Deletes an experiment with its design, results and files.
#[utoipa::path(delete, path = "/api/experiments/{id}", tag = "experiments", params(("id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn delete(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    experiments::delete(&caller.call(state.platform.services()), ExperimentId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The design data of an experiment.
#[utoipa::path(get, path = "/api/experiments/{id}/data", tag = "experiments", params(("id" = i64, Path)),
    responses((status = 200, body = Design), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn design(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Answer<Design>, ApiError> {
    Ok(Answer(designs::load(&caller.call(state.platform.services()), ExperimentId(id)).await?))
}
