//! The form in which a bundle arrives.

use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, multipart::Field};
use mint_domain::{Kind, Permission, Refusal};
use mint_platform::{
    Caller,
    install::{Decision, Upload},
};
use tokio::io::AsyncWriteExt as _;
use utoipa::ToSchema;

use crate::{error::ApiError, router::State};

/// Bytes of an uploaded bundle.
const BUNDLE_BYTES_MAX: u64 = 512 << 20;
/// Bytes of the decision that comes with it.
const DECISION_BYTES_MAX: usize = 64 << 10;

/// A bundle and the administrator's decision.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document")]
pub(crate) struct UploadForm {
    /// JSON: `{"grants": ["experiments:read"], "grant_requested": false, "limits": {}, "mode": null, "adopt": null}`. Comes before the bundle.
    decision: Option<String>,
    /// The `.mint` file.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    bundle: String,
}

/// Receives a bundle and the decision before it, from somebody who may install.
pub(super) async fn receive(state: &State, caller: &Caller, mut request: Request) -> Result<(Decision, Upload), ApiError> {
    // Before a byte of the body is read.
    let _permit = caller.call(state.platform.services()).permit_person(Permission::PluginsInstall)?;
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = <Multipart as FromRequest<State>>::from_request(request, state).await.map_err(|e| broken(&e.body_text()))?;
    let mut decision = Decision::default();
    while let Some(field) = form.next_field().await.map_err(|e| broken(&e.body_text()))? {
        match field.name() {
            Some("decision") => decision = read_decision(field).await?,
            Some("bundle") => return Ok((decision, read_bundle(state, field).await?)),
            _ => return Err(broken("The form has the fields `decision` and `bundle`, in this order.")),
        }
    }
    Err(broken("The form has no field `bundle`."))
}

async fn read_decision(mut field: Field<'_>) -> Result<Decision, ApiError> {
    let mut json = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|e| broken(&e.body_text()))? {
        json.extend_from_slice(&chunk);
        if json.len() > DECISION_BYTES_MAX {
            return Err(broken("The decision is too long."));
        }
    }
    serde_json::from_slice(&json).map_err(|error| Refusal::invalid(format!("The decision cannot be read: {error}.")).into())
}

/// Streams a bundle to a file that goes with the upload.
async fn read_bundle(state: &State, mut field: Field<'_>) -> Result<Upload, ApiError> {
    let file = tempfile::NamedTempFile::new_in(state.platform.layout().uploads()).map_err(mint_context::Error::from)?;
    let (file, path) = file.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut received = 0_u64;
    while let Some(chunk) = field.chunk().await.map_err(|e| broken(&e.body_text()))? {
        received += chunk.len() as u64;
        if received > BUNDLE_BYTES_MAX {
            let message = format!("A bundle has at most {BUNDLE_BYTES_MAX} bytes.");
            return Err(Refusal::new(Kind::TooLarge, "request.too_large", message).into());
        }
        file.write_all(&chunk).await.map_err(mint_context::Error::from)?;
    }
    file.flush().await.map_err(mint_context::Error::from)?;
    Ok(Upload(path))
}

fn broken(message: &str) -> ApiError {
    Refusal::new(Kind::Invalid, "request.bad_request", message.to_owned()).into()
}
