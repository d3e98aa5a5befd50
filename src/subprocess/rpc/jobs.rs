//! What the plugin wants done when its request has ended, and how far that is.

use axum::Json;
use mint_context::{
    Call, Page,
    jobs::{self, Wanted},
};
use mint_domain::JobId;
use serde::Deserialize;
use serde_json::json;

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named, Sent},
    identity::Window,
};

/// The body of `POST /jobs/{id}/heartbeat`.
#[derive(Debug, Deserialize)]
pub(crate) struct SignOfLife {
    attempt: i64,
}

/// The body of `POST /jobs/{id}/progress`.
#[derive(Debug, Deserialize)]
pub(crate) struct Progress {
    attempt: i64,
    #[serde(default)]
    percent: Option<u32>,
    #[serde(default)]
    message: Option<String>,
}

/// `POST /jobs`.
pub(crate) async fn enqueue(caller: Caller, Sent(wanted): Sent<Wanted>) -> Answer {
    let job = jobs::enqueue(&caller.call, &wanted).await.or_refuse(&caller)?;
    Ok(Json(json!(job)))
}

/// `GET /jobs`.
pub(crate) async fn list(caller: Caller, Asked(window): Asked<Window>) -> Answer {
    let found = jobs::list(&caller.call, None, None, window.page(Page::LIMIT_MAX)).await.or_refuse(&caller)?;
    Ok(Json(json!(found)))
}

/// `GET /jobs/{id}`.
pub(crate) async fn get(caller: Caller, Named(id): Named<JobId>) -> Answer {
    let job = jobs::get(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(json!(job)))
}

/// `POST /jobs/{id}/cancel`.
pub(crate) async fn cancel(caller: Caller, Named(id): Named<JobId>) -> Answer {
    let cancelled = jobs::cancel(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(json!({ "cancelled": cancelled })))
}

/// `POST /jobs/{id}/progress`.
pub(crate) async fn progress(caller: Caller, Named(id): Named<JobId>, Sent(said): Sent<Progress>) -> Answer {
    let call = within(&caller, id, said.attempt);
    let is_cancelled = jobs::progress(&call, said.percent, said.message.as_deref()).or_refuse(&caller)?;
    Ok(Json(json!({ "is_cancelled": is_cancelled })))
}

/// `POST /jobs/{id}/heartbeat`.
pub(crate) async fn heartbeat(caller: Caller, Named(id): Named<JobId>, Sent(said): Sent<SignOfLife>) -> Answer {
    let is_cancelled = jobs::progress(&within(&caller, id, said.attempt), None, None).or_refuse(&caller)?;
    Ok(Json(json!({ "is_cancelled": is_cancelled })))
}

/// The call as part of the job that the process says it does, where it does that.
fn within(caller: &Caller, id: JobId, attempt: i64) -> Call {
    let call = caller.call.clone();
    let installation = call.plugin.as_ref().map(|plugin| plugin.installation);
    let job = installation.and_then(|installation| call.services.jobs.find(installation, id, attempt));
    Call { job, ..call }
}
