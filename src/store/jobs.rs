//! Jobs: what plugins want done when the request has ended, and who does it.
//!
//! An attempt is named by the job, the claim's owner and its number. Whatever is written for an attempt that is not the present one
//! changes nothing.

use mint_domain::{
    InstallationId, JobId, JobStatus, Permission, TenantId, UserId,
    job::{KEPT, LOSSES_MAX},
};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx, installations};

/// A job.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Job {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: JobId,
    /// Whose plugin's.
    #[sqlx(try_from = "i64")]
    pub installation_id: InstallationId,
    /// Slug of the plugin.
    pub plugin: String,
    /// What is to be done, in the plugin's words.
    pub kind: String,
    /// With what: a JSON document.
    pub payload: String,
    /// Names it within the installation.
    pub key: Option<String>,
    /// For whom.
    pub user_id: Option<i64>,
    /// What the credential allowed at most by which it was asked for; none for all.
    pub permissions: Option<Json<Vec<Permission>>>,
    /// The request that asked for it.
    pub request_id: String,
    status: String,
    /// Attempts begun.
    pub attempt: i64,
    /// Attempts that failed.
    pub failures: i64,
    /// Attempts that ended with the server on which they ran.
    pub losses: i64,
    /// Failures that are followed by another attempt.
    pub retries: i64,
    /// Longest time between two signs of life, in seconds.
    pub heartbeat_seconds: Option<i64>,
    /// Whether somebody wants it to end.
    pub is_cancelled: bool,
    /// How far it is, 0 to 100.
    pub percent: Option<i64>,
    /// What it does.
    pub message: Option<String>,
    /// What came of it: a JSON document.
    pub outcome: Option<String>,
    /// Why its last attempt failed.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// Not before then.
    pub run_at: OffsetDateTime,
    /// Begin of its last attempt.
    pub started_at: Option<OffsetDateTime>,
    /// Its end.
    pub ended_at: Option<OffsetDateTime>,
}

impl Job {
    /// How it stands. The database holds no sixth word.
    pub fn status(&self) -> JobStatus {
        JobStatus::parse(&self.status).unwrap_or(JobStatus::Failed)
    }
}

/// What to do later.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    /// Whose plugin's.
    pub installation: InstallationId,
    /// What is to be done.
    pub kind: &'a str,
    /// With what: a JSON document.
    pub payload: &'a str,
    /// Names it within the installation.
    pub key: Option<&'a str>,
    /// For whom.
    pub user: Option<UserId>,
    /// What the credential allows at most; none for all.
    pub permissions: Option<&'a [Permission]>,
    /// The request that asks for it.
    pub request_id: &'a str,
    /// Failures that are followed by another attempt.
    pub retries: u32,
    /// Longest time between two signs of life, in seconds.
    pub heartbeat_seconds: Option<u32>,
    /// Not before then.
    pub run_at: OffsetDateTime,
}

/// An attempt at a job, for whoever writes of it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Whose laboratory's.
    pub tenant: TenantId,
    /// The job.
    pub job: JobId,
    /// Who has claimed it.
    pub owner: &'a str,
    /// Which claim.
    pub number: i64,
}

/// How far a job is, as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100; none leaves what was said before.
    pub percent: Option<u32>,
    /// What it does; none leaves what was said before.
    pub message: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The job is done.
    Completed(Option<&'a str>),
    /// The job is given up.
    Failed(&'a str),
    /// Nobody wanted it any more.
    Cancelled,
    /// It failed, and is tried again.
    Retried(&'a str, OffsetDateTime),
    /// It was ended for no fault of its own, and is tried again.
    Interrupted(OffsetDateTime),
}

/// Which jobs to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Of one installation.
    pub installation: Option<InstallationId>,
    /// Of the plugin with this slug.
    pub plugin: Option<&'a str>,
    /// For one person.
    pub user: Option<UserId>,
    /// That stand so.
    pub status: Option<JobStatus>,
}

/// An installation with jobs whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    /// The installation.
    #[sqlx(try_from = "i64")]
    pub installation_id: InstallationId,
    /// Its tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
}

