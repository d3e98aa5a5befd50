//! Letting in programs that have no browser of their own, as RFC 8628 says.

use axum::{
    Json,
    extract::{Extension, State as AxumState},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, header};
use mint_domain::RequestId;
use mint_platform::{
    device_login::{Answer, WaitingDevice},
    frontends::Whose,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::{Authenticated, Secure, Sender},
    error::ApiError,
    extract::{Form, Json as JsonBody, Path},
    frontends,
    pages::DEVICE_PAGE,
    router::State,
};

/// How a program asks with its code.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The one scope that there is: whoever asks for it changes nothing.
const READ_ONLY: &str = "read_only";

/// A program that wants to be let in.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Wanted {
    /// `read_only` to change nothing; by default all that the person may.
    #[serde(default)]
    scope: String,
    /// Slug of the laboratory; by default that of the host, else `default`.
    #[serde(default)]
    tenant: Option<String>,
}

/// What it is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Authorization {
    /// What it asks with.
    device_code: String,
    /// What a person types.
    user_code: String,
    /// Where the person types it.
    verification_uri: String,
    /// The same, with the code in it.
    verification_uri_complete: String,
    /// Seconds until both codes end.
    expires_in: i64,
    /// Seconds between two questions.
    interval: i64,
}

/// A program that asks whether it was let in.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Question {
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    #[serde(default)]
    grant_type: String,
    /// As it was told.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    device_code: Option<SecretString>,
}

/// A begun session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Granted {
    /// Send it as `Authorization: Bearer …`. It is not shown again.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until it ends at the latest.
    expires_in: i64,
    /// What it is bounded by: `read_only`, or nothing.
    scope: &'static str,
    /// Who let it in.
    username: String,
}

/// Why a program is not let in, in the words of RFC 6749 and RFC 8628.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refused {
    error: &'static str,
    error_description: &'static str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, NO_STORE, Json(self)).into_response()
    }
}

const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Has a program wait for somebody to let it in.
#[utoipa::path(post, path = "/api/oauth/device_authorization", tag = "auth", security(()),
    request_body(content = Wanted, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Authorization), (status = 400, body = Refused), (status = 429)))]
pub(crate) async fn begin(
    AxumState(state): AxumState<State>,
    Extension(whose): Extension<Whose>,
    Sender(origin): Sender,
    Secure(is_secure): Secure,
    uri: Uri,
    headers: HeaderMap,
    Form(wanted): Form<Wanted>,
) -> Result<Response, ApiError> {
    let read_only = match wanted.scope.trim() {
        "" => false,
        READ_ONLY => true,
        _ => {
            let error_description = "The one scope that there is is `read_only`.";
            return Ok(Refused { error: "invalid_scope", error_description }.into_response());
        }
    };
    let begun = state.platform.begin_device_login((&whose, wanted.tenant.as_deref()), read_only, &origin).await?;
    let scheme = if is_secure { "https" } else { "http" };
    let host = frontends::host(&uri, &headers)?.unwrap_or_default();
    let (verification_uri, user_code) = (format!("{scheme}://{host}{DEVICE_PAGE}"), begun.user_code.expose_secret());
    let authorization = Authorization {
        device_code: begun.device_code.expose_secret().to_owned(),
        user_code: user_code.to_owned(),
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        verification_uri,
        expires_in: begun.expires_in,
        interval: begun.interval,
    };
    Ok((NO_STORE, Json(authorization)).into_response())
}

/// Gives a program its session, once somebody has let it in.
#[utoipa::path(post, path = "/api/oauth/token", tag = "auth", security(()),
    request_body(content = Question, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Granted), (status = 400, body = Refused), (status = 403), (status = 429)))]
pub(crate) async fn token(
    AxumState(state): AxumState<State>,
    Extension(request_id): Extension<RequestId>,
    Sender(origin): Sender,
    Form(question): Form<Question>,
) -> Result<Response, ApiError> {
    let refused = |error, error_description| Ok(Refused { error, error_description }.into_response());
    if question.grant_type != GRANT_TYPE {
        return refused("unsupported_grant_type", "There is only `urn:ietf:params:oauth:grant-type:device_code` here.");
    }
    let Some(code) = question.device_code else {
        return refused("invalid_request", "The field `device_code` is missing.");
    };
    match state.platform.poll_device(&code, &origin, &request_id).await? {
        Answer::Pending => refused("authorization_pending", "Nobody has let this program in yet. Ask again."),
        Answer::SlowDown => refused("slow_down", "Wait five seconds longer between two questions."),
        Answer::Denied => refused("access_denied", "It was refused."),
        Answer::Expired => refused("expired_token", "This code has ended, or was used. Begin anew."),
        Answer::Signed(signed) => {
            let granted = Granted {
                access_token: signed.token.expose_secret().to_owned(),
                token_type: "Bearer",
                expires_in: (signed.expires_at - state.platform.services().clock.now()).whole_seconds(),
                scope: if signed.user.is_read_only() { READ_ONLY } else { "" },
                username: signed.user.username.clone(),
            };
            Ok((NO_STORE, Json(granted)).into_response())
        }
    }
}

/// What is to become of a program that waits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// Whether it is let in.
    allow: bool,
}

/// Shows the program that waits under a code.
#[utoipa::path(get, path = "/api/oauth/device/{user_code}", tag = "auth", params(("user_code" = String, Path)),
    responses((status = 200, body = WaitingDevice), (status = 401), (status = 403), (status = 404), (status = 429)))]
pub(crate) async fn waiting(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Sender(origin): Sender,
    Path(user_code): Path<String>,
) -> Result<Json<WaitingDevice>, ApiError> {
    Ok(Json(state.platform.waiting_device(&caller, &user_code, &origin).await?))
}

/// Lets a program in as oneself, or refuses it. Only a session may.
#[utoipa::path(post, path = "/api/oauth/device/{user_code}", tag = "auth", params(("user_code" = String, Path)), request_body = Decision,
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 429)))]
pub(crate) async fn decide(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Sender(origin): Sender,
    Path(user_code): Path<String>,
    JsonBody(decision): JsonBody<Decision>,
) -> Result<StatusCode, ApiError> {
    state.platform.decide_device(&caller, &user_code, decision.allow, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
