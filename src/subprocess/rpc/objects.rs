//! Files of experiments, streamed.

use axum::{
    Json,
    body::Body,
    extract::{FromRequest, Multipart, Request, State, multipart::Field},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mint_context::{
    Error,
    objects::{self, ObjectInfo, ObjectWriter},
};
use mint_domain::{ExperimentId, Refusal, Slug};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    RpcState,
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named},
};

/// Most bytes of a text part before the file.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The query of `GET /experiments/{id}/objects`.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    #[serde(default)]
    prefix: String,
    plugin_id: Option<String>,
}

/// The query of the routes of one file.
#[derive(Debug, Deserialize)]
pub(crate) struct Owned {
    plugin_id: Option<String>,
}

/// `GET /experiments/{id}/objects`.
pub(crate) async fn list(caller: Caller, Named(id): Named<ExperimentId>, Asked(asked): Asked<Listing>) -> Answer {
    let found = match owner(asked.plugin_id.as_deref(), &caller).or_refuse(&caller)? {
        Some(owner) => objects::list_of(&caller.call, id, &owner, &asked.prefix).await,
        None => objects::list(&caller.call, id, &asked.prefix).await,
    };
    Ok(Json(caller.shown(json!({ "objects": found.or_refuse(&caller)? }))))
}

/// `GET /experiments/{id}/objects/{key}`: the bytes.
pub(crate) async fn get(
    caller: Caller,
    Named((id, key)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Owned>,
) -> Answer<Response> {
    let owner = owner(asked.plugin_id.as_deref(), &caller).or_refuse(&caller)?;
    let (info, stream) = objects::get(&caller.call, id, owner.as_ref(), &key).await.or_refuse(&caller)?;
    Ok(with_facts(&info, Body::from_stream(stream)))
}

/// `HEAD /experiments/{id}/objects/{key}`.
pub(crate) async fn exists(
    caller: Caller,
    Named((id, key)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Owned>,
) -> Answer<Response> {
    let owner = owner(asked.plugin_id.as_deref(), &caller).or_refuse(&caller)?;
    let info = objects::info(&caller.call, id, owner.as_ref(), &key).await.or_refuse(&caller)?;
    Ok(with_facts(&info, Body::empty()))
}

/// `DELETE /experiments/{id}/objects/{key}`.
pub(crate) async fn delete(
    caller: Caller,
    Named((id, key)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Owned>,
) -> Answer {
    let deleted = match owner(asked.plugin_id.as_deref(), &caller).or_refuse(&caller)? {
        Some(owner) => objects::delete_for(&caller.call, id, &owner, &key).await,
        None => objects::delete(&caller.call, id, &key).await,
    };
    if !deleted.or_refuse(&caller)? {
        return Err(Refusal::not_found("object", &key)).or_refuse(&caller);
    }
    Ok(Json(json!({ "deleted": true })))
}

/// `PUT /experiments/{id}/objects/{key}`: multipart, the file last. Nothing is kept of an upload that breaks off.
pub(crate) async fn put(
    caller: Caller,
    Named((id, key)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Owned>,
    State(state): State<RpcState>,
    request: Request,
) -> Answer {
    let owner = owner(asked.plugin_id.as_deref(), &caller).or_refuse(&caller)?;
    let multipart = Multipart::from_request(request, &state).await;
    let multipart = multipart.map_err(|error| Refusal::invalid(format!("The upload is wrong: {error}."))).or_refuse(&caller)?;
    let stored = store(&caller, id, owner.as_ref(), &key, multipart).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(stored))))
}

async fn store(
    caller: &Caller,
    id: ExperimentId,
    owner: Option<&Slug>,
    key: &str,
    mut multipart: Multipart,
) -> Result<ObjectInfo, Error> {
    let (mut content_type, mut metadata) = (None, json!({}));
    let mut written: Option<ObjectWriter> = None;
    while let Some(mut part) = multipart.next_field().await.map_err(|error| wrong(&error))? {
        match part.name() {
            Some("content_type") => content_type = Some(text(&mut part).await?),
            Some("metadata") => {
                let said = text(&mut part).await?;
                metadata = serde_json::from_str::<Value>(&said).map_err(|error| {
                    Refusal::invalid(format!("The part `metadata` is not JSON: {error}.")).with(json!({ "field": "metadata" }))
                })?;
            }
            Some("file") if written.is_none() => {
                // A client that says nothing has its HTTP library say "just bytes", which is nothing either.
                let said = part.content_type().filter(|kind| *kind != "application/octet-stream").map(str::to_owned);
                let media_type = content_type.take().or(said);
                let mut writer = match owner {
                    Some(owner) => objects::put_for(&caller.call, id, owner, key, media_type, metadata.take()).await?,
                    None => objects::put(&caller.call, id, key, media_type, metadata.take()).await?,
                };
                if let Some(filename) = part.file_name() {
                    writer.named(filename);
                }
                while let Some(bytes) = part.chunk().await.map_err(|error| wrong(&error))? {
                    writer.write(bytes).await?;
                }
                written = Some(writer);
            }
            Some(_) | None => {
                return Err(Refusal::invalid("An upload has `content_type`, `metadata` and then one `file`.").into());
            }
        }
    }
    match written {
        Some(writer) => writer.finish().await,
        None => Err(Refusal::invalid("The upload has no part `file`.").into()),
    }
}

async fn text(part: &mut Field<'_>) -> Result<String, Error> {
    let mut bytes = Vec::new();
    while let Some(more) = part.chunk().await.map_err(|error| wrong(&error))? {
        bytes.extend_from_slice(&more);
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(Refusal::invalid(format!("A text part has more than {TEXT_BYTES_MAX} bytes.")).into());
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::invalid("A text part is not UTF-8.").into())
}

fn wrong(error: &axum::extract::multipart::MultipartError) -> Refusal {
    Refusal::invalid(format!("The upload broke off or is wrong: {}.", error.body_text()))
}

fn with_facts(info: &ObjectInfo, body: Body) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(info.size));
    let content_type = info.content_type.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    if let Ok(digest) = HeaderValue::from_str(&format!("\"{}\"", info.sha256)) {
        headers.insert(header::ETAG, digest);
    }
    response
}

/// Whose files are meant, if somebody's in particular.
fn owner(plugin: Option<&str>, caller: &Caller) -> Result<Option<Slug>, Refusal> {
    plugin.map(|plugin| caller.plugin(plugin)).transpose()
}