/// What there is to do for an installation.
#[derive(Clone, Debug)]
pub enum Claim {
    /// This job, which is one of so many that are being done.
    Job(Box<Job>, u64),
    /// Nothing whose time has come.
    Nothing,
    /// Nothing before another one has ended.
    Full,
}

/// A job that was asked for.
#[derive(Clone, Debug)]
pub enum Inserted {
    /// It is new, and so many wait now.
    New(Job, u64),
    /// It was asked for before, by the same key.
    Known(Job),
    /// So many wait already.
    Full(u64),
}

/// Keeps a job, unless `queue_max` wait already. None when the installation is gone.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when the person is gone.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewJob<'_>,
    queue_max: u64,
    now: OffsetDateTime,
) -> Result<Option<Inserted>> {
    // Two that come at once are counted one after the other.
    if installations::lock(tx, tenant, new.installation).await?.is_none() {
        return Ok(None);
    }
    let known = rows!(
        tx,
        optional(i64,),
        "select id from jobs where tenant_id = $1 and installation_id = $2 and key = $3",
        tenant.0,
        new.installation.0,
        new.key,
    )?;
    if let Some((id,)) = known {
        return Ok(get(tx, tenant, JobId(id)).await?.map(Inserted::Known));
    }
    let waiting = count_waiting(tx, tenant, new.installation).await?;
    if waiting >= queue_max {
        return Ok(Some(Inserted::Full(waiting)));
    }
    let (id,) = rows!(
        tx,
        one(i64,),
        "insert into jobs (tenant_id, installation_id, kind, payload, key, user_id, permissions, request_id, status, retries,
            heartbeat_seconds, created_at, run_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, $11, $12) returning id",
        tenant.0,
        new.installation.0,
        new.kind,
        new.payload,
        new.key,
        new.user.map(|user| user.0),
        new.permissions.map(Json),
        new.request_id,
        i64::from(new.retries),
        new.heartbeat_seconds.map(i64::from),
        now,
        new.run_at,
    )?;
    Ok(get(tx, tenant, JobId(id)).await?.map(|job| Inserted::New(job, waiting + 1)))
}

/// How many jobs of an installation wait.
///
/// # Errors
/// The database's.
pub async fn count_waiting(tx: &mut Tx, tenant: TenantId, installation: InstallationId) -> Result<u64> {
    let (count,) = rows!(
        tx,
        one(i64,),
        "select count(*) from jobs where tenant_id = $1 and installation_id = $2 and status = 'queued'",
        tenant.0,
        installation.0,
    )?;
    Ok(count.unsigned_abs())
}

/// How many jobs of an installation are being done, on all servers.
///
/// # Errors
/// The database's.
pub async fn count_running(tx: &mut Tx, tenant: TenantId, installation: InstallationId) -> Result<u64> {
    let (count,) = rows!(
        tx,
        one(i64,),
        "select count(*) from jobs where tenant_id = $1 and installation_id = $2 and status = 'running'",
        tenant.0,
        installation.0,
    )?;
    Ok(count.unsigned_abs())
}

/// A job.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: JobId) -> Result<Option<Job>> {
    rows!(
        tx, optional Job,
        "select j.*, i.slug as plugin from jobs j join installations i on i.id = j.installation_id
         where j.tenant_id = $1 and j.id = $2",
        tenant.0, id.0,
    )
}

/// Jobs of a tenant, newest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, filter: Filter<'_>, page: Page) -> Result<Vec<Job>> {
    rows!(
        tx, all Job,
        "select j.*, i.slug as plugin from jobs j join installations i on i.id = j.installation_id
         where j.tenant_id = $1 and (cast($2 as bigint) is null or j.installation_id = $2)
            and (cast($3 as text) is null or i.slug = $3) and (cast($4 as bigint) is null or j.user_id = $4)
            and (cast($5 as text) is null or j.status = $5)
         order by j.id desc limit $6 offset $7",
        tenant.0, filter.installation.map(|id| id.0), filter.plugin, filter.user.map(|user| user.0),
        filter.status.map(JobStatus::as_str), page.limit, page.skip,
    )
}

