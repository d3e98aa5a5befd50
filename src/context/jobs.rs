//! Jobs: what plugins want done when the request has ended.
//!
//! What is asked for stands in the database, and is done by any server (`mint-platform`'s `jobs`). What is being done on this one
//! stands in [`RunningJobs`] as well, so that a job may say as often as it likes how far it is, and ask whether it is to end, without a
//! query.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use mint_domain::{
    Actor, Capability, InstallationId, JobId, JobStatus, Kind, Permission, Refusal, TenantId, UserId,
    job::{DELAY_MAX, DOCUMENT_BYTES_MAX, HEARTBEAT_MAX, KEY_LENGTH_MAX, KIND_LENGTH_MAX, MESSAGE_LENGTH_MAX, RETRIES_MAX},
};
use mint_store::{
    Page, Tx, audit,
    jobs::{self, Filter, Inserted, NewJob, Progress},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{Call, Result, text};

/// What a plugin asks for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wanted {
    /// What is to be done, 1 to 100 characters.
    pub kind: String,
    /// With what: 64 KiB at most.
    #[serde(default)]
    pub payload: Value,
    /// Names the job, 1 to 255 characters: asked for again, it is the same.
    #[serde(default)]
    pub key: Option<String>,
    /// Seconds before the first attempt.
    #[serde(default)]
    pub delay_seconds: u32,
    /// Failed attempts that are followed by another.
    #[serde(default)]
    pub retries: u32,
    /// Longest time between two signs of life.
    #[serde(default)]
    pub heartbeat_seconds: Option<u32>,
}

/// A job, as plugins and people see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Job {
    /// Identifier.
    pub id: i64,
    /// Slug of the plugin.
    pub plugin_id: String,
    /// What is to be done, in the plugin's words.
    pub kind: String,
    /// Names it within the plugin.
    pub key: Option<String>,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    pub status: JobStatus,
    /// Attempts begun.
    pub attempt: u32,
    /// Failed attempts that are followed by another.
    pub retries: u32,
    /// Whether somebody wants it to end.
    pub is_cancelled: bool,
    /// How far it is, 0 to 100, as it last said.
    pub percent: Option<u32>,
    /// What it does, as it last said.
    pub message: Option<String>,
    /// With what: a JSON document.
    pub payload: Value,
    /// What came of it: a JSON document.
    pub outcome: Option<Value>,
    /// Why its last attempt failed.
    pub error: Option<String>,
    /// For whom it acts; none when the plugin acts on its own account.
    pub user_id: Option<i64>,
    /// The request that asked for it: under this id stands what its attempts say in the log.
    pub request_id: String,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Not before then.
    #[serde(with = "time::serde::rfc3339")]
    pub run_at: OffsetDateTime,
    /// Begin of its last attempt.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// Its end.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

impl From<jobs::Job> for Job {
    fn from(row: jobs::Job) -> Self {
        let (status, number) = (row.status(), |value: i64| u32::try_from(value).unwrap_or(u32::MAX));
        // What stands there was JSON when it was written.
        let document = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Self {
            id: row.id.0,
            plugin_id: row.plugin,
            kind: row.kind,
            key: row.key,
            status,
            attempt: number(row.attempt),
            retries: number(row.retries),
            is_cancelled: row.is_cancelled,
            percent: row.percent.map(number),
            message: row.message,
            payload: document(&row.payload),
            outcome: row.outcome.as_deref().map(document),
            error: row.error,
            user_id: row.user_id,
            request_id: row.request_id,
            created_at: row.created_at,
            run_at: row.run_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
        }
    }
}

/// Jobs that are being done on this server.
#[derive(Debug, Default)]
pub struct RunningJobs {
    jobs: Mutex<HashMap<JobId, Arc<RunningJob>>>,
    due: Notify,
    ended: Notify,
}

/// An attempt at a job, on this server.
#[derive(Debug)]
pub struct RunningJob {
    /// The job.
    pub id: JobId,
    /// Which attempt.
    pub attempt: i64,
    /// Whose laboratory's.
    pub tenant: TenantId,
    /// Whose plugin's.
    pub installation: InstallationId,
    /// By which start of it.
    pub generation: i64,
    /// For whom.
    pub user: Option<UserId>,
    /// Longest time between two signs of life.
    pub heartbeat: Option<Duration>,
    unwanted: CancellationToken,
    cut: CancellationToken,
    why: OnceLock<Cut>,
    said: Mutex<Said>,
}

