//! What plugins put into people's calendars.

use axum::{Json, extract::State as AxumState};
use mint_context::calendar::{self, CalendarEvent};

use super::Window;
use crate::{auth::Authenticated, error::ApiError, extract::Query, router::State};

/// Events by start, cancelled ones too.
#[utoipa::path(get, path = "/api/calendar/events", tag = "calendar", params(Window),
    responses((status = 200, body = Vec<CalendarEvent>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
    Query(window): Query<Window>,
) -> Result<Json<Vec<CalendarEvent>>, ApiError> {
    Ok(Json(calendar::list(&caller.call(state.platform.services()), window.into()).await?))
}
