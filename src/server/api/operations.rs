//! Long changes, to be watched.

use axum::{Json, extract::State as AxumState};
use mint_domain::OperationId;
use mint_platform::Caller;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{auth::Authenticated, error::ApiError, extract::Path, router::State};

/// A long change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Operation {
    id: i64,
    /// Slug of the plugin.
    plugin: String,
    /// `install`, `reload`, `uninstall` …
    kind: String,
    /// `running`, `done`, `undone` (nothing was changed) or `failed` (the plugin's state tells why).
    status: String,
    /// Who asked for it.
    actor: String,
    /// What came of it, once it ended.
    outcome: Option<Value>,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// The journal.
    steps: Vec<Step>,
}

/// One line of a journal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Step {
    name: String,
    /// `running`, `done` or `failed`.
    status: String,
    /// What a person should know.
    note: String,
    #[serde(with = "time::serde::rfc3339")]
    began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
}

/// An operation with its journal.
#[utoipa::path(get, path = "/api/operations/{id}", tag = "operations", params(("id" = i64, Path)),
    responses((status = 200, body = Operation), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<Operation>, ApiError> {
    Ok(Json(show(&state, &caller, OperationId(id)).await?))
}

/// An operation as it stands.
pub(super) async fn show(state: &State, caller: &Caller, id: OperationId) -> Result<Operation, ApiError> {
    let (operation, steps) = state.platform.operation(caller, id).await?;
    let steps = steps.into_iter().map(|step| Step {
        name: step.name,
        status: step.status,
        note: step.note,
        began_at: step.began_at,
        ended_at: step.ended_at,
    });
    Ok(Operation {
        id: operation.id.0,
        plugin: operation.plugin,
        kind: operation.kind,
        status: operation.status,
        actor: operation.actor,
        outcome: operation.outcome,
        started_at: operation.started_at,
        ended_at: operation.ended_at,
        steps: steps.collect(),
    })
}
