//! What the platform says of itself.

use axum::Json;
use serde_json::{Value, json};

use super::caller::Caller;
use crate::environment::API_VERSION;

/// The release of MINT whose interface this is. SDKs compare themselves with it, and warn when they are newer.
const MINT_VERSION: &str = "1.3.11";

/// Oldest SDK whose calls are understood.
const MIN_SDK_VERSION: &str = "1.0.0";

/// `GET /platform`.
pub(crate) async fn facts(_caller: Caller) -> Json<Value> {
    Json(json!({
        "platform_version": MINT_VERSION,
        "api_version": API_VERSION,
        "min_sdk_version": MIN_SDK_VERSION,
        "capabilities": ["instruments", "instrument_status"],
        "cross_plugin_object_writes": true,
    }))
}

/// `GET /platform/config`: nothing of the platform's configuration concerns plugins.
pub(crate) async fn config(_caller: Caller) -> Json<Value> {
    Json(json!({}))
}

/// `GET /platform/s3-connection-config`: plugins reach files through the platform, never the storage itself.
pub(crate) async fn s3(_caller: Caller) -> Json<Value> {
    Json(json!({}))
}
