//! What the platform says of itself.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::RpcState;
use crate::environment::API_VERSION;

/// Oldest SDK whose calls are understood.
const MIN_SDK_VERSION: &str = "1.0.0";

/// `GET /platform`.
pub(crate) async fn facts(State(state): State<RpcState>) -> Json<Value> {
    Json(json!({
        "platform_version": state.platform_version,
        "api_version": API_VERSION,
        "min_sdk_version": MIN_SDK_VERSION,
        "capabilities": [],
        "cross_plugin_object_writes": false,
    }))
}
