//! What plugins want people to know: stored once, and read by those whom it is for.

use mint_domain::{Permission, Refusal, UserId};
use mint_store::{
    Page,
    notifications::{self, NewNotification, Reader},
    users,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Call, Result, text};

/// Most events in one call.
pub const EVENTS_MAX: usize = 100;
/// Notifications of a plugin that are kept; older ones are forgotten.
const KEPT: i64 = 10_000;

/// Something that happened, as a plugin tells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// In MINT's general form.
    Plain {
        /// Names the event, 1 to 255 characters. Told again, it changes nothing.
        event_key: String,
        /// How bad it is.
        severity: Severity,
        /// 1 to 200 characters.
        title: String,
        /// 1 to 4,000 characters.
        message: String,
        /// Where it comes from, up to 255 characters.
        source: Option<String>,
        /// When it happened; by default now.
        #[serde(default, with = "time::serde::rfc3339::option")]
        occurred_at: Option<OffsetDateTime>,
    },
    /// As a monitor of instruments says it.
    Alert {
        /// Names the event.
        event_key: String,
        /// The instrument.
        instrument_id: String,
        /// How bad it is.
        level: Severity,
        /// Which rule was broken.
        rule: String,
        /// What happened.
        body: AlertBody,
        /// When it happened.
        #[serde(with = "time::serde::rfc3339")]
        timestamp: OffsetDateTime,
    },
}

/// What an alert says.
#[derive(Clone, Debug, Deserialize)]
pub struct AlertBody {
    /// Where it comes from.
    #[serde(default)]
    pub source: Option<String>,
    /// 1 to 4,000 characters.
    pub detail: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look now.
    Critical,
}

/// A way by which a plugin wants its events delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By e-mail.
    Email,
    /// To a team in Microsoft Teams.
    Teams,
    /// To a channel in Slack.
    Slack,
}

/// The end of a job, for the person who started it.
#[derive(Clone, Debug, Deserialize)]
pub struct JobEnd {
    /// Which function of the plugin is the job.
    pub function_id: String,
    /// The job.
    pub job_id: String,
    /// Who started it.
    pub owner: UserId,
    /// How it ended.
    pub status: JobStatus,
    /// 1 to 200 characters.
    pub title: String,
    /// When it ended.
    pub occurred_at: OffsetDateTime,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// With a result.
    Completed,
    /// With an error.
    Failed,
    /// Because somebody wanted so.
    Cancelled,
}

/// A notification, as people read it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Notification {
    /// Identifier.
    pub id: i64,
    /// Slug of the plugin.
    pub plugin_id: String,
    /// `event` or `job`.
    pub kind: String,
    /// Which function of the plugin told it.
    pub function_id: String,
    /// Names the event within (plugin, kind, function).
    pub event_key: String,
    /// `info`, `warning` or `critical`.
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
    pub recipient_id: Option<i64>,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// When it was told.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl From<notifications::Notification> for Notification {
    fn from(row: notifications::Notification) -> Self {
        Self {
            id: row.id,
            plugin_id: row.plugin,
            kind: row.kind,
            function_id: row.function_id,
            event_key: row.event_key,
            severity: row.severity,
            title: row.title,
            message: row.message,
            source: row.source,
            channels: row.channels,
            recipient_id: row.recipient_id,
            occurred_at: row.occurred_at,
            created_at: row.created_at,
        }
    }
}

/// Stores events of the plugin, all or none. Gives how many of them were new.
///
/// # Errors
/// `VALIDATION_ERROR`.
pub async fn publish(call: &Call, function_id: &str, channels: &[Channel], events: Vec<Event>) -> Result<u64> {
    if events.len() > EVENTS_MAX {
        return Err(Refusal::invalid(format!("At most {EVENTS_MAX} events can be told at once.")).into());
    }
    let channels: Vec<String> = channels.iter().map(|channel| channel.as_str().to_owned()).collect();
    let now = call.services.clock.now();
    let mut wanted = Vec::with_capacity(events.len());
    for event in events {
        wanted.push(event.checked(function_id, &channels, now)?);
    }
    store(call, &wanted).await
}

/// Stores the end of a job. Gives whether it was new.
///
/// # Errors
/// `VALIDATION_ERROR`, `NOT_FOUND` for the owner.
pub async fn job_ended(call: &Call, end: JobEnd) -> Result<bool> {
    let (severity, ended) = match end.status {
        JobStatus::Completed => (Severity::Info, "is done"),
        JobStatus::Failed => (Severity::Warning, "failed"),
        JobStatus::Cancelled => (Severity::Info, "was cancelled"),
    };
    let title = text::required("title", &end.title, 200)?;
    let owner = {
        let mut tx = call.services.db.read().await?;
        users::get(&mut tx, call.tenant, end.owner).await?.ok_or_else(|| Refusal::not_found("user", end.owner))?
    };
    let new = NewNotification {
        kind: "job",
        function_id: text::required("function_id", &end.function_id, 255)?,
        event_key: text::required("job_id", &end.job_id, 255)?,
        severity: severity.as_str().to_owned(),
        message: format!("{title} {ended}."),
        title,
        source: None,
        channels: vec![Channel::Email.as_str().to_owned()],
        recipient: Some(owner.id),
        occurred_at: end.occurred_at,
    };
    Ok(store(call, &[new]).await? == 1)
}

/// Notifications for the acting person, newest first: those for everybody, their own, and, for whoever is to receive what is
/// important, those of others that somebody should look at.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, page: Page) -> Result<Vec<Notification>> {
    let _permit = call.permit_person(Permission::PluginsUse)?;
    let reader = Reader { user: call.reader()?, receives_important: call.actor.may(Permission::NotificationsReceiveImportant) };
    let mut tx = call.services.db.read().await?;
    Ok(notifications::list(&mut tx, call.tenant, reader, page).await?.into_iter().map(Into::into).collect())
}

async fn store(call: &Call, wanted: &[NewNotification]) -> Result<u64> {
    let plugin = call.through_plugin()?.slug().as_str();
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let mut new = 0;
    for notification in wanted {
        new += u64::from(notifications::insert(&mut tx, call.tenant, plugin, notification, now).await?);
    }
    notifications::prune(&mut tx, call.tenant, plugin, KEPT).await?;
    tx.commit().await?;
    Ok(new)
}

impl Event {
    fn checked(self, function_id: &str, channels: &[String], now: OffsetDateTime) -> Result<NewNotification, Refusal> {
        let (event_key, severity, title, message, source, occurred_at) = match self {
            Self::Plain { event_key, severity, title, message, source, occurred_at } => {
                (event_key, severity, title, message, source, occurred_at)
            }
            Self::Alert { event_key, instrument_id, level, rule, body, timestamp } => {
                (event_key, level, rule, body.detail, body.source.or(Some(instrument_id)), Some(timestamp))
            }
        };
        Ok(NewNotification {
            kind: "event",
            function_id: text::required("function_id", function_id, 255)?,
            event_key: text::required("event_key", &event_key, 255)?,
            severity: severity.as_str().to_owned(),
            title: text::required("title", &title, 200)?,
            message: text::required("message", &message, 4_000)?,
            source: text::optional("source", source.as_deref(), 255)?,
            channels: channels.to_vec(),
            recipient: None,
            occurred_at: occurred_at.unwrap_or(now),
        })
    }
}

impl Severity {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Channel {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Teams => "teams",
            Self::Slack => "slack",
        }
    }
}
