//! Passkeys: adding and removing one's own, and signing in with one. What browsers and authenticators say to each other passes as
//! the JSON forms of the Web Authentication API.

use axum::{
    Json,
    extract::{Extension, State as AxumState},
    response::IntoResponse,
};
use http::{StatusCode, header};
use mint_domain::RequestId;
use mint_platform::{
    frontends::Whose as Host,
    people::{BegunPasskey, NewPasskey, Passkey, ShownPasskey},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    auth::{Session, signed_in},
    sessions::Whose,
};
use crate::{
    auth::{Authenticated, Secure, Sender},
    error::ApiError,
    extract::{Json as JsonBody, Path, Query},
    router::State,
};

/// What a browser is to ask an authenticator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Options {
    /// To be sent back with what the authenticator answers. It is good once, for ten minutes.
    ceremony: String,
    /// For `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` of `PublicKeyCredential`.
    #[schema(value_type = Object)]
    options: Value,
}

impl From<BegunPasskey> for Options {
    fn from(begun: BegunPasskey) -> Self {
        Self { ceremony: begun.ceremony.expose_secret().to_owned(), options: begun.options }
    }
}

/// A passkey that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Added {
    /// What to call it.
    name: String,
    /// As it was told.
    #[schema(value_type = String)]
    ceremony: SecretString,
    /// A `PublicKeyCredential`, as its `toJSON` gives it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// A passkey that is shown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    /// As it was told.
    #[schema(value_type = String)]
    ceremony: SecretString,
    /// A `PublicKeyCredential`, as its `toJSON` gives it.
    #[schema(value_type = Object)]
    credential: Value,
}

const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// A person's passkeys, the oldest first.
#[utoipa::path(get, path = "/api/passkey", tag = "auth", params(Whose),
    responses((status = 200, body = Vec<Passkey>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
) -> Result<Json<Vec<Passkey>>, ApiError> {
    Ok(Json(state.platform.list_passkeys(&caller, whose.user()).await?))
}

/// Begins to add a passkey to one's own.
#[utoipa::path(post, path = "/api/passkey/options", tag = "auth",
    responses((status = 200, body = Options), (status = 401), (status = 403), (status = 429), (status = 503)))]
pub(crate) async fn begin(
    AxumState(state): AxumState<State>,
    Extension(host): Extension<Host>,
    Authenticated(caller): Authenticated,
) -> Result<impl IntoResponse, ApiError> {
    Ok((NO_STORE, Json(Options::from(state.platform.begin_passkey(&caller, &host).await?))))
}

/// Adds a passkey to one's own.
#[utoipa::path(post, path = "/api/passkey", tag = "auth", request_body = Added,
    responses((status = 201, body = Passkey), (status = 400), (status = 401), (status = 403), (status = 409), (status = 429)))]
pub(crate) async fn add(
    AxumState(state): AxumState<State>,
    Extension(host): Extension<Host>,
    Authenticated(caller): Authenticated,
    JsonBody(added): JsonBody<Added>,
) -> Result<impl IntoResponse, ApiError> {
    let Added { name, ceremony, credential } = added;
    let new = NewPasskey { name, shown: ShownPasskey { ceremony, credential } };
    Ok((StatusCode::CREATED, Json(state.platform.add_passkey(&caller, &host, new).await?)))
}

/// Removes a passkey.
#[utoipa::path(delete, path = "/api/passkey/{passkey}", tag = "auth", params(("passkey" = i64, Path), Whose),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn remove(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(whose): Query<Whose>,
    Path(passkey): Path<i64>,
) -> Result<StatusCode, ApiError> {
    state.platform.remove_passkey(&caller, whose.user(), passkey).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to sign in with a passkey.
#[utoipa::path(post, path = "/api/passkey/sign-in/options", tag = "auth", security(()),
    responses((status = 200, body = Options), (status = 429), (status = 503)))]
pub(crate) async fn begin_sign_in(
    AxumState(state): AxumState<State>,
    Extension(host): Extension<Host>,
    Sender(origin): Sender,
) -> Result<impl IntoResponse, ApiError> {
    Ok((NO_STORE, Json(Options::from(state.platform.begin_sign_in_by_passkey(&host, &origin).await?))))
}

/// Signs in with a passkey. The answer also sets the session cookie.
#[utoipa::path(post, path = "/api/passkey/sign-in", tag = "auth", security(()), request_body = Shown,
    responses((status = 200, body = Session), (status = 401), (status = 403), (status = 429)))]
pub(crate) async fn sign_in(
    AxumState(state): AxumState<State>,
    Extension(request_id): Extension<RequestId>,
    Extension(host): Extension<Host>,
    Sender(origin): Sender,
    Secure(is_secure): Secure,
    JsonBody(shown): JsonBody<Shown>,
) -> Result<impl IntoResponse, ApiError> {
    let shown = ShownPasskey { ceremony: shown.ceremony, credential: shown.credential };
    let signed = state.platform.sign_in_by_passkey(&host, shown, &origin, &request_id).await?;
    Ok(signed_in(&state, &signed, is_secure))
}
