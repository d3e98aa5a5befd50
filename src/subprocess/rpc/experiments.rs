//! Experiments.

use axum::Json;
use mint_context::{
    Page,
    experiments::{self, Change, Draft, Experiment, Filter, Patch},
};
use mint_domain::{ExperimentId, Refusal, UserId, experiment::ExperimentStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named, Sent},
};

/// The query of `GET /experiments`.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    #[serde(default)]
    skip: u32,
    #[serde(default = "default_limit")]
    limit: u32,
    status: Option<String>,
    experiment_type: Option<String>,
    project: Option<String>,
    created_by: Option<i64>,
    parent_experiment_id: Option<i64>,
    search: Option<String>,
}

/// The body of `POST /experiments`.
#[derive(Debug, Deserialize)]
pub(crate) struct New {
    name: String,
    experiment_type: String,
    created_by: Option<i64>,
    project: Option<String>,
    parent_experiment_id: Option<i64>,
    notes: Option<String>,
    tags: Option<Value>,
}

/// The body of `PATCH /experiments/{id}`: null and absent both mean unchanged.
#[derive(Debug, Deserialize)]
pub(crate) struct Changes {
    name: Option<String>,
    status: Option<String>,
    experiment_type: Option<String>,
    parent_experiment_id: Option<i64>,
    project: Option<String>,
    notes: Option<String>,
    tags: Option<Value>,
    custom_metadata: Option<Value>,
    start_date: Option<String>,
    end_date: Option<String>,
}

pub(crate) fn default_limit() -> u32 {
    100
}

/// `GET /experiments`.
pub(crate) async fn list(caller: Caller, Asked(asked): Asked<Listing>) -> Answer {
    let filter = Filter {
        status: asked.status.as_deref().map(status).transpose().or_refuse(&caller)?,
        experiment_type: asked.experiment_type,
        project: asked.project,
        created_by: asked.created_by,
        parent_experiment_id: asked.parent_experiment_id,
        search: asked.search,
        seen_by: None,
    };
    let (found, total) = experiments::list(&caller.call, &filter, Page::new(asked.skip, asked.limit)).await.or_refuse(&caller)?;
    let found: Vec<Value> = found.iter().map(|experiment| shown(experiment, &caller)).collect();
    Ok(Json(json!({ "experiments": found, "total": total })))
}

/// `POST /experiments`.
pub(crate) async fn create(caller: Caller, Sent(new): Sent<New>) -> Answer {
    let New { name, experiment_type, created_by, project, parent_experiment_id, notes, tags } = new;
    let draft = Draft { name, experiment_type, project, parent_experiment_id, notes, tags };
    // An SDK that does not forward who asks can still say for whom an experiment is made.
    let made = match (caller.call.actor.user(), created_by.map(UserId)) {
        (None, Some(person)) => {
            caller.serves(person).or_refuse(&caller)?;
            experiments::create_for(&caller.call, draft, person).await
        }
        (_, _) => experiments::create(&caller.call, draft).await,
    };
    let made = made.or_refuse(&caller)?;
    Ok(Json(shown(&made, &caller)))
}

/// `GET /experiments/{id}`.
pub(crate) async fn get(caller: Caller, Named(id): Named<ExperimentId>) -> Answer {
    let found = experiments::get(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(shown(&found, &caller)))
}

/// `PATCH /experiments/{id}`.
pub(crate) async fn update(caller: Caller, Named(id): Named<ExperimentId>, Sent(changes): Sent<Changes>) -> Answer {
    let patch = Patch {
        name: changes.name,
        experiment_type: changes.experiment_type,
        status: changes.status.as_deref().map(status).transpose().or_refuse(&caller)?,
        project: change(changes.project),
        parent_experiment_id: change(changes.parent_experiment_id),
        notes: change(changes.notes),
        tags: changes.tags,
        custom_metadata: changes.custom_metadata,
        start_date: change(changes.start_date),
        end_date: change(changes.end_date),
    };
    let changed = experiments::update(&caller.call, id, patch).await.or_refuse(&caller)?;
    Ok(Json(shown(&changed, &caller)))
}

/// `DELETE /experiments/{id}`.
pub(crate) async fn delete(caller: Caller, Named(id): Named<ExperimentId>) -> Answer {
    experiments::delete(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(json!({ "deleted": true })))
}

fn shown(experiment: &Experiment, caller: &Caller) -> Value {
    let mut shown = json!(experiment);
    if let (true, Some(fields)) = (caller.is_strict, shown.as_object_mut()) {
        // The one key that came later.
        fields.remove("design_owner_plugin_id");
    }
    caller.shown(shown)
}

fn status(text: &str) -> Result<ExperimentStatus, Refusal> {
    ExperimentStatus::parse(text).ok_or_else(|| {
        let known: Vec<&str> = ExperimentStatus::ALL.iter().map(|status| status.as_str()).collect();
        Refusal::invalid(format!("`{text}` is not a status; there are {}.", known.join(", "))).with(json!({ "field": "status" }))
    })
}

fn change<T>(value: Option<T>) -> Change<T> {
    value.map_or(Change::Keep, Change::Set)
}
