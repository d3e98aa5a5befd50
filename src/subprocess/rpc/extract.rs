//! Reads paths, queries and documents, with the platform's own words when they are wrong.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use http_body_util::{BodyExt, Limited};
use mint_domain::{Kind, Refusal};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    RpcState,
    caller::Caller,
    error::{OrRefuse, Refused},
};

/// What a request has around its document.
const AROUND_DOCUMENT: u64 = 64 << 10;

/// The parts of the path.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) T);

/// The query.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

/// The JSON document that was sent.
#[derive(Debug)]
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<RpcState> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &RpcState) -> Result<Self, Refused> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let path = Path::<T>::from_request_parts(parts, state).await;
        let Path(value) = path.map_err(|_| Refusal::not_found("record", parts.uri.path())).or_refuse(&caller)?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned> FromRequestParts<RpcState> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &RpcState) -> Result<Self, Refused> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(value) = query.map_err(|error| Refusal::invalid(format!("The query is wrong: {error}."))).or_refuse(&caller)?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned> FromRequest<RpcState> for Sent<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &RpcState) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let bytes_max = caller.call.limits().document_bytes_max.saturating_add(AROUND_DOCUMENT);
        let collected = Limited::new(body, usize::try_from(bytes_max).unwrap_or(usize::MAX)).collect().await;
        let bytes = collected.map_err(|error| broken(error.as_ref(), bytes_max)).or_refuse(&caller)?.to_bytes();
        // No document at all is what some clients send for none.
        let parsed = serde_json::from_slice(if bytes.is_empty() { b"null" } else { &bytes });
        let value = parsed.map_err(|error| Refusal::invalid(format!("The document is wrong: {error}."))).or_refuse(&caller)?;
        Ok(Self(value))
    }
}

fn broken(error: &(dyn std::error::Error + 'static), bytes_max: u64) -> Refusal {
    if error.is::<http_body_util::LengthLimitError>() {
        return Refusal::new(Kind::TooLarge, "request.too_large", format!("The document is larger than {bytes_max} bytes."))
            .with(json!({ "limit": "document_bytes_max" }));
    }
    Refusal::invalid("The document broke off.")
}
