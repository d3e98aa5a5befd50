//! Design data.

use axum::Json;
use mint_context::designs;
use mint_domain::{ExperimentId, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Named, Sent},
};

/// The body of `PUT /experiments/{id}/data`.
#[derive(Debug, Deserialize)]
pub(crate) struct New {
    plugin_id: String,
    data: Value,
    schema_version: Option<String>,
}

/// `GET /experiments/{id}/data`.
pub(crate) async fn load(caller: Caller, Named(id): Named<ExperimentId>) -> Answer {
    let design = designs::load(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(design))))
}

/// `PUT /experiments/{id}/data`.
pub(crate) async fn save(caller: Caller, Named(id): Named<ExperimentId>, Sent(new): Sent<New>) -> Answer {
    caller.is_own(&new.plugin_id, "design_data.self").or_refuse(&caller)?;
    let saved = designs::save(&caller.call, id, new.data, new.schema_version.as_deref()).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(saved))))
}

/// `DELETE /experiments/{id}/data`.
pub(crate) async fn delete(caller: Caller, Named(id): Named<ExperimentId>) -> Answer {
    if !designs::delete(&caller.call, id).await.or_refuse(&caller)? {
        return Err(Refusal::not_found("design of experiment", id)).or_refuse(&caller);
    }
    Ok(Json(json!({ "deleted": true })))
}
