//! The laboratory's instruments.

use axum::Json;
use mint_context::instruments::{self, Draft, Report};
use mint_domain::{InstrumentId, Refusal};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named, Sent},
};

/// The query of `GET /instruments`.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    #[serde(default = "yes")]
    active_only: bool,
}

/// The body of `POST /instruments/{id}/status`.
#[derive(Debug, Deserialize)]
pub(crate) struct Reported {
    status: Status,
    #[serde(default)]
    has_unacknowledged_alerts: bool,
    #[serde(default)]
    has_unacknowledged_critical: bool,
}

#[derive(Debug, Deserialize)]
struct Status {
    instrument_id: String,
    #[serde(flatten)]
    report: Report,
}

fn yes() -> bool {
    true
}

/// `GET /instruments`.
pub(crate) async fn list(caller: Caller, Asked(asked): Asked<Listing>) -> Answer {
    Ok(Json(json!(instruments::list(&caller.call, asked.active_only).await.or_refuse(&caller)?)))
}

/// `POST /instruments`.
pub(crate) async fn create(caller: Caller, Sent(draft): Sent<Draft>) -> Answer {
    Ok(Json(json!(instruments::create(&caller.call, draft).await.or_refuse(&caller)?)))
}

/// `GET /instruments/{id}`.
pub(crate) async fn get(caller: Caller, Named(id): Named<InstrumentId>) -> Answer {
    Ok(Json(json!(instruments::get(&caller.call, &id).await.or_refuse(&caller)?)))
}

/// `PATCH /instruments/{id}`: the fields that are set; null empties one.
pub(crate) async fn update(caller: Caller, Named(id): Named<InstrumentId>, Sent(changes): Sent<Map<String, Value>>) -> Answer {
    Ok(Json(json!(instruments::update(&caller.call, &id, changes).await.or_refuse(&caller)?)))
}

/// `POST /instruments/{id}/status`.
pub(crate) async fn report(caller: Caller, Named(id): Named<InstrumentId>, Sent(told): Sent<Reported>) -> Answer {
    let Reported { status, has_unacknowledged_alerts, has_unacknowledged_critical } = told;
    if status.instrument_id.parse() != Ok(id.clone()) {
        return Err(Refusal::invalid("The report is of another instrument than the path says.")).or_refuse(&caller);
    }
    let report = Report { has_unacknowledged_alerts, has_unacknowledged_critical, ..status.report };
    Ok(Json(json!(instruments::report(&caller.call, &id, report).await.or_refuse(&caller)?)))
}
