//! What plugins put into people's calendars.

use mint_domain::{Permission, Refusal, UserId};
use mint_store::{
    Page, Tx,
    calendar::{self, NewCalendarEvent},
    users,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

use crate::{Call, Result, text};

/// Most changes in one call.
pub const CHANGES_MAX: usize = 100;
/// Most people who take part in one event.
const PARTICIPANTS_MAX: usize = 1_000;
/// Most events of a plugin.
const EVENTS_MAX: i64 = 10_000;

/// A change that a plugin publishes.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "operation", rename_all = "lowercase")]
pub enum Change {
    /// The event is so, whether it was there or not.
    Upsert(Event),
    /// The event does not take place.
    Cancel {
        /// Names the event within the plugin.
        event_key: String,
    },
}

/// An event, as a plugin tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Names the event within the plugin, 1 to 255 characters.
    pub event_key: String,
    /// 1 to 200 characters.
    pub title: String,
    /// A date, or an instant with its offset, in ISO 8601.
    pub start: String,
    /// Of the same sort, and later.
    pub end: String,
    /// Users of the laboratory, each once, at least one.
    pub participant_user_ids: Vec<i64>,
    /// Up to 4,000 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// Up to 500 characters.
    #[serde(default)]
    pub location: Option<String>,
    /// A path on the platform, up to 2,048 characters.
    #[serde(default)]
    pub mint_path: Option<String>,
}

/// An event, as people read it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CalendarEvent {
    /// Identifier.
    pub id: i64,
    /// Slug of the plugin.
    pub plugin_id: String,
    /// Names the event within the plugin.
    pub event_key: String,
    /// `confirmed` or `cancelled`.
    pub status: String,
    /// In a few words.
    pub title: String,
    /// A date, or an instant in UTC.
    pub start: String,
    /// As `start`.
    pub end: String,
    /// Who takes part.
    pub participant_user_ids: Vec<i64>,
    /// In full.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// A path on the platform.
    pub mint_path: Option<String>,
    /// When it was first published.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl From<calendar::CalendarEvent> for CalendarEvent {
    fn from(row: calendar::CalendarEvent) -> Self {
        Self {
            id: row.id,
            plugin_id: row.plugin,
            event_key: row.event_key,
            status: row.status,
            title: row.title,
            start: row.starts,
            end: row.ends,
            participant_user_ids: row.participants,
            description: row.description,
            location: row.location,
            mint_path: row.mint_path,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Publishes changes of the plugin's events, all or none.
///
/// # Errors
/// `VALIDATION_ERROR`, also for somebody who is not of the laboratory; `QUOTA_EXCEEDED`.
pub async fn publish(call: &Call, changes: Vec<Change>) -> Result<()> {
    let plugin = call.through_plugin()?.slug().as_str();
    if changes.len() > CHANGES_MAX {
        return Err(Refusal::invalid(format!("At most {CHANGES_MAX} events can be published at once.")).into());
    }
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    for change in changes {
        match change {
            Change::Upsert(event) => {
                let event = event.checked()?;
                require_members(&mut tx, call, &event.participants).await?;
                calendar::upsert(&mut tx, call.tenant, plugin, &event, now).await?;
            }
            Change::Cancel { event_key } => {
                // One that was cancelled before, or never published, does not take place either.
                calendar::cancel(&mut tx, call.tenant, plugin, &text::required("event_key", &event_key, 255)?, now).await?;
            }
        }
    }
    if calendar::count(&mut tx, call.tenant, plugin).await? > EVENTS_MAX {
        return Err(
            Refusal::quota("calendar_events", format!("A plugin has at most {EVENTS_MAX} events in the calendar.")).into()
        );
    }
    tx.commit().await?;
    Ok(())
}

/// Events by start, cancelled ones too: everybody's for whoever may see them, else those in which the acting person takes part.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, page: Page) -> Result<Vec<CalendarEvent>> {
    let _permit = call.permit_person(Permission::PluginsUse)?;
    let reader = call.reader()?;
    let of = (!call.actor.may(Permission::CalendarReadAll)).then_some(reader);
    let mut tx = call.services.db.read().await?;
    Ok(calendar::list(&mut tx, call.tenant, of, page).await?.into_iter().map(Into::into).collect())
}

async fn require_members(tx: &mut Tx, call: &Call, participants: &[i64]) -> Result<()> {
    for id in participants {
        if users::get(tx, call.tenant, UserId(*id)).await?.is_none() {
            return Err(invalid("participant_user_ids", format!("There is no user {id}.")).into());
        }
    }
    Ok(())
}

impl Event {
    fn checked(self) -> Result<NewCalendarEvent, Refusal> {
        let mut participants = self.participant_user_ids;
        let given = participants.len();
        participants.sort_unstable();
        participants.dedup();
        if participants.is_empty() || participants.len() > PARTICIPANTS_MAX || participants.len() != given {
            let message = format!("An event has 1 to {PARTICIPANTS_MAX} participants, each once.");
            return Err(invalid("participant_user_ids", message));
        }
        let (starts, ends) = span(&self.start, &self.end)?;
        let mint_path = self.mint_path.as_deref();
        if mint_path.is_some_and(|path| {
            !path.starts_with('/')
                || path.starts_with("//")
                || path.len() > 2_048
                || path.chars().any(|c| c.is_control() || c == '\\')
        }) {
            return Err(invalid("mint_path", "`mint_path` is an absolute path on the platform.".to_owned()));
        }
        Ok(NewCalendarEvent {
            event_key: text::required("event_key", &self.event_key, 255)?,
            title: text::required("title", &self.title, 200)?,
            starts,
            ends,
            participants,
            description: text::optional("description", self.description.as_deref(), 4_000)?,
            location: text::optional("location", self.location.as_deref(), 500)?,
            mint_path: self.mint_path,
        })
    }
}

/// Both ends in the one form that is stored, so that they sort by time: dates, or instants in UTC.
fn span(start: &str, end: &str) -> Result<(String, String), Refusal> {
    let day = |text: &str| Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    let instant = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok().map(|instant| instant.to_offset(UtcOffset::UTC));
    let later = || invalid("end", "`end` must be later than `start`.".to_owned());
    if let (Some(from), Some(to)) = (day(start), day(end)) {
        return if from < to { Ok((start.to_owned(), end.to_owned())) } else { Err(later()) };
    }
    let (Some(from), Some(to)) = (instant(start), instant(end)) else {
        return Err(invalid("start", "`start` and `end` are both dates, or both instants with an offset.".to_owned()));
    };
    if from >= to {
        return Err(later());
    }
    match (from.format(&Rfc3339), to.format(&Rfc3339)) {
        (Ok(from), Ok(to)) => Ok((from, to)),
        _ => Err(invalid("start", "The year has four digits.".to_owned())),
    }
}

fn invalid(field: &str, message: String) -> Refusal {
    Refusal::invalid(message).with(json!({ "field": field }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_two_ends_of_one_sort() {
        let utc = ("2026-11-21T08:00:00Z".to_owned(), "2026-11-21T09:00:00Z".to_owned());
        assert_eq!(span("2026-11-21T09:00:00+01:00", "2026-11-21T09:00:00Z").unwrap(), utc);
        assert!(span("2026-11-21", "2026-11-22").is_ok());
        for (start, end) in [
            ("2026-11-21", "2026-11-21"),
            ("2026-11-21", "2026-11-21T09:00:00Z"),
            ("2026-11-21T09:00:00", "2026-11-21T10:00:00"),
            ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00+00:00"),
            ("soon", "later"),
        ] {
            assert!(span(start, end).is_err(), "{start} {end}");
        }
    }
}
