//! Extractors whose rejections are refusals like all others.

use axum::extract::{
    FromRequest, FromRequestParts,
    rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection},
};
use mint_domain::{Kind, Refusal};
use serde_json::json;

use crate::error::ApiError;

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub(crate) struct Json<T>(pub(crate) T);

/// A form, as OAuth has them.
#[derive(FromRequest)]
#[from_request(via(axum::Form), rejection(ApiError))]
pub(crate) struct Form<T>(pub(crate) T);

/// Parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::BytesRejection(error) if error.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
                Refusal::new(Kind::TooLarge, "request.too_large", error.body_text()).into()
            }
            JsonRejection::JsonDataError(error) => unprocessable("body", &error.body_text()),
            JsonRejection::MissingJsonContentType(_) => {
                unprocessable("body", "Send JSON, with the header `Content-Type: application/json`.")
            }
            other => Refusal::new(Kind::Invalid, "request.bad_request", other.body_text()).into(),
        }
    }
}

impl From<FormRejection> for ApiError {
    fn from(rejection: FormRejection) -> Self {
        match rejection {
            FormRejection::BytesRejection(error) if error.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
                Refusal::new(Kind::TooLarge, "request.too_large", error.body_text()).into()
            }
            FormRejection::InvalidFormContentType(_) => {
                unprocessable("body", "Send a form, with the header `Content-Type: application/x-www-form-urlencoded`.")
            }
            other => unprocessable("body", &other.body_text()),
        }
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        unprocessable("path", &rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        unprocessable("query", &rejection.body_text())
    }
}

fn unprocessable(field: &str, message: &str) -> ApiError {
    Refusal::new(Kind::Unprocessable, "validation.request", message.to_owned())
        .with(json!([{ "field": field, "message": message }]))
        .into()
}
