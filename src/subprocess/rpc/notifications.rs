//! What the plugin wants people to know.

use axum::Json;
use mint_context::notifications::{self, Channel, Event, JobEnd, JobStatus};
use mint_domain::{Refusal, UserId};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::Sent,
};

/// The body of `POST /notifications/events`.
#[derive(Debug, Deserialize)]
pub(crate) struct Events {
    function_id: String,
    channels: Vec<Channel>,
    events: Vec<Event>,
}

/// The body of `POST /notifications/jobs/terminal`.
#[derive(Debug, Deserialize)]
pub(crate) struct Terminal {
    function_id: String,
    job_id: String,
    owner_user_id: String,
    status: JobStatus,
    title: String,
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
}

/// `POST /notifications/events`.
pub(crate) async fn publish(caller: Caller, Sent(told): Sent<Events>) -> Answer {
    let new = notifications::publish(&caller.call, &told.function_id, &told.channels, told.events).await.or_refuse(&caller)?;
    Ok(Json(json!({ "accepted": new })))
}

/// `POST /notifications/jobs/terminal`.
pub(crate) async fn job_ended(caller: Caller, Sent(told): Sent<Terminal>) -> Answer {
    let owner = told.owner_user_id.parse().map(UserId);
    let owner = owner.map_err(|_| Refusal::invalid("`owner_user_id` is a user's number.")).or_refuse(&caller)?;
    let end = JobEnd {
        function_id: told.function_id,
        job_id: told.job_id,
        owner,
        status: told.status,
        title: told.title,
        occurred_at: told.occurred_at,
    };
    let is_new = notifications::job_ended(&caller.call, end).await.or_refuse(&caller)?;
    Ok(Json(json!({ "accepted": u8::from(is_new) })))
}
