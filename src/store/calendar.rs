//! What plugins put into people's calendars.

use mint_domain::{TenantId, UserId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// An event.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CalendarEvent {
    /// Identifier.
    pub id: i64,
    /// Slug of the plugin.
    pub plugin: String,
    /// Names the event within the plugin.
    pub event_key: String,
    /// `confirmed` or `cancelled`.
    pub status: String,
    /// In a few words.
    pub title: String,
    /// A date or an instant, in ISO 8601.
    pub starts: String,
    /// As `starts`, and later.
    pub ends: String,
    /// Who takes part.
    #[sqlx(json)]
    pub participants: Vec<i64>,
    /// In full.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// A path on the platform.
    pub mint_path: Option<String>,
    /// When it was first published.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// What to publish.
#[derive(Clone, Debug)]
pub struct NewCalendarEvent {
    /// Names the event within the plugin.
    pub event_key: String,
    /// In a few words.
    pub title: String,
    /// A date or an instant, in ISO 8601.
    pub starts: String,
    /// As `starts`, and later.
    pub ends: String,
    /// Who takes part.
    pub participants: Vec<i64>,
    /// In full.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// A path on the platform.
    pub mint_path: Option<String>,
}

/// Publishes an event in the place of one of the same key, a cancelled one again.
///
/// # Errors
/// The database's.
pub async fn upsert(tx: &mut Tx, tenant: TenantId, plugin: &str, new: &NewCalendarEvent, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "insert into calendar_events (tenant_id, plugin, event_key, status, title, starts, ends, participants, description, location,
            mint_path, created_at, updated_at)
         values ($1, $2, $3, 'confirmed', $4, $5, $6, $7, $8, $9, $10, $11, $11)
         on conflict (tenant_id, plugin, event_key) do update
            set status = excluded.status, title = excluded.title, starts = excluded.starts, ends = excluded.ends,
                participants = excluded.participants, description = excluded.description, location = excluded.location,
                mint_path = excluded.mint_path, updated_at = excluded.updated_at",
        tenant.0,
        plugin,
        &new.event_key,
        &new.title,
        &new.starts,
        &new.ends,
        Json(&new.participants),
        &new.description,
        &new.location,
        &new.mint_path,
        now,
    )
    .map(|_| ())
}

/// Cancels an event. False when there is none, or it was cancelled before.
///
/// # Errors
/// The database's.
pub async fn cancel(tx: &mut Tx, tenant: TenantId, plugin: &str, event_key: &str, now: OffsetDateTime) -> Result<bool> {
    execute!(
        tx,
        "update calendar_events set status = 'cancelled', updated_at = $4
         where tenant_id = $1 and plugin = $2 and event_key = $3 and status <> 'cancelled'",
        tenant.0,
        plugin,
        event_key,
        now,
    )
    .map(|rows| rows > 0)
}

/// Events by start, then key; cancelled ones too. Those in which `of` takes part, or all.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, of: Option<UserId>, page: Page) -> Result<Vec<CalendarEvent>> {
    macro_rules! those_of {
        ($participant:literal) => {
            concat!(
                "select id, plugin, event_key, status, title, starts, ends, participants, description, location, mint_path, created_at,
                    updated_at
                 from calendar_events where tenant_id = $1 and (cast($2 as bigint) is null or ",
                $participant,
                ") order by starts, plugin, event_key limit $3 offset $4"
            )
        };
    }
    let sql = match tx {
        Tx::Sqlite(_) => those_of!("exists (select 1 from json_each(participants) where value = $2)"),
        Tx::Postgres(_) => those_of!("participants @> to_jsonb(cast($2 as bigint))"),
    };
    rows!(tx, all CalendarEvent, sql, tenant.0, of.map(|user| user.0), page.limit, page.skip)
}

/// How many events a plugin has published.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, tenant: TenantId, plugin: &str) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from calendar_events where tenant_id = $1 and plugin = $2", tenant.0, plugin)
        .map(|(count,)| count)
}
