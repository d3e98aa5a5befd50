//! Who changed what.

use axum::{Json, body::Body, extract::State as AxumState, response::IntoResponse};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use mint_domain::Refusal;
use mint_platform::people::{AuditEntry, AuditVerdict};
use mint_store::{Page, audit::Filter};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};
use utoipa::IntoParams;

use crate::{auth::Authenticated, error::ApiError, extract::Query, router::State};

/// Most entries in one answer.
const ENTRIES_MAX: u32 = 500;
const BEGINNING: OffsetDateTime = datetime!(1970-01-01 00:00 UTC);
const END: OffsetDateTime = datetime!(9999-12-31 00:00 UTC);

/// Which changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only this action, such as `user.update`.
    action: Option<String>,
    /// Only things of this kind, such as `user`.
    entity_type: Option<String>,
    /// With `entity_type`: only this one.
    entity_id: Option<String>,
    /// Only by this actor, such as `user:ada`.
    actor: Option<String>,
    /// From this time on, as in RFC 3339.
    since: Option<String>,
    /// Before this time.
    until: Option<String>,
}

/// A window on them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditWindow {
    /// Entries to pass over.
    #[serde(default)]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    skip: u32,
    /// Most entries to give, up to 500; by default 100.
    #[serde(default = "super::hundred")]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    limit: u32,
}

impl Which {
    fn filter(self) -> Result<Filter, Refusal> {
        let entity = match (self.entity_type, self.entity_id) {
            (Some(kind), id) => Some(format!("{kind}:{}", id.unwrap_or_default())),
            (None, Some(_)) => return Err(Refusal::invalid("`entity_id` goes with `entity_type`.")),
            (None, None) => None,
        };
        let (since, until) = (time_of("since", self.since, BEGINNING)?, time_of("until", self.until, END)?);
        Ok(Filter { action: self.action, entity, actor: self.actor, since, until })
    }
}

fn time_of(field: &str, text: Option<String>, default: OffsetDateTime) -> Result<OffsetDateTime, Refusal> {
    let Some(text) = text else { return Ok(default) };
    let time = OffsetDateTime::parse(&text, &Rfc3339).ok().filter(|time| (BEGINNING..=END).contains(time));
    time.ok_or_else(|| {
        Refusal::invalid(format!("`{field}` is a time such as 2026-01-31T12:00:00Z.")).with(serde_json::json!({ "field": field }))
    })
}

/// Changes, the newest first.
#[utoipa::path(get, path = "/api/admin/audit", tag = "audit", params(Which, AuditWindow),
    responses((status = 200, body = Vec<AuditEntry>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(which): Query<Which>,
    Query(window): Query<AuditWindow>,
) -> Result<Json<Vec<AuditEntry>>, ApiError> {
    let page = Page::new(window.skip, window.limit.min(ENTRIES_MAX));
    Ok(Json(state.platform.list_audit(&caller, &which.filter()?, page).await?))
}

/// All of them, the oldest first, as lines of JSON.
#[utoipa::path(get, path = "/api/admin/audit/export", tag = "audit", params(Which),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn export(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(which): Query<Which>,
) -> Result<impl IntoResponse, ApiError> {
    let filter = which.filter()?;
    // A refusal is an answer; what fails later breaks the stream off.
    let first = state.platform.export_audit(&caller, &filter, 0).await?;
    let pages = stream::try_unfold((first, state, caller, filter), |(page, state, caller, filter)| async move {
        let Some(last) = page.last().map(|entry| entry.id) else { return Ok(None) };
        let mut lines = Vec::new();
        for entry in &page {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        let next = state.platform.export_audit(&caller, &filter, last).await?;
        Ok::<_, axum::BoxError>(Some((Bytes::from(lines), (next, state, caller, filter))))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)))
}

/// Whether the record is what was written.
#[utoipa::path(get, path = "/api/admin/audit/verify", tag = "audit",
    responses((status = 200, body = AuditVerdict), (status = 401), (status = 403)))]
pub(crate) async fn verify(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Json<AuditVerdict>, ApiError> {
    Ok(Json(state.platform.verify_audit(&caller).await?))
}
