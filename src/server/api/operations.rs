//! Long changes, to be watched.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::State as AxumState,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use http::StatusCode;
use mint_domain::OperationId;
use mint_platform::{Caller, launch::Begun, progress::Progress};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{auth::Authenticated, error::ApiError, extract::Path, router::State};

/// Time between two looks at an operation that somebody watches.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

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
    /// How far the running one is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
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

/// An operation as it goes on: an event `operation` with all of it, now and after every change, until it has ended.
#[utoipa::path(get, path = "/api/operations/{id}/events", tag = "operations", params(("id" = i64, Path)),
    responses((status = 200, body = Operation, content_type = "text/event-stream"), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn events(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let first = show(&state, &caller, OperationId(id)).await?;
    let watch = Watch { state, caller, id: OperationId(id), told: String::new(), next: Some(first) };
    Ok(Sse::new(stream::unfold(watch, Watch::tell)).keep_alive(KeepAlive::default()))
}

/// Stops an operation before what it does counts; what it did is undone.
#[utoipa::path(post, path = "/api/operations/{id}/cancel", tag = "operations", params(("id" = i64, Path)),
    responses((status = 202, body = Operation), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn cancel(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    state.platform.cancel_operation(&caller, OperationId(id)).await?;
    Ok((StatusCode::ACCEPTED, Json(show(&state, &caller, OperationId(id)).await?)))
}

/// Somebody who watches an operation.
struct Watch {
    state: State,
    caller: Caller,
    id: OperationId,
    told: String,
    /// What there is to tell at once; none when it has ended.
    next: Option<Operation>,
}

impl Watch {
    /// The next event, once there is something new to tell.
    async fn tell(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut operation = self.next.take()?;
        loop {
            let json = serde_json::to_string(&operation).ok()?;
            if json != self.told {
                self.told.clone_from(&json);
                let running = operation.status == "running";
                self.next = running.then_some(operation);
                return Some((Ok(Event::default().event("operation").data(json)), self));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
            // A person who may no longer see it, and a database that is gone, end the stream: the client asks again.
            operation = show(&self.state, &self.caller, self.id).await.ok()?;
        }
    }
}

/// That a change is only asked what it would do.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Run {
    /// Tells the steps, each with what it would do, and changes nothing.
    #[serde(default)]
    #[param(required = false)]
    pub(super) dry_run: bool,
}

/// The answer to whoever asked for a change.
pub(super) async fn begun(state: &State, caller: &Caller, begun: Begun) -> Result<Response, ApiError> {
    Ok(match begun {
        Begun::Runs(id) => (StatusCode::ACCEPTED, Json(show(state, caller, id).await?)).into_response(),
        Begun::Would(foreseen) => Json(foreseen).into_response(),
    })
}

/// An operation as it stands.
pub(super) async fn show(state: &State, caller: &Caller, id: OperationId) -> Result<Operation, ApiError> {
    let (operation, steps) = state.platform.operation(caller, id).await?;
    let progress = state.platform.progress(id);
    let steps = steps.into_iter().map(|step| Step {
        progress: progress.filter(|_| step.status == "running"),
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
