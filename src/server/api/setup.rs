//! The first administrator of a new installation.

use axum::{
    Json,
    extract::{Extension, State as AxumState},
    response::IntoResponse,
};
use http::StatusCode;
use mint_context::identity::User;
use mint_domain::RequestId;
use mint_platform::setup::Setup;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{auth::Sender, error::ApiError, extract::Json as JsonBody, router::State};

/// The first laboratory and its administrator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstUser {
    /// What follows `#` in the link that a starting server wrote into its data directory.
    #[schema(value_type = String)]
    token: SecretString,
    /// Slug of the laboratory; by default `default`.
    #[serde(default = "default_tenant")]
    tenant: String,
    /// What the laboratory is called; by default its slug.
    #[serde(default)]
    laboratory: Option<String>,
    /// Name to sign in with.
    username: String,
    /// At least 8 characters.
    #[schema(value_type = String)]
    password: SecretString,
}

/// Makes the first laboratory and its administrator, once, where there is nobody yet.
#[utoipa::path(post, path = "/api/setup", tag = "auth", security(()), request_body = FirstUser,
    responses((status = 201, body = User), (status = 400), (status = 403), (status = 409), (status = 429)))]
pub(crate) async fn set_up(
    AxumState(state): AxumState<State>,
    Extension(request_id): Extension<RequestId>,
    Sender(origin): Sender,
    JsonBody(first): JsonBody<FirstUser>,
) -> Result<impl IntoResponse, ApiError> {
    let FirstUser { token, tenant, laboratory, username, password } = first;
    let user = state.platform.set_up(Setup { token, tenant, laboratory, username, password }, &origin, &request_id).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

fn default_tenant() -> String {
    "default".to_owned()
}
