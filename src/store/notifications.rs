//! What plugins want people to know.

use mint_domain::{TenantId, UserId};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A notification.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Notification {
    /// Identifier.
    pub id: i64,
    /// Slug of the plugin.
    pub plugin: String,
    /// What sort it is.
    pub kind: String,
    /// Which function of the plugin told it.
    pub function_id: String,
    /// Names the event within (plugin, kind, function).
    pub event_key: String,
    /// How bad it is.
    pub severity: String,
    /// In a few words.
    pub title: String,
    /// In full.
    pub message: String,
    /// Where it comes from.
    pub source: Option<String>,
    /// Ways by which the plugin wants it delivered.
    #[sqlx(json)]
    pub channels: Vec<String>,
    /// The one person whom it is for; none when it is for everybody.
    pub recipient_id: Option<i64>,
    /// When it happened.
    pub occurred_at: OffsetDateTime,
    /// When it was told.
    pub created_at: OffsetDateTime,
}

/// What to store.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// What sort it is.
    pub kind: &'static str,
    /// Which function of the plugin told it.
    pub function_id: String,
    /// Names the event within (plugin, kind, function).
    pub event_key: String,
    /// How bad it is.
    pub severity: String,
    /// In a few words.
    pub title: String,
    /// In full.
    pub message: String,
    /// Where it comes from.
    pub source: Option<String>,
    /// Ways by which the plugin wants it delivered.
    pub channels: Vec<String>,
    /// The one person whom it is for; none when it is for everybody.
    pub recipient: Option<UserId>,
    /// When it happened.
    pub occurred_at: OffsetDateTime,
}

/// Stores a notification. False when the same event was stored before: the first telling stays.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the recipient is gone.
pub async fn insert(tx: &mut Tx, tenant: TenantId, plugin: &str, new: &NewNotification, now: OffsetDateTime) -> Result<bool> {
    execute!(
        tx,
        "insert into notifications (tenant_id, plugin, kind, function_id, event_key, severity, title, message, source, channels,
            recipient_id, occurred_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (tenant_id, plugin, kind, function_id, event_key) do nothing",
        tenant.0,
        plugin,
        new.kind,
        &new.function_id,
        &new.event_key,
        &new.severity,
        &new.title,
        &new.message,
        &new.source,
        Json(&new.channels),
        new.recipient.map(|user| user.0),
        new.occurred_at,
        now,
    )
    .map(|rows| rows > 0)
}

/// For whom notifications are read.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Who.
    pub user: UserId,
    /// Whether they read those for one other person too, where somebody should look.
    pub receives_important: bool,
}

/// Notifications for everybody and for `reader`, newest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, reader: Reader, page: Page) -> Result<Vec<Notification>> {
    rows!(
        tx, all Notification,
        "select id, plugin, kind, function_id, event_key, severity, title, message, source, channels, recipient_id, occurred_at, created_at
         from notifications where tenant_id = $1 and (recipient_id is null or recipient_id = $2 or ($3 and severity <> 'info'))
         order by id desc limit $4 offset $5",
        tenant.0, reader.user.0, reader.receives_important, page.limit, page.skip,
    )
}

/// Forgets all but the newest `kept` notifications of a plugin. Gives how many went.
///
/// # Errors
/// The database's.
pub async fn prune(tx: &mut Tx, tenant: TenantId, plugin: &str, kept: i64) -> Result<u64> {
    execute!(
        tx,
        "delete from notifications where tenant_id = $1 and plugin = $2 and id <=
            (select id from notifications where tenant_id = $1 and plugin = $2 order by id desc limit 1 offset $3)",
        tenant.0,
        plugin,
        kept,
    )
}
