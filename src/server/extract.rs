//! Extractors whose rejections are refusals like all others.

use std::{fmt, marker::PhantomData};

use axum::extract::{
    FromRequest, FromRequestParts, Request,
    rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection},
};
use mint_domain::{Kind, Refusal};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::json;

use crate::error::ApiError;

/// A JSON body: an object.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let axum::Json(Object(body)) = axum::Json::<Object<T>>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// What is read of an object only: to serde a list of values in the order of the fields is as good.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

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
