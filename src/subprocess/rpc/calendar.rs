//! What the plugin puts into people's calendars.

use axum::Json;
use mint_context::calendar::{self, Change};
use serde::Deserialize;
use serde_json::json;

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::Sent,
};

/// The body of `POST /calendar/events`.
#[derive(Debug, Deserialize)]
pub(crate) struct Changes {
    events: Vec<Change>,
}

/// `POST /calendar/events`.
pub(crate) async fn publish(caller: Caller, Sent(changes): Sent<Changes>) -> Answer {
    let count = changes.events.len();
    calendar::publish(&caller.call, changes.events).await.or_refuse(&caller)?;
    Ok(Json(json!({ "accepted": count })))
}
