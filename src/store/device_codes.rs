//! Programs that wait for somebody to let them in elsewhere.

use mint_domain::{TenantId, UserId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A program that begins to wait.
#[derive(Clone, Copy, Debug)]
pub struct NewDeviceCode<'a> {
    /// Hash of the code that the program keeps.
    pub device_sha256: &'a str,
    /// Hash of the code that a person types.
    pub user_sha256: &'a str,
    /// The laboratory that it wants to; none where it named one that there is not.
    pub tenant: Option<TenantId>,
    /// Whether it wants to change nothing.
    pub is_read_only: bool,
    /// The program, as it names itself.
    pub user_agent: Option<&'a str>,
    /// From where it asks.
    pub address: Option<&'a str>,
    /// How long it waits at the longest.
    pub expires_at: OffsetDateTime,
    /// How long it waits between two questions, in seconds.
    pub interval_seconds: i64,
}

/// A program that waits, for whoever decides on it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Waiting {
    /// Whether it wants to change nothing.
    pub is_read_only: bool,
    /// The program, as it names itself.
    pub user_agent: Option<String>,
    /// From where it asks.
    pub address: Option<String>,
    /// Since when it waits.
    pub created_at: OffsetDateTime,
    /// How long it waits at the longest.
    pub expires_at: OffsetDateTime,
}

/// The same for the program itself.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Polled {
    /// The laboratory that it wants to.
    pub tenant_id: Option<i64>,
    /// Whether it wants to change nothing.
    pub is_read_only: bool,
    /// How long it waits at the longest.
    pub expires_at: OffsetDateTime,
    /// How long it is to wait between two questions, in seconds.
    pub interval_seconds: i64,
    /// When it last asked.
    pub polled_at: Option<OffsetDateTime>,
    /// Whether somebody said no.
    pub is_denied: bool,
    /// Who said yes.
    pub user_id: Option<i64>,
}

/// Keeps a pair of codes, and forgets those that have ended.
///
/// # Errors
/// [`crate::Error::Duplicate`] when somebody else has the code that a person types.
pub async fn insert(tx: &mut Tx, new: NewDeviceCode<'_>, now: OffsetDateTime) -> Result<()> {
    execute!(tx, "delete from device_codes where expires_at <= $1", now)?;
    execute!(
        tx,
        "insert into device_codes
            (device_sha256, user_sha256, tenant_id, is_read_only, user_agent, address, created_at, expires_at, interval_seconds)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.device_sha256,
        new.user_sha256,
        new.tenant.map(|tenant| tenant.0),
        new.is_read_only,
        new.user_agent,
        new.address,
        now,
        new.expires_at,
        new.interval_seconds,
    )
    .map(drop)
    .map_err(|e| e.naming("device code"))
}

/// How many programs wait.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, now: OffsetDateTime) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from device_codes where expires_at > $1", now).map(|(count,)| count)
}

/// The program that waits under a code for somebody of the tenant, where nobody has decided yet.
///
/// # Errors
/// The database's.
pub async fn waiting(tx: &mut Tx, tenant: TenantId, user_sha256: &str, now: OffsetDateTime) -> Result<Option<Waiting>> {
    rows!(
        tx, optional Waiting,
        "select is_read_only, user_agent, address, created_at, expires_at from device_codes
         where tenant_id = $1 and user_sha256 = $2 and expires_at > $3 and user_id is null and not is_denied",
        tenant.0, user_sha256, now,
    )
}

/// Lets a program in as a person of the tenant, or with none refuses it; none when none waits any more.
///
/// # Errors
/// The database's.
pub async fn decide(
    tx: &mut Tx,
    tenant: TenantId,
    user_sha256: &str,
    user: Option<UserId>,
    now: OffsetDateTime,
) -> Result<Option<Waiting>> {
    rows!(
        tx, optional Waiting,
        "update device_codes set user_id = $4, is_denied = $5
         where tenant_id = $1 and user_sha256 = $2 and expires_at > $3 and user_id is null and not is_denied
         returning is_read_only, user_agent, address, created_at, expires_at",
        tenant.0, user_sha256, now, user.map(|user| user.0), user.is_none(),
    )
}

/// What a program is to be told. The row waits for the end of this transaction.
///
/// # Errors
/// The database's.
pub async fn poll(tx: &mut Tx, device_sha256: &str) -> Result<Option<Polled>> {
    rows!(
        tx, optional Polled,
        "update device_codes set device_sha256 = device_sha256 where device_sha256 = $1
         returning tenant_id, is_read_only, expires_at, interval_seconds, polled_at, is_denied, user_id",
        device_sha256,
    )
}

/// Notes that a program asked, and how long it is to wait from now on.
///
/// # Errors
/// The database's.
pub async fn note(tx: &mut Tx, device_sha256: &str, interval_seconds: i64, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "update device_codes set polled_at = $2, interval_seconds = $3 where device_sha256 = $1",
        device_sha256,
        now,
        interval_seconds
    )
    .map(drop)
}

/// Forgets a program.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, device_sha256: &str) -> Result<()> {
    execute!(tx, "delete from device_codes where device_sha256 = $1", device_sha256).map(drop)
}