/// Installations with jobs whose time has come.
///
/// # Errors
/// The database's.
pub async fn due(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<Due>> {
    rows!(
        tx, all Due,
        "select distinct installation_id, tenant_id from jobs where status = 'queued' and run_at <= $1",
        now,
    )
}

/// Begins an attempt at the next job of an installation, if it has one whose time has come, and fewer than `running_max` are being
/// done. The claim holds until `until`.
///
/// # Errors
/// The database's.
pub async fn claim(
    tx: &mut Tx,
    (tenant, installation): (TenantId, InstallationId),
    running_max: u64,
    (owner, until): (&str, OffsetDateTime),
    now: OffsetDateTime,
) -> Result<Claim> {
    // Two servers count one after the other.
    if installations::lock(tx, tenant, installation).await?.is_none() {
        return Ok(Claim::Nothing);
    }
    let running = count_running(tx, tenant, installation).await?;
    if running >= running_max {
        return Ok(Claim::Full);
    }
    let claimed = rows!(
        tx,
        optional(i64,),
        "update jobs set status = 'running', attempt = attempt + 1, lease_owner = $3, lease_until = $4, started_at = $5,
            percent = null, message = null
         where status = 'queued' and id = (select id from jobs where tenant_id = $1 and installation_id = $2 and status = 'queued'
            and run_at <= $5 order by run_at, id limit 1)
         returning id",
        tenant.0,
        installation.0,
        owner,
        until,
        now,
    )?;
    let Some((id,)) = claimed else { return Ok(Claim::Nothing) };
    let job = get(tx, tenant, JobId(id)).await?;
    Ok(job.map_or(Claim::Nothing, |job| Claim::Job(Box::new(job), running + 1)))
}

/// Renews the claim of an attempt, and writes down how far it is. Gives whether somebody wants the job to end; none when the attempt
/// is not the job's any more.
///
/// # Errors
/// The database's.
pub async fn keep(tx: &mut Tx, attempt: Attempt<'_>, progress: &Progress, until: OffsetDateTime) -> Result<Option<bool>> {
    let row = rows!(
        tx,
        optional(bool,),
        "update jobs set lease_until = $5, percent = coalesce($6, percent), message = coalesce($7, message)
         where tenant_id = $1 and id = $2 and lease_owner = $3 and attempt = $4 and status = 'running' returning is_cancelled",
        attempt.tenant.0,
        attempt.job.0,
        attempt.owner,
        attempt.number,
        until,
        progress.percent.map(i64::from),
        progress.message.as_deref(),
    )?;
    Ok(row.map(|(is_cancelled,)| is_cancelled))
}

/// Writes down how an attempt ended, and how far it was. False when it was not the job's any more.
///
/// # Errors
/// The database's.
pub async fn finish(
    tx: &mut Tx,
    attempt: Attempt<'_>,
    progress: &Progress,
    outcome: Outcome<'_>,
    now: OffsetDateTime,
) -> Result<bool> {
    let (status, result, error, run_at) = match outcome {
        Outcome::Completed(result) => (JobStatus::Completed, result, None, None),
        Outcome::Failed(error) => (JobStatus::Failed, None, Some(error), None),
        Outcome::Cancelled => (JobStatus::Cancelled, None, None, None),
        Outcome::Retried(error, at) => (JobStatus::Queued, None, Some(error), Some(at)),
        Outcome::Interrupted(at) => (JobStatus::Queued, None, None, Some(at)),
    };
    let failures = i64::from(matches!(outcome, Outcome::Failed(_) | Outcome::Retried(..)));
    let rows = execute!(
        tx,
        "update jobs set status = case when $4 = 'queued' and is_cancelled then 'cancelled' else $4 end,
            outcome = $5, error = coalesce($6, error), run_at = coalesce($7, run_at), failures = failures + $8,
            ended_at = case when $4 = 'queued' and not is_cancelled then null else $9 end, lease_owner = null, lease_until = null,
            percent = coalesce($11, percent), message = coalesce($12, message)
         where id = $1 and lease_owner = $2 and attempt = $3 and status = 'running' and tenant_id = $10",
        attempt.job.0,
        attempt.owner,
        attempt.number,
        status.as_str(),
        result,
        error,
        run_at,
        failures,
        now,
        attempt.tenant.0,
        progress.percent.map(i64::from),
        progress.message.as_deref(),
    )?;
    Ok(rows > 0)
}

/// Takes back the claims that have run out, and all of `owner`, where one is named: they ended with the server that held them.
/// Jobs that were lost too often are given up, with `error`. Gives how many claims there were.
///
/// # Errors
/// The database's.
pub async fn take_back(tx: &mut Tx, owner: Option<&str>, error: &str, now: OffsetDateTime) -> Result<u64> {
    execute!(
        tx,
        "update jobs set
            status = case when is_cancelled then 'cancelled' when losses >= $4 then 'failed' else 'queued' end,
            ended_at = case when is_cancelled or losses >= $4 then $2 else null end,
            losses = losses + 1, error = $3, lease_owner = null, lease_until = null
         where status = 'running' and (lease_until <= $2 or lease_owner = $1)",
        owner,
        now,
        error,
        i64::from(LOSSES_MAX),
    )
}

/// Whether claims have run out.
///
/// # Errors
/// The database's.
pub async fn any_run_out(tx: &mut Tx, now: OffsetDateTime) -> Result<bool> {
    rows!(tx, optional(i64,), "select id from jobs where status = 'running' and lease_until <= $1 limit 1", now)
        .map(|row| row.is_some())
}

/// Marks that a job is not wanted any more. What waits ends at once. None when it had ended, or there is none; else how it stands.
///
/// # Errors
/// The database's.
pub async fn cancel(tx: &mut Tx, tenant: TenantId, id: JobId, now: OffsetDateTime) -> Result<Option<JobStatus>> {
    let row = rows!(
        tx,
        optional(String,),
        "update jobs set is_cancelled = $3, status = case when status = 'queued' then 'cancelled' else status end,
            ended_at = case when status = 'queued' then $4 else null end
         where tenant_id = $1 and id = $2 and status in ('queued', 'running') returning status",
        tenant.0,
        id.0,
        true,
        now,
    )?;
    Ok(row.and_then(|(status,)| JobStatus::parse(&status)))
}

/// Has a job that was given up, or cancelled, tried again from the beginning. False when it was neither.
///
/// # Errors
/// The database's.
pub async fn retry(tx: &mut Tx, tenant: TenantId, id: JobId, now: OffsetDateTime) -> Result<bool> {
    execute!(
        tx,
        "update jobs set status = 'queued', is_cancelled = $3, failures = 0, losses = 0, run_at = $4, ended_at = null
         where tenant_id = $1 and id = $2 and status in ('failed', 'cancelled')",
        tenant.0,
        id.0,
        false,
        now,
    )
    .map(|rows| rows > 0)
}

/// Forgets jobs that ended before `then`, and of each installation all ended ones but the newest. Gives how many went.
///
/// # Errors
/// The database's.
pub async fn prune(tx: &mut Tx, then: OffsetDateTime) -> Result<u64> {
    let old = execute!(tx, "delete from jobs where ended_at < $1", then)?;
    let crowds = rows!(
        tx,
        all(i64,),
        "select installation_id from jobs where ended_at is not null group by installation_id having count(*) > $1",
        i64::from(KEPT),
    )?;
    let mut gone = old;
    for (installation,) in crowds {
        gone += execute!(
            tx,
            "delete from jobs where installation_id = $1 and ended_at is not null and id <=
                (select id from jobs where installation_id = $1 and ended_at is not null order by id desc limit 1 offset $2)",
            installation,
            i64::from(KEPT),
        )?;
    }
    Ok(gone)
}