/// Why an attempt is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// What does it makes way; it goes on elsewhere, or later.
    Interrupted,
    /// It is not this server's any more.
    NotOurs,
}

#[derive(Debug)]
struct Said {
    progress: Progress,
    /// Whether nobody has asked since.
    is_new: bool,
    at: Instant,
}

impl RunningJobs {
    /// Notes that an attempt begins. Drop what this gives when it has ended.
    pub fn begin(self: &Arc<Self>, job: RunningJob) -> UnderWay {
        let job = Arc::new(job);
        self.lock().insert(job.id, job.clone());
        UnderWay { jobs: self.clone(), job }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<RunningJob>> {
        self.lock().values().cloned().collect()
    }

    /// An attempt of an installation.
    pub fn find(&self, installation: InstallationId, id: JobId, attempt: i64) -> Option<Arc<RunningJob>> {
        self.lock().get(&id).filter(|job| job.installation == installation && job.attempt == attempt).cloned()
    }

    /// How many match.
    pub fn count(&self, matches: impl Fn(&RunningJob) -> bool) -> usize {
        self.lock().values().filter(|job| matches(job)).count()
    }

    /// Cuts off those that match.
    pub fn cut(&self, why: Cut, matches: impl Fn(&RunningJob) -> bool) {
        for job in self.all().into_iter().filter(|job| matches(job)) {
            job.cut(why);
        }
    }

    /// Waits until none is left that matches, or until `deadline`.
    pub async fn none_left(&self, deadline: Instant, matches: impl Fn(&RunningJob) -> bool) -> bool {
        let none = async {
            loop {
                let ended = self.ended.notified();
                let mut ended = std::pin::pin!(ended);
                // Counted among those who wait before it is looked.
                ended.as_mut().enable();
                if self.count(&matches) == 0 {
                    return;
                }
                ended.await;
            }
        };
        tokio::time::timeout_at(deadline, none).await.is_ok()
    }

    /// Says that a job may be due.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Waits until somebody says so.
    pub async fn woken(&self) {
        self.due.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Arc<RunningJob>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held while an attempt goes on.
#[derive(Debug)]
pub struct UnderWay {
    jobs: Arc<RunningJobs>,
    /// The attempt.
    pub job: Arc<RunningJob>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut jobs = self.jobs.lock();
        if jobs.get(&self.job.id).is_some_and(|other| Arc::ptr_eq(other, &self.job)) {
            jobs.remove(&self.job.id);
        }
        drop(jobs);
        self.jobs.ended.notify_waiters();
        self.jobs.wake();
    }
}

impl RunningJob {
    /// An attempt that begins now: of `row`, by a start of its plugin.
    pub fn new(row: &jobs::Job, tenant: TenantId, generation: i64) -> Self {
        let seconds = row.heartbeat_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let job = Self {
            id: row.id,
            attempt: row.attempt,
            tenant,
            installation: row.installation_id,
            generation,
            user: row.user_id.map(UserId),
            heartbeat: seconds.map(Duration::from_secs),
            unwanted: CancellationToken::new(),
            cut: CancellationToken::new(),
            why: OnceLock::new(),
            said: Mutex::new(Said { progress: Progress::default(), is_new: false, at: Instant::now() }),
        };
        if row.is_cancelled {
            job.cancel();
        }
        job
    }

    /// Says that nobody wants it any more.
    pub fn cancel(&self) {
        self.unwanted.cancel();
    }

    /// Whether nobody wants it any more.
    pub fn is_cancelled(&self) -> bool {
        self.unwanted.is_cancelled()
    }

    /// Waits until nobody wants it any more.
    pub async fn cancelled(&self) {
        self.unwanted.cancelled().await;
    }

    /// Ends it where it stands. The first reason counts.
    pub fn cut(&self, why: Cut) {
        let _first = self.why.set(why);
        self.cut.cancel();
    }

    /// Waits until it is to be cut off, and tells why.
    pub async fn is_cut(&self) -> Cut {
        self.cut.cancelled().await;
        self.why.get().copied().unwrap_or(Cut::Interrupted)
    }

    /// Waits until it was silent for longer than it promised; for ever where it promised nothing.
    pub async fn silent(&self) {
        let Some(heartbeat) = self.heartbeat else { return std::future::pending().await };
        loop {
            let until = self.said().at + heartbeat;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// How far it is, as it said, and whether it said so since that was last asked.
    pub fn progress(&self) -> (Progress, bool) {
        let mut said = self.said();
        (said.progress.clone(), std::mem::replace(&mut said.is_new, false))
    }

    fn tell(&self, progress: Progress) {
        let mut said = self.said();
        said.at = Instant::now();
        said.is_new |= progress != Progress::default();
        said.progress = Progress {
            percent: progress.percent.or(said.progress.percent),
            message: progress.message.or(said.progress.message.take()),
        };
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a job.
///
/// # Errors
/// `VALIDATION_ERROR`; `CONFLICT` when the key names somebody else's; `QUOTA_EXCEEDED` when too many wait; `PERMISSION_DENIED`.
pub async fn enqueue(call: &Call, wanted: &Wanted) -> Result<Job> {
    let _permit = call.permit_plugin(&Capability::Jobs)?;
    call.permit_change(true)?;
    let plugin = call.through_plugin()?;
    if plugin.installation.0 <= 0 {
        let message = "Jobs are kept for installed plugins only. Install this one to have its jobs done.";
        return Err(Refusal::new(Kind::Unavailable, "jobs.not_installed", message).into());
    }
    let (kind, key, payload) = checked(wanted)?;
    let (limits, now) = (call.limits(), call.services.clock.now());
    let user = call.actor.user();
    let new = NewJob {
        installation: plugin.installation,
        kind: &kind,
        payload: &payload,
        key: key.as_deref(),
        user: user.map(|user| user.id),
        permissions: user.and_then(|user| user.bound.as_ref()).and_then(|bound| bound.permissions.as_deref()),
        request_id: call.request_id.as_str(),
        retries: wanted.retries,
        heartbeat_seconds: wanted.heartbeat_seconds,
        run_at: now + Duration::from_secs(wanted.delay_seconds.into()),
    };
    let mut tx = call.services.db.begin().await?;
    let inserted = jobs::insert(&mut tx, call.tenant, &new, limits.jobs_queue_max, now).await?;
    match inserted.ok_or_else(|| Refusal::not_found("plugin", plugin.slug()))? {
        Inserted::New(job, waiting) => {
            tx.commit().await?;
            plugin.meters.set(mint_domain::limit::Limit::jobs_queue_max, waiting);
            call.services.jobs.wake();
            Ok(job.into())
        }
        Inserted::Known(job) if sees(call, &job, Permission::JobsReadAll) => Ok(job.into()),
        Inserted::Known(_) => {
            Err(Refusal::conflict("job", "key", "There is a job with this key already, of somebody else. Choose another key.")
                .into())
        }
        Inserted::Full(waiting) => {
            let message = format!("{waiting} jobs of this plugin wait already. Ask again when some are done.");
            Err(Refusal::quota("jobs_queue_max", message).retry_after(10).into())
        }
    }
}

/// A job.
///
/// # Errors
/// `NOT_FOUND`, also for somebody else's; `PERMISSION_DENIED`.
pub async fn get(call: &Call, id: JobId) -> Result<Job> {
    let mut tx = call.services.db.read().await?;
    Ok(found(call, jobs::get(&mut tx, call.tenant, id).await?, id, Permission::JobsReadAll)?.into())
}

/// Jobs that the acting person may see, newest first: of the plugin that asks, or, where none does, of `plugin` or all.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, plugin: Option<&str>, status: Option<JobStatus>, page: Page) -> Result<Vec<Job>> {
    authorise(call)?;
    let user = match &call.actor {
        Actor::Plugin(_) | Actor::System => None,
        actor if actor.may(Permission::JobsReadAll) => None,
        _ => Some(call.reader()?),
    };
    let installation = call.plugin.as_ref().map(|plugin| plugin.installation);
    let mut tx = call.services.db.read().await?;
    let found = jobs::list(&mut tx, call.tenant, Filter { installation, plugin, user, status }, page).await?;
    Ok(found.into_iter().filter(|job| call.actor.sees_plugin(&job.plugin)).map(Into::into).collect())
}

/// Takes back what was asked for. What runs is told, and cut off when it goes on. False when it had ended.
///
/// # Errors
/// `NOT_FOUND`, also for what only others may cancel; `PERMISSION_DENIED`.
pub async fn cancel(call: &Call, id: JobId) -> Result<bool> {
    call.permit_change(true)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    found(call, jobs::get(&mut tx, call.tenant, id).await?, id, Permission::JobsManageAll)?;
    let status = jobs::cancel(&mut tx, call.tenant, id, now).await?;
    if status.is_some() {
        note(&mut tx, call, "job.cancel", id).await?;
    }
    tx.commit().await?;
    for job in call.services.jobs.all().into_iter().filter(|job| job.id == id) {
        job.cancel();
    }
    Ok(status.is_some())
}

/// Has a job that was given up, or cancelled, tried again from the beginning. For people.
///
/// # Errors
/// `CONFLICT` when it is neither; `NOT_FOUND`, also for what only others may try again; `PERMISSION_DENIED`.
pub async fn retry(call: &Call, id: JobId) -> Result<Job> {
    call.permit_change(true)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let job = found(call, jobs::get(&mut tx, call.tenant, id).await?, id, Permission::JobsManageAll)?;
    if !jobs::retry(&mut tx, call.tenant, id, now).await? {
        let message = format!("Job {id} is {}. Only what failed or was cancelled can be tried again.", job.status());
        return Err(Refusal::conflict("job", "status", message).into());
    }
    let job = jobs::get(&mut tx, call.tenant, id).await?.ok_or_else(|| Refusal::not_found("job", id))?;
    note(&mut tx, call, "job.retry", id).await?;
    tx.commit().await?;
    call.services.jobs.wake();
    Ok(job.into())
}

/// Takes note of how far the call's job is. Gives whether it is to end.
///
/// # Errors
/// `VALIDATION_ERROR`; `CONFLICT` when the call belongs to no job that goes on; `PERMISSION_DENIED`.
pub fn progress(call: &Call, percent: Option<u32>, message: Option<&str>) -> Result<bool, Refusal> {
    let _permit = call.permit_plugin(&Capability::Jobs)?;
    if percent.is_some_and(|percent| percent > 100) {
        return Err(Refusal::invalid("`percent` is 0 to 100.").with(json!({ "field": "percent" })));
    }
    let message = text::optional("message", message, MESSAGE_LENGTH_MAX)?;
    if message.as_deref().is_some_and(|message| message.contains('\0')) {
        return Err(Refusal::invalid("`message` has no zero bytes.").with(json!({ "field": "message" })));
    }
    let job = call.job.as_ref().filter(|job| !job.cut.is_cancelled()).ok_or_else(|| {
        Refusal::conflict("job", "attempt", "This is not an attempt at a job that goes on. What it does is not waited for.")
    })?;
    job.tell(Progress { percent, message });
    Ok(job.is_cancelled())
}

/// A plugin has to do with its own jobs; a person uses plugins.
fn authorise(call: &Call) -> Result<(), Refusal> {
    let _permit = call.permit_person(Permission::PluginsUse)?;
    match &call.plugin {
        Some(_) => call.permit_plugin(&Capability::Jobs).map(drop),
        None => Ok(()),
    }
}

fn found(call: &Call, job: Option<jobs::Job>, id: JobId, widening: Permission) -> Result<jobs::Job, Refusal> {
    authorise(call)?;
    job.filter(|job| sees(call, job, widening)).ok_or_else(|| Refusal::not_found("job", id))
}

/// Notes what a person did with a job. What a plugin does with its own stands in its log.
async fn note(tx: &mut Tx, call: &Call, action: &'static str, id: JobId) -> Result<()> {
    if call.plugin.is_some() {
        return Ok(());
    }
    let (actor, entity, details) = (call.actor.label(), format!("job:{id}"), json!({}));
    let request_id = call.request_id.as_str();
    let entry = audit::Entry { actor: &actor, action, entity: &entity, request_id, details: &details };
    Ok(audit::record(tx, call.tenant, &entry, call.services.clock.now()).await?)
}

/// Whether a job is one that the call may know of: the plugin's own, and the person's, or anybody's with `widening`.
fn sees(call: &Call, job: &jobs::Job, widening: Permission) -> bool {
    let is_of_plugin = call.plugin.as_ref().is_none_or(|plugin| plugin.installation == job.installation_id);
    let is_of_actor = match &call.actor {
        Actor::User(user) => job.user_id == Some(user.id.0) || call.actor.may(widening),
        Actor::Plugin(_) | Actor::System => true,
        Actor::Service(_) | Actor::Anonymous => false,
    };
    is_of_plugin && is_of_actor && call.actor.sees_plugin(&job.plugin)
}

/// What was asked for, as it is stored.
fn checked(wanted: &Wanted) -> Result<(String, Option<String>, String), Refusal> {
    let wrong = |field: &str, message: String| Err(Refusal::invalid(message).with(json!({ "field": field })));
    let kind = text::required("kind", &wanted.kind, KIND_LENGTH_MAX)?;
    let key = wanted.key.as_deref().map(|key| text::required("key", key, KEY_LENGTH_MAX)).transpose()?;
    for (field, text) in [("kind", Some(&kind)), ("key", key.as_ref())] {
        if text.is_some_and(|text| text.chars().any(char::is_control)) {
            return wrong(field, format!("`{field}` has no control characters."));
        }
    }
    let payload = wanted.payload.to_string();
    if payload.len() > DOCUMENT_BYTES_MAX {
        let message = format!(
            "`payload` has {} bytes; at most {DOCUMENT_BYTES_MAX} are kept. Save what is longer, and say where.",
            payload.len()
        );
        return wrong("payload", message);
    }
    if wanted.retries > RETRIES_MAX {
        return wrong("retries", format!("`retries` is 0 to {RETRIES_MAX}."));
    }
    if u64::from(wanted.delay_seconds) > DELAY_MAX.as_secs() {
        return wrong("delay_seconds", format!("`delay_seconds` is 0 to {}.", DELAY_MAX.as_secs()));
    }
    if wanted.heartbeat_seconds.is_some_and(|seconds| seconds == 0 || u64::from(seconds) > HEARTBEAT_MAX.as_secs()) {
        return wrong("heartbeat_seconds", format!("`heartbeat_seconds` is 1 to {}.", HEARTBEAT_MAX.as_secs()));
    }
    Ok((kind, key, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(wanted: Wanted) -> Option<Value> {
        checked(&wanted).err().map(|refusal| refusal.details["field"].clone())
    }

    #[test]
    fn what_is_asked_for_is_bounded() {
        let good = || Wanted { kind: " fit ".to_owned(), ..Wanted::default() };
        assert_eq!(checked(&good()).unwrap(), ("fit".to_owned(), None, "null".to_owned()));
        let table = [
            (Wanted::default(), "kind"),
            (Wanted { kind: "x".repeat(101), ..good() }, "kind"),
            (Wanted { kind: "a\0b".to_owned(), ..good() }, "kind"),
            (Wanted { key: Some(String::new()), ..good() }, "key"),
            (Wanted { key: Some("é".repeat(256)), ..good() }, "key"),
            (Wanted { payload: json!("x".repeat(DOCUMENT_BYTES_MAX - 1)), ..good() }, "payload"),
            (Wanted { retries: 26, ..good() }, "retries"),
            (Wanted { delay_seconds: u32::MAX, ..good() }, "delay_seconds"),
            (Wanted { heartbeat_seconds: Some(0), ..good() }, "heartbeat_seconds"),
            (Wanted { heartbeat_seconds: Some(3_601), ..good() }, "heartbeat_seconds"),
        ];
        for (wanted, wrong) in table {
            assert_eq!(field(wanted.clone()), Some(json!(wrong)), "{wanted:?}");
        }
        let most = Wanted {
            key: Some("é".repeat(255)),
            payload: json!("x".repeat(DOCUMENT_BYTES_MAX - 2)),
            retries: 25,
            delay_seconds: 31_536_000,
            heartbeat_seconds: Some(3_600),
            ..good()
        };
        assert_eq!(field(most), None);
    }
}
